"""The two servers as an attacker, a café's Wi-Fi or a bad day would answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import httpx
import pytest

from broker.desk import client
from broker.desk.client import DirectoryClient, HubClient, HubRefused, Unreachable
from broker.desk.errors import DeskError
from contracts.encoding import b64decode, b64encode
from contracts.identifiers import Mid, OrgId
from contracts.login import claimed_nonce, read_login
from contracts.root import Hub
from contracts.signing import SigningKey

KEY, DEVICE = SigningKey.generate(), SigningKey.generate()
HUB = Hub.of(url="https://hub.example", key=KEY.public)
ORG = OrgId("my-0123456789abcdef")
NONCE = b64encode(bytes(range(32)))
NOW = 1_795_200_000
PROBLEM = {"Content-Type": "application/problem+json"}
MID = Mid("0" * 32)

Respond = Callable[[httpx.Request], httpx.Response]


def hub(respond: Respond, *, tokens: Sequence[str] = ()) -> HubClient:
    """A client of a hub that logs in everybody and answers the rest by `respond`."""
    given = iter(tokens)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/login/nonce":
            return httpx.Response(200, json={"nonce": NONCE, "expires_in": 60})
        if request.url.path == "/v1/login":
            return httpx.Response(200, json={"token": next(given, "t"), "expires_in": 900})
        return respond(request)

    transport = httpx.MockTransport(answer)
    return HubClient(HUB, org=ORG, key=DEVICE, clock=lambda: NOW, transport=transport)


def always(response: httpx.Response) -> Respond:
    return lambda _request: response


def problem(status: int, code: str, **members: object) -> httpx.Response:
    return httpx.Response(status, content=json.dumps({"code": code} | members), headers=PROBLEM)


def test_the_login_names_the_hub_of_the_root_file_whatever_the_server_says() -> None:
    proofs = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/login/nonce":
            return httpx.Response(200, json={"nonce": NONCE, "hub": "0" * 32, "expires_in": 60})
        if request.url.path == "/v1/login":
            proofs.append(request.content)
            return httpx.Response(200, json={"token": "t", "expires_in": 900})
        return httpx.Response(200, json={"items": []})

    door = HubClient(
        HUB, org=ORG, key=DEVICE, clock=lambda: NOW, transport=httpx.MockTransport(answer)
    )
    assert door.lease() == ()
    [proof] = proofs
    assert claimed_nonce(proof) == b64decode(NONCE, field="nonce")
    read = read_login(
        proof, server=HUB.id, nonce=claimed_nonce(proof), now=NOW, lookup=lambda *_: DEVICE.public
    )
    assert (read.org, read.device) == (ORG, DEVICE.key_id)


def test_a_token_that_has_run_out_is_renewed_once() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer old":
            return problem(401, "login_required")
        return httpx.Response(202, content=b"notice")

    assert hub(answer, tokens=["old", "new"]).submit(b"body") == b"notice"
    with pytest.raises(DeskError) as caught:
        hub(answer, tokens=["old", "old", "old"]).submit(b"body")
    assert caught.value.code == "login_refused"


def test_a_refused_login_keeps_what_is_to_be_sent() -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return problem(401, "device_not_certified")

    door = HubClient(
        HUB, org=ORG, key=DEVICE, clock=lambda: NOW, transport=httpx.MockTransport(answer)
    )
    with pytest.raises(DeskError) as caught:
        door.submit(b"body")
    assert caught.value.code == "login_refused"


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_a_refusal_in_the_hubs_own_form_is_for_good(status: int) -> None:
    with pytest.raises(HubRefused) as caught:
        hub(always(problem(status, "no_route", field="to"))).submit(b"body")
    assert (caught.value.code, caught.value.field) == ("no_route", "to")


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(302, headers={"Location": "https://wifi.example/login"}),
        httpx.Response(403, text="<h1>Blocked by the hotel</h1>"),
        httpx.Response(407, text="proxy"),
        httpx.Response(404, json={"code": "no_route"}),
        httpx.Response(451),
        problem(429, "too_many_requests"),
        problem(503, "unavailable"),
        problem(507, "box_full"),
        httpx.Response(500, text="Traceback"),
    ],
)
def test_whatever_else_stands_in_the_way_is_tried_again(response: httpx.Response) -> None:
    with pytest.raises(Unreachable):
        hub(always(response)).submit(b"body")


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("17", 17), ("99999999999999", 3600), ("Wed, 21 Oct 2026 07:28:00 GMT", 60), ("", None),
     ("-5", 60), ("१२", 60)],
)  # fmt: skip
def test_a_server_may_ask_for_patience_within_bounds(given: str, seconds: int | None) -> None:
    headers = [(b"Retry-After", given.encode())] if given else []
    with pytest.raises(Unreachable) as caught:
        hub(always(httpx.Response(503, headers=headers))).submit(b"body")
    assert caught.value.retry_after == seconds


def test_a_dead_connection_is_the_world_and_shows_nothing_of_the_request() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(Unreachable) as caught:
        hub(answer).submit(b"the sealed bytes")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MAX_ANSWER", 1000)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 100

    monkeypatch.setattr(client._request, "__kwdefaults__", {"limit": 1000})
    with pytest.raises(Unreachable):
        hub(always(httpx.Response(202, content=endless()))).submit(b"body")


@pytest.mark.parametrize("code", ["A word!", "x" * 65, "ben's phone", 7, None, "naïve"])
def test_a_code_that_is_no_identifier_is_not_repeated(code: object) -> None:
    answer = httpx.Response(422, content=json.dumps({"code": code}), headers=PROBLEM)
    with pytest.raises(Unreachable):
        hub(always(answer)).submit(b"body")


def test_another_server_in_the_hubs_place_is_noticed() -> None:
    with pytest.raises(DeskError) as caught:
        hub(always(httpx.Response(200, json={"hub": "0" * 32}))).check()
    assert caught.value.code == "hub_not_itself"


def test_a_hub_without_a_word_about_an_envelope_says_none() -> None:
    assert hub(always(problem(404, "no_notice"))).notice(MID) is None


def test_a_malformed_lease_is_the_world() -> None:
    malformed: list[object] = [[{}], [{"lease": 1}], "no list", [{"lease": "a", "eid": "b"}]]
    for items in malformed:
        with pytest.raises(Unreachable):
            hub(always(httpx.Response(200, json={"items": items}))).lease()


def test_a_search_keeps_the_query_out_of_the_address() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"contents": [{"latitude": 3.14}]})

    door = DirectoryClient("https://directory.example", httpx.MockTransport(answer))
    door.search({"search": "shelter"})
    [request] = asked
    assert (request.method, request.url.path, request.url.query) == ("POST", "/services", b"")
    assert json.loads(request.content) == {"search": "shelter"}


@pytest.mark.parametrize("body", [b"[]", b"<html>", b'"text"'])
def test_an_unreadable_directory_is_a_sentence(body: bytes) -> None:
    transport = httpx.MockTransport(always(httpx.Response(200, content=body)))
    with pytest.raises(DeskError) as caught:
        DirectoryClient("https://directory.example", transport).search({})
    assert caught.value.code == "directory_unreadable"
