"""The edge of the hub's door: forms, sizes, answers, headers, and what reaches a log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.hub.health import queue_state
from broker.hub.parts import Hub
from broker.hub.refusals import REFUSED
from broker.hub.store import Waiting
from contracts.encoding import b64encode
from tests.unit.hub.hubs import Caller, Directory, knock, make_hub, said, sqlite
from tests.unit.hub.network import Network, Organisation


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def shelter(network: Network) -> Organisation:
    return network.organisation("my")


@pytest.fixture
def hub(network: Network, tmp_path: Path) -> Iterator[Hub]:
    made = make_hub(network, sqlite(tmp_path))
    yield made
    made.engine.dispose()


def test_the_hub_says_who_it_is(network: Network, hub: Hub, shelter: Organisation) -> None:
    answer = Caller(hub, shelter.desk).client.get("/v1/hub")
    assert said(answer) == {
        "hub": network.hub_key.key_id,
        "net": "demo.tests",
        "time": network.clock(),
        "version": said(answer)["version"],
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/envelopes", 405, "method_not_allowed"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/notices/../../etc/passwd", 404, "not_found"),
        ("POST", "/v1/envelopes", 401, "login_required"),
        ("POST", "/v1/mailbox/lease", 401, "login_required"),
        ("POST", "/v1/mailbox/ack", 401, "login_required"),
        ("GET", f"/v1/notices/{'0' * 32}", 401, "login_required"),
        ("POST", "/v1/login", 415, "unsupported_media_type"),
        ("POST", "/v1/login/nonce", 415, "unsupported_media_type"),
    ],
)
def test_every_refusal_is_problem_details(
    hub: Hub, shelter: Organisation, method: str, path: str, status: int, code: str
) -> None:
    answer = Caller(hub, shelter.desk).client.open(path, method=method)
    assert (answer.status_code, said(answer)["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "multipart/form-data"])
def test_an_envelope_of_another_media_type_is_not_read(
    hub: Hub, shelter: Organisation, network: Network, kind: str
) -> None:
    sealed = shelter.desk.seal(to=network.organisation("bd"))
    answer = knock(hub, shelter.desk).submit(sealed.body, content_type=kind)
    assert (answer.status_code, said(answer)["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/mailbox/lease", {"max": 0}, "max"),
        ("/v1/mailbox/lease", {"max": 101}, "max"),
        ("/v1/mailbox/lease", {"max": "1"}, "max"),
        ("/v1/mailbox/lease", {"max": True}, "max"),
        ("/v1/mailbox/lease", {}, "max"),
        ("/v1/mailbox/lease", {"max": 1, "device": "other"}, ""),
        ("/v1/mailbox/lease", [], ""),
        ("/v1/mailbox/ack", {"acknowledge": []}, "give_back"),
        ("/v1/mailbox/ack", {"acknowledge": [1], "give_back": []}, "acknowledge"),
        ("/v1/mailbox/ack", {"acknowledge": ["x"] * 201, "give_back": []}, "acknowledge"),
        ("/v1/login/nonce", {"device": "x"}, ""),
    ],
)
def test_a_request_of_another_form_is_refused_with_the_member_s_name(
    hub: Hub, shelter: Organisation, path: str, body: object, field: str
) -> None:
    caller = knock(hub, shelter.desk)
    answer = caller.client.post(path, json=body, headers=caller.headers)
    assert answer.status_code == 400
    assert said(answer).get("field", "") == field


def test_a_small_request_may_not_be_large(hub: Hub, shelter: Organisation) -> None:
    caller = knock(hub, shelter.desk)
    body = {"acknowledge": ["x" * 40_000], "give_back": []}
    answer = caller.client.post("/v1/mailbox/ack", json=body, headers=caller.headers)
    assert (answer.status_code, said(answer)["code"]) == (413, "too_large")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=300))
def test_no_body_makes_the_hub_fail(hub: Hub, shelter: Organisation, data: bytes) -> None:
    caller = knock(hub, shelter.desk)
    for path, kind in (
        ("/v1/login", "application/json"),
        ("/v1/login/nonce", "application/json"),
        ("/v1/mailbox/lease", "application/json"),
        ("/v1/mailbox/ack", "application/json"),
        ("/v1/envelopes", "application/vnd.rujukan.envelope.v1+json"),
    ):
        answer = caller.client.post(path, data=data, content_type=kind, headers=caller.headers)
        # `{}` is all that a request for a nonce may say.
        assert answer.status_code < 500


def test_a_refusal_says_that_nothing_was_kept_and_quotes_nothing() -> None:
    for code, answer in REFUSED.items():
        kept = "othing was kept" in answer.detail or "not kept" in answer.detail
        assert kept, code
        assert "{" not in answer.detail


def test_no_log_holds_a_body_a_token_a_nonce_or_who_wrote_to_whom(
    hub: Hub, shelter: Organisation, network: Network, capfd: pytest.CaptureFixture[str]
) -> None:
    clinic = network.organisation("bd")
    sender, receiver = knock(hub, shelter.desk), knock(hub, clinic.desk)
    nonce = sender.nonce()
    proof = shelter.desk.proof(nonce)
    sender.login(proof)
    sender.login(proof)
    sealed = shelter.desk.seal(b'{"name": "canary"}', to=clinic)
    sender.submit(sealed.body)
    sender.submit(sealed.body)
    sender.submit(sealed.body[:-9] + b"canary")
    [item] = receiver.lease()
    receiver.settle([item["lease"]])
    sender.notice(sealed.mid)
    said = capfd.readouterr().err
    lines = [json.loads(line) for line in said.splitlines()]
    assert {"envelope_accepted", "envelope_refused", "login_refused"} <= {
        line["event"] for line in lines
    }
    assert all("dropped_fields" not in line for line in lines)
    assert sealed.mid in said
    secrets = (
        sender.token,
        receiver.token,
        b64encode(nonce),
        item["lease"],
        shelter.id,
        clinic.id,
        "canary",
        sealed.body[200:240].decode(),
    )
    assert [secret for secret in secrets if secret in said] == []


def test_a_failure_of_our_own_says_nothing_of_its_cause(
    hub: Hub,
    shelter: Organisation,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caller = knock(hub, shelter.desk)
    sealed = shelter.desk.seal(to=network.organisation("bd"))

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(sealed.body.decode())

    monkeypatch.setattr("broker.hub.acceptance.check_for_hub", broken)
    answer = caller.submit(sealed.body)
    assert (answer.status_code, said(answer)["code"]) == (500, "internal")
    piece = sealed.body[200:240].decode()
    assert piece not in answer.text
    assert piece not in capfd.readouterr().err


def test_health_says_no_more_than_how_it_is(
    network: Network, shelter: Organisation, tmp_path: Path
) -> None:
    directory = Directory(network)
    hub = make_hub(network, sqlite(tmp_path), directory=directory, queue=True)
    client = Caller(hub, shelter.desk).client
    assert said(client.get("/healthz")) == {
        "status": "degraded",
        "database": "ok",
        "queue": "away",
        "directory": "ok",
        "directory_age_seconds": 0,
    }
    hub.store.beat("relay", now=network.clock())
    assert said(client.get("/healthz"))["status"] == "ok"
    hub.engine.dispose()


@pytest.mark.parametrize(
    ("outbox_since", "beat", "state"),
    [
        (None, 1000, "ok"),
        (None, 939, "away"),
        (None, None, "away"),
        (990, 1000, "ok"),
        (939, 1000, "away"),
    ],
)
def test_a_queue_that_takes_nothing_is_away(
    outbox_since: int | None, beat: int | None, state: str
) -> None:
    waiting = Waiting(outbox=int(outbox_since is not None), oldest=outbox_since, copies=0)
    assert queue_state(waiting, beat, now=1000) == state
