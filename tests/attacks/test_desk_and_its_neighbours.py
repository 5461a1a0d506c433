"""Other people with an account on the same computer, and a desk that is locked in a bad moment."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from broker.desk.client import HubClient
from broker.desk.unlocking import Desk
from broker.desk.web import neighbours
from broker.desk.web.neighbours import is_a_strangers, owner_of
from broker.desk.web.running import _Handler, _listening, _Server
from broker.desk.web.vault import Vault
from contracts.root import Hub
from contracts.signing import SigningKey
from tests.attacks.test_slow_and_strange_servers import Dripping
from tests.services.processes import wait_until
from tests.unit.desk.simulated import World

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1FA4 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1
   1: 0100007F:1FA4 0100007F:A589 01 00000000:00000000 00:00000000 00000000  1000        0 2 1
   2: 0100007F:A589 0100007F:1FA4 01 00000000:00000000 00:00000000 00000000  1001        0 3 1
   0: 0000000000000000FFFF00000100007F:A58A 0000000000000000FFFF00000100007F:1FA4 01 \
00000000:00000000 00:00000000 00000000  1002        0 4 1
""".splitlines()
OURS = ("127.0.0.1", 8100)


@pytest.mark.skipif(sys.byteorder != "little", reason="the table above is of such a computer")
@pytest.mark.parametrize(("port", "owner"), [(0xA589, 1001), (0xA58A, 1002), (0xA58B, None)])
def test_the_systems_table_says_whose_connection_it_is(port: int, owner: int | None) -> None:
    assert owner_of(TABLE, theirs=("127.0.0.1", port), ours=OURS) == owner


@pytest.fixture
def port() -> Iterator[int]:
    """A desk's server with one page, without a desk."""
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "here")
    with closing(_listening(0)) as listening:
        number: int = listening.getsockname()[1]
        server = _Server("127.0.0.1", number, app, _Handler, fd=listening.fileno())
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    yield number
    server.shutdown()
    serving.join()


def asked(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        found = b""
        try:
            while piece := connection.recv(4096):
                found += piece
        except ConnectionResetError:
            pass
        return found


def test_the_desks_own_user_is_answered(port: int) -> None:
    assert asked(port).endswith(b"here")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_another_user_of_the_computer_is_answered_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody_else = os.getuid() + 1
    monkeypatch.setattr("broker.desk.web.neighbours.os.getuid", lambda: somebody_else)
    assert asked(port) == b""


def test_a_system_that_does_not_tell_does_not_close_the_desk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neighbours, "_TABLES", ())
    assert not is_a_strangers(theirs=("127.0.0.1", 50_000), ours=OURS)


def test_a_hub_that_drips_does_not_keep_the_keys_of_a_locked_desk(tmp_path: Path) -> None:
    world, dripping = World(tmp_path), Dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    ours = world.organisation("my")
    hub = Hub.of(url=dripping.url, key=SigningKey.generate().public)
    opened: list[Desk] = []

    def open_desk(_passphrase: bytes) -> Desk:
        desk = world.again(ours)
        desk.hub = HubClient(hub, org=desk.org, key=desk.ring.signing, clock=world.clock)
        opened.append(desk)
        return desk

    vault = Vault(open_desk, round_seconds=3600)
    vault.unlock(b"")
    vault.hurry(patience=0.5)  # by now the errands wait for the hub
    vault.lock()
    wait_until(
        lambda: all("locked" in _ring_of(desk) for desk in opened), "the keys to go", seconds=5
    )
    dripping.close()
    opened.clear()
    gc.collect()


def _ring_of(desk: Desk) -> str:
    try:
        return repr(desk.ring)
    except RuntimeError as error:
        return str(error)
