"""The web server as it really runs: what it says of itself, what it logs, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.services import Child, free_port, start, wait_for_port, wait_until

CANARY = "CANARY-7f3a"

_SERVER = """
import os, sys, time
from flask import Flask
from broker.service.failures import Failure
from broker.service.logs import configure_logging
from broker.service.problems import install_problem_answers
from broker.service.web import run_web

folder, port = sys.argv[1:3]

def factory():
    if os.path.exists(folder + "/broken"):
        raise ValueError("CANARY-7f3a")
    app = Flask("toy")
    install_problem_answers(app)
    made_by = os.getpid()
    open(f"{folder}/made-{made_by}", "w").close()

    @app.get("/who/<name>")
    def who(name):
        return {"made": made_by, "answers": os.getpid(), "host": __import__("flask").request.scheme}

    @app.get("/slow")
    def slow():
        open(f"{folder}/begun", "w").close()
        while not os.path.exists(f"{folder}/go"):
            time.sleep(0.02)
        return "done"

    @app.get("/fail")
    def fail():
        raise ValueError("CANARY-7f3a")
    return app

configure_logging("toy", "DEBUG")
try:
    run_web(factory, host="127.0.0.1", port=int(port), workers=2, threads=2)
except Failure as failure:
    print(failure, file=sys.stderr)
    sys.exit(1)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs."""

    folder: Path
    port: int

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-c", _SERVER, str(self.folder), str(self.port)]

    @contextmanager
    def run(self) -> Iterator[Child]:
        home = self.folder / "home"
        home.mkdir()
        hostile = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "WEB_CONCURRENCY": "7"}
        ignored = {"GUNICORN_CMD_ARGS": "--access-logfile -", "FORWARDED_ALLOW_IPS": "*"}
        log = self.folder / "log"
        with start("toy", self.command, log=log, environ=hostile | ignored, folder=home) as child:
            wait_for_port(self.port, child=child)
            yield child


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("web"), free_port())


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Child]:
    """One server for the tests that do not stop it."""
    with place.run() as child:
        yield child
        assert child.ended is None


@pytest.fixture
def client(place: Place) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{place.port}", trust_env=False) as client:
        yield client


def lines(server: Child) -> list[dict[str, object]]:
    return [json.loads(line) for line in server.said().splitlines()]


def test_each_worker_makes_its_own_app_after_the_fork(
    server: Child, client: httpx.Client, place: Place
) -> None:
    wait_until(lambda: len(list(place.folder.glob("made-*"))) == 2, "two workers", child=server)
    answer = client.get("/who/x").json()
    assert answer["made"] == answer["answers"] != server.pid


@pytest.mark.usefixtures("server")
def test_nothing_of_the_server_program_is_told(client: httpx.Client) -> None:
    answer = client.get("/who/x")
    assert answer.headers["Server"] == "rujukan"
    assert "gunicorn" not in str(answer.headers).lower()


@pytest.mark.usefixtures("server")
def test_no_forwarding_header_is_believed(client: httpx.Client) -> None:
    answer = client.get("/who/x", headers={"X-Forwarded-Proto": "https"})
    assert answer.json()["host"] == "http"


@pytest.mark.usefixtures("server")
def test_there_is_no_control_socket(client: httpx.Client, place: Place) -> None:
    client.get("/who/x")
    assert list((place.folder / "home").rglob("*")) == []


def test_a_request_is_logged_by_route_and_never_by_path_query_or_header(
    server: Child, client: httpx.Client, place: Place
) -> None:
    client.get(f"/who/{CANARY}?q={CANARY}", headers={"X-Search": CANARY})
    client.request(CANARY[:6], f"/{CANARY}")
    client.get("/fail")
    for broken in (f"{CANARY}\r\n\r\n", f"GET /{CANARY} HTTP/9.9\r\n\r\n", f"GET / {CANARY}\n\n"):
        with socket.create_connection(("127.0.0.1", place.port), timeout=5) as raw:
            raw.sendall(broken.encode())
            raw.recv(100)
    client.get("/who/last")
    assert "CANARY" not in server.said()
    assert {(line["method"], line["route"], line["status"]) for line in requests(server)} == {
        ("GET", "/who/<name>", 200),
        ("other", "unmatched", 404),
        ("GET", "/fail", 500),
    }


def requests(server: Child) -> list[dict[str, object]]:
    return [line for line in lines(server) if line["event"] == "request_answered"]


def test_a_running_request_ends_before_the_server_does(tmp_path: Path) -> None:
    place = Place(tmp_path, free_port())
    answers: list[str] = []

    def ask() -> None:
        url = f"http://127.0.0.1:{place.port}/slow"
        answers.append(httpx.get(url, timeout=15, trust_env=False).text)

    slow = threading.Thread(target=ask)
    with place.run() as server:
        slow.start()
        wait_until(lambda: (tmp_path / "begun").exists(), "the request to begin", child=server)
        server.send(signal.SIGTERM)
        wait_until(lambda: "signal_received" in server.said(), "the stop to begin")
        (tmp_path / "go").touch()
        slow.join(15)
        assert answers == ["done"]
        assert server.wait() == 0


@pytest.mark.usefixtures("server")
def test_a_taken_port_is_a_sentence(place: Place, tmp_path: Path) -> None:
    with start("second", place.command, log=tmp_path / "second.log") as second:
        assert second.wait() == 1
        assert "Nothing was started" in second.said()


def test_an_app_that_cannot_be_made_ends_the_server_and_is_named_by_type(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    command = Place(tmp_path, free_port()).command
    with start("broken", command, log=tmp_path / "log") as child:
        assert child.wait() == 4
        assert "CANARY" not in child.said()
        failed = [line for line in lines(child) if line["event"] == "app_failed_to_start"]
        assert failed[0]["error"] == ["ValueError"]
        assert "factory" in str(failed[0]["where"])
