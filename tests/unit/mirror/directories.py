"""A directory in memory, behind the interface the real one has: HTTP. It can also be dishonest.

directory = Directory(clock, witnesses=WITNESSES)
directory.add(*Author().admission())             # after the two words for it
mirror = mirror_of(directory, engine, clock, root=root_file(witnesses=WITNESSES, k=5))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import Engine

from broker.mirror import Mirror
from broker.service.database import open_engine
from contracts.checkpoints import Checkpoint, checkpoint_text, cosign, sign_checkpoint
from contracts.log import Leaf, encode_leaf, join_leaves, leaf_hash
from contracts.notes import NoteSignature, render_note, signed_note
from contracts.root import WITNESS_KEY, RootFile, VerifierKey, Witness, make_root, parse_root
from contracts.signing import SigningKey
from contracts.statements import Statement
from contracts.tree import Tree
from tests.unit.contracts.authors import NET, NOW, signing_key
from tests.vouching import LOG_KEY, Vouchers, listed

Answer = Callable[[httpx.Request, httpx.Response], httpx.Response]
URL = "https://directory.example"


class Clock:
    """Time that only passes when a test says so, Unix seconds."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class Watcher:
    """A witness with its secret key. It signs whatever it is given."""

    country: str

    @property
    def name(self) -> str:
        return f"witness.example/{self.country}"

    @property
    def key(self) -> SigningKey:
        return signing_key(f"witness of {self.country}")

    @property
    def public(self) -> Witness:
        """As a root file names it."""
        key = VerifierKey(self.name, WITNESS_KEY, self.key.public)
        return Witness(self.country, f"https://{self.country}.witness.example", key)

    def signs(self, text: bytes, *, at: int) -> NoteSignature:
        return cosign(text, name=self.name, key=self.key, at=at)


WATCHERS: Final = tuple(map(Watcher, ("bd", "id", "ke", "lk", "my", "np", "ph", "th")))


class Directory:
    """A log in a list. `answer` may put something else in the place of the honest answer.

    `shown` is the checkpoint's note that is handed out; while it is none, the one over all leaves,
    which `witnesses` have just signed.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        at_most: int = 1000,
        net: str = NET,
        witnesses: Sequence[Watcher] = (),
    ) -> None:
        self.leaves: list[bytes] = []
        self.requests: list[httpx.Request] = []
        self.answer: Answer | None = None
        self.shown: bytes | None = None
        self.witnesses = witnesses
        self.vouchers = Vouchers(net)
        self._net = net
        self._clock = clock
        self._at_most = at_most

    def add(self, *statements: Statement, t: int | None = None) -> None:
        """Write statements down, at the clock's time; organisations after two words for them."""
        time = self._clock() if t is None else t
        admitted = self.vouchers.admitted(*statements, iat=time)
        self.leaves += [encode_leaf(Leaf(statement, time)) for statement in admitted]

    def begin_anew(self) -> None:
        """Forget everything: what is added now is another past."""
        self.leaves = []
        self.vouchers = Vouchers(self._net)

    def copy(self, clock: Clock | None = None) -> Directory:
        """Another directory with the same log, shown to somebody else."""
        other = Directory(
            clock or self._clock, at_most=self._at_most, net=self._net, witnesses=self.witnesses
        )
        other.leaves = list(self.leaves)
        other.vouchers = deepcopy(self.vouchers)
        return other

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """What the log is at a size."""
        tree = Tree()
        for data in self.leaves if size is None else self.leaves[:size]:
            tree.append(leaf_hash(data))
        return Checkpoint(self._net, tree.size, tree.root())

    def note(
        self,
        size: int | None = None,
        *,
        by: Sequence[Watcher] | None = None,
        at: Sequence[int] | None = None,
        log: SigningKey = LOG_KEY,
    ) -> bytes:
        """A signed checkpoint; `at` are the witnesses' clocks, the directory's by default."""
        checkpoint = self.checkpoint(size)
        text = checkpoint_text(checkpoint)
        watchers = self.witnesses if by is None else by
        clocks = [self._clock()] * len(watchers) if at is None else at
        pairs = zip(watchers, clocks, strict=True)
        lines = [watcher.signs(text, at=now) for watcher, now in pairs]
        return render_note(signed_note(text, sign_checkpoint(checkpoint, log), *lines))

    @property
    def transport(self) -> httpx.MockTransport:
        """How a mirror reaches this directory."""
        return httpx.MockTransport(self._handle)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Which leaves were asked for: from, to."""
        asked = [one.url.params for one in self.requests if one.url.path == "/log/leaves"]
        return [(int(params["from"]), int(params["to"])) for params in asked]

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/log/checkpoint":
            honest = text(self.note() if self.shown is None else self.shown)
        elif request.url.path == "/log/leaves":
            start, end = (int(request.url.params[name]) for name in ("from", "to"))
            honest = octets(join_leaves(self.leaves[start : min(end, start + self._at_most)]))
        else:
            return httpx.Response(404)
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
    """Leaves as the directory answers them."""
    headers = {"Content-Type": "application/octet-stream"}
    return httpx.Response(200, headers=headers, stream=Chunks([body]))


def text(body: bytes) -> httpx.Response:
    """A checkpoint as the directory answers it."""
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return httpx.Response(200, headers=headers, stream=Chunks([body]))


def of_leaves(answer: Answer) -> Answer:
    """The same lie, told about leaves only."""

    def told(request: httpx.Request, honest: httpx.Response) -> httpx.Response:
        return answer(request, honest) if request.url.path == "/log/leaves" else honest

    return told


def root_file(
    net: str = NET,
    *,
    witnesses: Sequence[Watcher] = (),
    k: int = 0,
    log: SigningKey = LOG_KEY,
) -> RootFile:
    """The root file of the fictional network."""
    public = [watcher.public for watcher in witnesses]
    return parse_root(
        make_root(net=net, log=log.public, hubs=[], coordinators=listed(), witnesses=public, k=k)
    )


def engine_in(folder: Path, name: str = "mirror.db") -> Engine:
    """A database file of its own."""
    return open_engine(f"sqlite:///{folder / name}")


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
