"""Unit tests open no socket: one that tries fails with a sentence, wherever it is hidden."""

from __future__ import annotations

import socket
from typing import Any, NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to connect or to listen. Pairs of Unix sockets, as event loops use, stay possible."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a unit test must not use the network: make it an integration test")

    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
