"""The hub as it is run: gunicorn with several processes, killed without warning."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from broker.service.settings import database_url
from contracts.notice import read_notice
from contracts.sealing import Sealed
from tests.integration.hub.served import Client, directory, environ, serve
from tests.services.processes import wait_until
from tests.unit.hub.hubs import sqlite
from tests.unit.hub.network import Desk, Network, Organisation

ROUNDS = 3
SENDERS = 4


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite(tmp_path)
    return database_url(request.getfixturevalue("postgres"))


@pytest.fixture
def network() -> Network:
    return Network(now=int(time.time()) - 60)


@pytest.fixture
def directory_url(network: Network) -> Iterator[str]:
    with directory(network) as url:
        yield url


@dataclass(slots=True)
class Tally:
    """What was tried and what the hub has signed for."""

    attempted: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def has(self, count: int) -> Callable[[], bool]:
        """Whether so many have been accepted by now, to be asked again and again."""
        return lambda: len(self.confirmed) >= count


def test_what_was_answered_with_202_survives_sigkill(
    database: str,
    network: Network,
    directory_url: str,
    tmp_path: Path,
) -> None:
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    settings = environ(network, tmp_path, database, directory_url, RUJUKAN_WORKERS="2")
    tally = Tally()
    for number in range(ROUNDS):
        with serve(settings, log=tmp_path / "hub.log") as hub:
            threads = _send(hub.url, shelter.desk, clinic, tally, network)
            wait_until(tally.has((number + 1) * 40), "enough acceptances", seconds=60)
            hub.kill()
            for thread in threads:
                thread.join(30)
    with (
        serve(settings, log=tmp_path / "hub.log") as hub,
        Client(hub.url, clinic.desk) as receiver,
    ):
        receiver.login()
        received = Counter(receiver.drain())
    assert max(received.values()) == 1
    assert tally.confirmed <= received.keys() <= tally.attempted
    accepted, came = len(tally.confirmed), len(received)
    sys.stdout.write(f"{ROUNDS} kills: {accepted} accepted, {came} received\n")


def test_a_desk_that_was_answered_by_one_process_is_known_to_the_others(
    database: str, network: Network, directory_url: str, tmp_path: Path
) -> None:
    shelter, clinic = network.organisation("my"), network.organisation("bd")
    settings = environ(network, tmp_path, database, directory_url, RUJUKAN_WORKERS="3")
    with serve(settings, log=tmp_path / "hub.log") as hub:
        for _ in range(6):
            sealed, token = _one_way(hub.url, shelter, clinic, network)
        late = network.organisation("bd")
        with Client(hub.url, late.desk) as caller:
            caller.login()
    said = (tmp_path / "hub.log").read_text()
    assert sealed.mid in said
    assert sealed.body[100:180].decode() not in said
    assert token not in said


def _one_way(
    url: str, shelter: Organisation, clinic: Organisation, network: Network
) -> tuple[Sealed, str]:
    """Send and fetch, each request on a connection of its own, so that processes take turns."""
    sealed = shelter.desk.seal(to=clinic)
    with Client(url, shelter.desk) as sender:
        sender.login()
        answer = sender.submit(sealed.body)
        token = sender.token
    with Client(url, shelter.desk, token=token) as again:
        assert again.submit(sealed.body).content == answer.content
    notice = read_notice(answer.content, hub_key=network.hub_key.public)
    assert (answer.status_code, notice.eid) == (202, sealed.eid)
    with Client(url, clinic.desk) as receiver:
        receiver.login()
        assert receiver.drain() == [sealed.eid]
    return sealed, token


def _send(
    url: str, desk: Desk, to: Organisation, tally: Tally, network: Network
) -> list[threading.Thread]:
    def work() -> None:
        with suppress(httpx.HTTPError), Client(url, desk) as client:
            client.login()
            while True:
                sealed = desk.seal(b"{}", to=to)
                with tally.lock:
                    tally.attempted.add(sealed.eid)
                answer = client.submit(sealed.body)
                assert answer.status_code == 202, answer.text
                notice = read_notice(answer.content, hub_key=network.hub_key.public)
                with tally.lock:
                    tally.confirmed.add(notice.eid)

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    return threads
