"""A directory in memory, behind the interface the real one has: HTTP. It can also be dishonest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import httpx
from sqlalchemy import Engine

from broker.mirror import Mirror
from broker.service.database import open_engine
from contracts.log import Leaf, encode_leaf, join_leaves
from contracts.root import RootFile, demonstration_root, parse_root
from contracts.statements import Statement
from tests.unit.contracts.authors import NET, NOW, signing_key

Answer = Callable[[httpx.Request, httpx.Response], httpx.Response]
URL = "https://directory.example"


class Clock:
    """Time that only passes when a test says so, Unix seconds."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Directory:
    """A log in a list. `answer` may put something else in the place of the honest answer."""

    def __init__(self, clock: Clock, *, at_most: int = 1000) -> None:
        self.leaves: list[bytes] = []
        self.requests: list[httpx.Request] = []
        self.answer: Answer | None = None
        self._clock = clock
        self._at_most = at_most

    def add(self, *statements: Statement, t: int | None = None) -> None:
        """Write statements down, at the clock's time."""
        time = self._clock() if t is None else t
        self.leaves += [encode_leaf(Leaf(statement, time)) for statement in statements]

    @property
    def transport(self) -> httpx.MockTransport:
        """How a mirror reaches this directory."""
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path != "/log/leaves":
            return httpx.Response(404)
        start, end = (int(request.url.params[name]) for name in ("from", "to"))
        found = self.leaves[start : min(end, start + self._at_most)]
        honest = octets(join_leaves(found))
        return honest if self.answer is None else self.answer(request, honest)


class Chunks(httpx.SyncByteStream):
    """A body that arrives piece by piece and counts how many were taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.taken += 1
            yield chunk


def octets(body: bytes) -> httpx.Response:
    """An answer as the directory gives it."""
    headers = {"Content-Type": "application/octet-stream"}
    return httpx.Response(200, headers=headers, stream=Chunks([body]))


def root_file(net: str = NET) -> RootFile:
    """The root file of the fictional network."""
    return parse_root(demonstration_root(net=net, hubs=[], log=signing_key("log").public))


def engine_in(folder: Path) -> Engine:
    """A database file of its own."""
    return open_engine(f"sqlite:///{folder / 'mirror.db'}")


def mirror_of(
    directory: Directory, engine: Engine, clock: Clock, *, root: RootFile | None = None
) -> Mirror:
    """A mirror of that directory in that database."""
    return Mirror(
        engine=engine,
        root=root or root_file(),
        directory_url=URL,
        clock=clock,
        transport=directory.transport,
    )
