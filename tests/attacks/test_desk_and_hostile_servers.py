"""A hub and a directory that answer for ever, unpack to gigabytes, or nest without end."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from broker.desk import client
from broker.desk.client import DirectoryClient, HubClient, Unreachable
from broker.desk.errors import DeskError
from contracts.identifiers import OrgId
from contracts.root import Hub
from contracts.signing import SigningKey
from tests.attacks.test_slow_and_strange_servers import Dripping

BEGINNINGS = [
    b"HTTP/1.1 200 OK\r\nX-Slow: ",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
]


@pytest.fixture
def dripping(request: pytest.FixtureRequest) -> Iterator[Dripping]:
    server = Dripping(request.param)
    yield server
    server.close()


def hub_at(url: str) -> HubClient:
    facts = Hub.of(url=url, key=SigningKey.generate().public)
    org = OrgId("my-0123456789abcdef")
    return HubClient(facts, org=org, key=SigningKey.generate(), clock=lambda: 1_795_200_000)


@pytest.mark.parametrize("dripping", BEGINNINGS, indirect=True)
def test_a_hub_that_drips_does_not_hold_the_desk(
    dripping: Dripping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.5)
    hub, began = hub_at(dripping.url), time.monotonic()
    with pytest.raises(Unreachable):
        hub.lease()
    hub.close()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("dripping", BEGINNINGS, indirect=True)
def test_a_desk_that_locks_waits_for_no_server(dripping: Dripping) -> None:
    hub, ended = hub_at(dripping.url), threading.Event()

    def ask() -> None:
        with pytest.raises(Unreachable):
            hub.lease()
        ended.set()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    assert not ended.wait(0.5)
    hub.close()
    assert ended.wait(5)
    with pytest.raises(Unreachable):
        hub.lease()


def test_a_small_answer_that_unpacks_to_much_is_not_unpacked() -> None:
    unpacked = [0]

    class Bomb(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            unpacked[0] += 1
            yield gzip.compress(bytes(4 * 1024 * 1024))

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Bomb())

    directory = DirectoryClient("https://directory.example", httpx.MockTransport(answer))
    with pytest.raises(Unreachable):
        directory.search({})
    assert unpacked == [0]


def test_brackets_without_end_are_an_answer_that_cannot_be_read() -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"[" * 500_000)

    directory = DirectoryClient("https://directory.example", httpx.MockTransport(answer))
    with pytest.raises(DeskError, match="directory"):
        directory.search({})
