"""Serving the desk's pages on this computer alone, until told to stop.

The keys must live in the process that serves and in no other, so the server runs in this one: a
thread a request, no forked worker, no reloader. It listens on 127.0.0.1 only, logs no request and
says of itself nothing. Stopping takes the keys out of memory first.

    with DeskServer(app, port) as server:
        server.run(vault, stop)
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from types import TracebackType
from typing import Final, Self

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from broker.desk.web.guard import HOST
from broker.desk.web.neighbours import Address, is_a_strangers
from broker.desk.web.vault import Vault
from broker.service.failures import Failure
from broker.service.logs import logger

# How often the idle time is looked at, and how soon a stop is noticed; seconds.
LOOK_EVERY: Final = 0.2
# A browser on this computer sends its request at once.
_SLOWEST: Final = 20.0

_log = logger(__name__)


class _Handler(WSGIRequestHandler):
    """Says nothing of what was asked, to nobody."""

    timeout = _SLOWEST
    protocol_version = "HTTP/1.1"
    server_version = "rujukan"
    sys_version = ""

    def log(self, *_: object) -> None:
        """Addresses are not logged."""


class _Server(ThreadedWSGIServer):
    """Threads that end with the process; faults logged by their type."""

    def verify_request(self, _request: object, client_address: Address) -> bool:
        """Whether to answer at all: nobody but the user whose desk it is."""
        return not is_a_strangers(theirs=client_address, ours=(HOST, self.port))

    def log(self, *_: object) -> None:
        """The text would hold a traceback with values."""
        _log.error("request_broken")

    def handle_error(self, *_: object) -> None:
        """A browser that went away, mostly."""
        _log.debug("connection_broken", exc_info=True)


class DeskServer:
    """A listening server; connections wait until `run`."""

    def __init__(self, port: int) -> None:
        self._socket = _listening(port)
        self.port: int = self._socket.getsockname()[1]

    def run(
        self, app: Flask, vault: Vault, stop: threading.Event, ready: Callable[[], None]
    ) -> None:
        """Serve until `stop`; `ready` is called once requests are answered."""
        with closing(self._socket):
            server = _Server(HOST, self.port, app, _Handler, fd=self._socket.fileno())
        thread = threading.Thread(
            target=server.serve_forever, args=(LOOK_EVERY,), name="desk-server", daemon=True
        )
        thread.start()
        try:
            ready()
            while not stop.wait(LOOK_EVERY):
                vault.lock_if_idle()
        finally:
            vault.lock()
            server.shutdown()
            thread.join()

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(64)
    except (OSError, OverflowError):
        listening.close()
        raise Failure(
            f"Port {port} cannot be opened: another program has it, or this user may not. "
            "Nothing was started. Stop that program or give another --port."
        ) from None
    return listening
