"""A loopback HTTP proxy in front of one server, that remembers all it carries.

    with recording(port_of_the_hub) as recorder:
        ...  # give the desk recorder.url

What TLS hides on the way is seen here, so that the test can look at addresses and headers, which
servers and proxies like to log. When the server is away, the connection is cut.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.secrecy.scanner import Piece, Place
from tests.services.ports import LOOPBACK

_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; status 0 where there was none."""

    method: str
    path: str
    head: bytes = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    answer_head: bytes = field(repr=False)
    answer: bytes = field(repr=False)


class Recorder:
    """What went through, and the address to be asked at."""

    def __init__(self, behind: int) -> None:
        self.exchanges: list[Exchange] = []
        self.server = ThreadingHTTPServer((LOOPBACK, 0), _handler(behind, self.exchanges))
        self.url = f"http://{LOOPBACK}:{self.server.server_address[1]}"

    def heads(self, name: str) -> Place:
        """Request lines, addresses and headers, both ways."""
        return Place(name, lambda: self._pieces("head", "answer_head"))

    def questions(self, name: str) -> Place:
        """What was sent."""
        return Place(name, lambda: self._pieces("body"))

    def answers(self, name: str) -> Place:
        """What was answered."""
        return Place(name, lambda: self._pieces("answer"))

    def _pieces(self, *parts: str) -> Iterator[Piece]:
        for one in list(self.exchanges):
            for part in parts:
                yield Piece(f"{part} of {one.method} request", getattr(one, part))


@contextmanager
def recording(behind: int) -> Iterator[Recorder]:
    """A proxy before the server on this computer's port `behind`."""
    recorder = Recorder(behind)
    thread = threading.Thread(target=recorder.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield recorder
    finally:
        recorder.server.shutdown()
        recorder.server.server_close()
        thread.join()


def _handler(behind: int, exchanges: list[Exchange]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _SECONDS

        def carry(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            head = f"{self.requestline}\n{self.headers}".encode("utf-8", "surrogateescape")
            try:
                status, headers, answer = self._ask(body)
            except OSError:
                exchanges.append(Exchange(self.command, self.path, head, body, 0, b"", b""))
                self.close_connection = True
                return
            answered = repr(headers).encode()
            exchanges.append(
                Exchange(self.command, self.path, head, body, status, answered, answer)
            )
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = carry  # noqa: N815 - the library's names

        def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            server = http.client.HTTPConnection(LOOPBACK, behind, timeout=_SECONDS)
            try:
                server.request(self.command, self.path, body, dict(self.headers))
                answer = server.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except http.client.HTTPException:
                raise ConnectionError from None
            finally:
                server.close()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
