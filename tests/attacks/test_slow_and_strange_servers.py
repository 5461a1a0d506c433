"""A directory that answers byte by byte, and addresses that mean one host to the one who checks
them and another to the one who dials.
"""

from __future__ import annotations

import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from broker.mirror import DirectoryUnreachable, Mirror, source
from broker.mirror.source import LeafSource
from broker.service.addresses import NotUsable, amqp_url, database_url, web_url
from broker.service.database import migrate, open_engine
from tests.unit.hub.checkpoints import TEXT, checkpoint_note
from tests.unit.hub.network import Network

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"


class Dripping:
    """A server that sends a beginning and then one byte every 50 ms, for ever."""

    def __init__(self, beginning: bytes) -> None:
        self._beginning = beginning
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._over.set()
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(self._beginning)
                while not self._over.wait(0.05):
                    connection.sendall(b"a")


@pytest.fixture
def dripping(request: pytest.FixtureRequest) -> Iterator[Dripping]:
    server = Dripping(request.param)
    yield server
    server.close()


@pytest.mark.parametrize(
    "dripping",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD + b"\r\n", HEAD + b"Content-Length: 100000\r\n\r\n"],
    ids=["headers", "body to the end", "body of a length"],
    indirect=True,
)
def test_a_directory_that_drips_does_not_hold_a_synchronisation(
    dripping: Dripping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_ANSWER_SECONDS", 0.5)
    leaves = LeafSource(dripping.url)
    began = time.monotonic()
    with pytest.raises(DirectoryUnreachable):
        leaves.leaves(0)
    leaves.close()
    assert time.monotonic() - began < 5


def test_a_directory_that_hangs_is_not_asked_again_at_once(tmp_path: Path) -> None:
    network, asked, hangs = Network(), [0], [False]

    def answer(request: httpx.Request) -> httpx.Response:
        asked[0] += 1
        if not hangs[0]:
            note = checkpoint_note(network.log, net=network.root.net, key=network.log_key)
            stream = httpx.ByteStream(note)
            return httpx.Response(200, headers={"Content-Type": TEXT}, stream=stream)
        network.clock.now += 60
        raise httpx.ReadTimeout("slow", request=request)

    engine = open_engine(f"sqlite:///{tmp_path / 'mirror.sqlite'}")
    mirror = Mirror(
        engine=engine,
        root=network.root,
        directory_url="http://127.0.0.1:1",
        clock=network.clock,
        transport=httpx.MockTransport(answer),
    )
    mirror.sync()
    network.clock.now += 60
    hangs[0], before = True, asked[0]
    for _ in range(5):
        mirror.ensure_fresh(5)
        network.clock.now += 1
    engine.dispose()
    assert asked[0] == before + 1


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u@localhost/db?host=/run,db.example.org",
        "postgresql://u@/db?host=/run&port=1,2",
        "postgresql://u:p@[2001:db8::1]@127.0.0.1/db",
        "postgresql://u:p@db.example.org@127.0.0.1/db",
        "sqlite:///:memory:",
        "sqlite:///",
    ],
)
def test_the_database_that_is_dialled_is_the_one_that_was_checked(address: str) -> None:
    with pytest.raises(NotUsable):
        database_url(address)


@pytest.mark.parametrize("rest", ["[::1]evil.example", "u@evil.example@127.0.0.1", "[::1]@x[::1]"])
def test_an_address_with_two_readings_is_refused(rest: str) -> None:
    with pytest.raises(NotUsable):
        web_url(f"http://{rest}")
    with pytest.raises(NotUsable):
        amqp_url(f"amqp://{rest}/v")


def test_a_new_database_is_its_owner_s_alone(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    migrate(engine, "broker.hub")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    engine.dispose()
    assert modes == {0o600}
