"""Answers to wrong requests: the status, a stable code, and nothing of what was sent."""

from __future__ import annotations

import json

import pytest
from flask import Flask, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from broker.service.headers import FIXED, install_security_headers
from broker.service.problems import install_problem_answers, problem

CANARY = "CANARY-7f3a"


@pytest.fixture
def app() -> Flask:
    app = Flask("toy")
    app.config["MAX_CONTENT_LENGTH"] = 10
    install_problem_answers(app)
    install_security_headers(app, csp="default-src 'none'", cache="no-store")

    @app.get("/fail")
    def fail() -> str:
        raise ValueError(CANARY)

    @app.post("/read")
    def read() -> bytes:
        return request.get_data()

    @app.get("/stop/<int:status>")
    def stop(status: int) -> str:
        abort(status, description=CANARY)

    @app.get("/elsewhere")
    def elsewhere() -> AnyResponse:
        return redirect("/read")

    @app.get("/cached")
    def cached() -> AnyResponse:
        return AnyResponse("x", headers={"Cache-Control": "max-age=60", "X-Frame-Options": "no"})

    return app


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/{CANARY}", 404, "not_found"),
        ("GET", "/read", 405, "method_not_allowed"),
        ("POST", "/read", 413, "too_large"),
        ("GET", "/fail", 500, "internal"),
        ("GET", "/stop/400", 400, "bad_request"),
        ("GET", "/stop/401", 401, "login_required"),
        ("GET", "/stop/418", 418, "refused"),
        ("GET", "/stop/502", 502, "internal"),
        ("GET", "/stop/503", 503, "unavailable"),
    ],
)
def test_a_refusal_is_a_problem_that_quotes_nothing(
    app: Flask, method: str, path: str, status: int, code: str
) -> None:
    answer = app.test_client().open(path, method=method, data=CANARY if method == "POST" else None)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    body = json.loads(answer.data)
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:rujukan:problem:{code}"
    assert CANARY not in answer.text


def test_a_failure_of_ours_is_logged_without_its_text(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    app.test_client().get("/fail")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["error"]) == ("request_failed", ["ValueError"])
    assert CANARY not in json.dumps(line)


def test_a_wrong_method_names_the_right_ones(app: Flask) -> None:
    assert set(app.test_client().get("/read").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_a_redirect_stays_one(app: Flask) -> None:
    answer = app.test_client().get("/elsewhere")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/read")


def test_a_problem_says_where_and_when_again() -> None:
    answer = problem(503, "queue_away", detail="Try later.", field="to", retry_after=30)
    assert answer.headers["Retry-After"] == "30"
    assert json.loads(answer.get_data())["field"] == "to"


@pytest.mark.parametrize("path", ["/cached", "/fail", "/nothing-there"])
def test_every_answer_has_the_security_headers_and_no_view_weakens_them(
    app: Flask, path: str
) -> None:
    headers = app.test_client().get(path).headers
    assert {name: headers[name] for name in FIXED} == FIXED
    assert headers["Content-Security-Policy"] == "default-src 'none'"


def test_a_view_may_choose_its_own_caching(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/cached").headers["Cache-Control"] == "max-age=60"
    assert client.get("/nothing-there").headers["Cache-Control"] == "no-store"
