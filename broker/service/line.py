"""One connection to a server, and the end of its patience.

A client's own time limits count anew with each byte, so whoever sends an answer, or only its
headers, byte by byte would hold a synchronisation, or a desk with its keys, for days. Here a whole
answer has one limit, and another thread may cut it off at once: a desk that locks waits for no
server.

    with line.cut_after(90.0):
        ...             # a request with `extensions={"trace": line.trace}`
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any


class CutOff(Exception):
    """It took too long, or was no longer wanted; what was read may be half an answer."""


class Line:
    """The newest connection of a client that keeps one."""

    def __init__(self) -> None:
        self._stream: Any = None
        self._was_cut = self._closed = False

    def trace(self, event: str, about: Mapping[str, Any]) -> None:
        """Told by the client of all it does."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = about["return_value"]
            if self._closed:
                self._cut()

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """While this is open, at most so long. Raises `CutOff`, whatever else came of it."""
        if self._closed:
            raise CutOff
        self._was_cut = False
        clock = threading.Timer(seconds, self._cut)
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()
            if self._was_cut or self._closed:
                raise CutOff from None

    def close(self) -> None:
        """Cut off what is going on, and let nothing begin."""
        self._closed = True
        self._cut()

    def _cut(self) -> None:
        self._was_cut = True
        line = self._stream and self._stream.get_extra_info("socket")
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
