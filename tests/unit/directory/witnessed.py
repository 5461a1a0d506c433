"""A log with witnesses in memory, that can be killed between any two steps and restored.

world = World(folder, witnesses=3, k=2)
world.start().round()
world.append()
world.kill_after(steps=3)                # the next thing done dies at its third step
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, event

from broker.service.database import migrate, open_engine
from contracts.checkpoints import (
    Checkpoint,
    cosign,
    parse_add_checkpoint,
    parse_checkpoint,
    verify_log,
)
from contracts.drafting import root_statement, vouch_statement
from contracts.encoding import h256
from contracts.errors import BadSignature, Refused
from contracts.identifiers import OrgId
from contracts.log import decode_leaf, leaf_hash
from contracts.notes import Note, NoteSignature, parse_note, render_note, render_signatures
from contracts.root import (
    LOG_KEY as LOG_KIND,
)
from contracts.root import (
    WITNESS_KEY,
    Coordinator,
    RootFile,
    VerifierKey,
    Witness,
    make_root,
    parse_root,
)
from contracts.signing import SigningKey
from contracts.statements import Statement, parse_statement
from contracts.tree import EMPTY_ROOT, Tree, check_consistency
from directory.asking import BATCH, Answer, WitnessAway
from directory.checkpoints import Checkpoints, Gate
from directory.logkey import Mark
from directory.publication import check_listing
from directory.statements import Appended, LogClosed, StatementLog
from directory.witnessing import Witnessing
from tests.unit.directory.support import NOW
from tests.vouching import COORDINATORS, LOG_KEY, listed

WITNESSED = "demo.witnessed"
COUNTRIES = ("my", "bd", "id", "th", "vn")


class Killed(BaseException):
    """The process ended here; not an Exception, so that nothing catches it."""


@dataclass
class Fuse:
    """Ends the process at a step counted from now; without a count, never."""

    left: int | None = None

    def step(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Killed


class FragileMark(Mark):
    """A mark whose writing is two steps."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path)
        self._fuse = fuse

    def raise_to(self, size: int, root: bytes) -> None:
        self._fuse.step()
        super().raise_to(size, root)
        self._fuse.step()


@dataclass
class FakeWitness:
    """A witness that verifies everything, with the interface the directory asks."""

    country: str
    log: VerifierKey
    fetch: Callable[[int, int], list[bytes]]
    clock: Callable[[], int]
    fuse: Fuse
    away: bool = False
    busy: bool = False
    liar: Callable[[bytes], Answer | None] | None = None
    false_leaves: bool = False
    size: int = 0
    tree: Tree = field(default_factory=Tree)
    leaves_held: list[bytes] = field(default_factory=list)
    note: bytes | None = None
    seen: dict[int, bytes] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)
    asked: int = 0
    tried: int = 0

    @property
    def key(self) -> SigningKey:
        return SigningKey.from_seed(h256(f"witness {self.country}".encode()))

    @property
    def name(self) -> str:
        return f"witness.{self.country}.example"

    @property
    def public(self) -> Witness:
        vkey = VerifierKey(self.name, WITNESS_KEY, self.key.public)
        return Witness(self.country, f"https://{self.name}", vkey)

    def add_checkpoint(self, request: bytes) -> Answer:
        self._begin()
        lie = self.liar(request) if self.liar is not None else None
        if lie is not None:
            return lie
        asked = parse_add_checkpoint(request)
        try:
            checkpoint = verify_log(asked.note, self.log)
        except (BadSignature, Refused):
            return Answer(403, b"")
        self._remember(checkpoint)
        if self.busy:
            return Answer(503, b"")
        if asked.old != self.size:
            return Answer(409, f"{self.size}\n".encode())
        try:
            check_consistency(
                asked.old, checkpoint.size, self.tree.root(), checkpoint.root, asked.proof
            )
        except Refused:
            self.alarms.append("bad proof")
            return Answer(422, b"")
        answer = self._sign(asked.note, checkpoint)
        self.fuse.step()
        return answer

    def checkpoint(self, origin: str) -> bytes | None:
        self._begin()
        assert origin == self.log.name
        return self.note

    def leaves(self, origin: str, start: int, end: int) -> tuple[bytes, ...]:
        self._begin()
        assert origin == self.log.name
        found = self.leaves_held[start : min(end, start + BATCH)]
        return tuple(data[:-1] + b"\xff" for data in found) if self.false_leaves else tuple(found)

    def close(self) -> None:
        """Nothing is open."""

    def over(self, text: bytes) -> NoteSignature:
        """Its signature over any text at all."""
        return cosign(text, name=self.name, key=self.key, at=self.clock())

    def _begin(self) -> None:
        self.tried += 1
        self.fuse.step()
        if self.away:
            raise WitnessAway
        self.asked += 1

    def _remember(self, checkpoint: Checkpoint) -> None:
        known = self.seen.setdefault(checkpoint.size, checkpoint.root)
        if known != checkpoint.root:
            self.alarms.append(f"two roots of size {checkpoint.size}")

    def _sign(self, note: Note, checkpoint: Checkpoint) -> Answer:
        tree, new = self.tree.copy(), self.fetch(self.size, checkpoint.size)
        for data in new:
            tree.append(leaf_hash(data))
        if tree.root() != checkpoint.root:
            self.alarms.append("other leaves than signed")
            return Answer(422, b"")
        self.tree, self.size = tree, checkpoint.size
        self.leaves_held += new
        own = self.over(note.text)
        self.note = render_note(Note(note.text, (*note.signatures, own)))
        return Answer(200, render_signatures([own]))


class RecordingKey(SigningKey):
    """The log's key, which remembers every checkpoint it signed."""

    __slots__ = ("signed",)

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        self.signed: list[Checkpoint] = []

    def sign_bytes(self, signed: bytes) -> bytes:
        self.signed.append(parse_checkpoint(signed))
        return super().sign_bytes(signed)


@dataclass(frozen=True)
class Process:
    """What one process of the directory holds."""

    engine: Engine
    gate: Gate
    log: StatementLog
    checkpoints: Checkpoints
    witnessing: Witnessing

    def open(self) -> bool:
        with suppress(LogClosed):
            self.witnessing.open()
        return self.gate.is_open


class World:
    """The folder of a log, its witnesses, and the process that runs now."""

    def __init__(
        self, folder: Path, *, witnesses: int = 3, k: int = 2, net: str = WITNESSED
    ) -> None:
        self.folder, self.now, self.fuse = folder, NOW, Fuse()
        self.key = RecordingKey(LOG_KEY.seed)
        self.log_vkey = VerifierKey(net, LOG_KIND, LOG_KEY.public)
        self.witnesses = [
            FakeWitness(country, self.log_vkey, self._fetch, lambda: self.now, self.fuse)
            for country in COUNTRIES[:witnesses]
        ]
        self.root = self.root_file(k=k, net=net)
        self._write_database()
        self.mark_file = folder / "log.key.signed"
        Mark(self.mark_file).raise_to(0, EMPTY_ROOT)
        self._appended = 0
        self._process: Process | None = None

    def root_file(
        self, *, k: int, net: str = WITNESSED, witnesses: list[FakeWitness] | None = None
    ) -> RootFile:
        chosen = self.witnesses if witnesses is None else witnesses
        coordinators: tuple[Coordinator, ...] = listed()
        return parse_root(
            make_root(
                net=net,
                log=LOG_KEY.public,
                hubs=[],
                coordinators=coordinators,
                witnesses=[one.public for one in chosen],
                k=k,
            )
        )

    @property
    def process(self) -> Process:
        if self._process is None:
            self._process = self._started()
        return self._process

    def start(self) -> World:
        """A new process, that has asked the witnesses if they answer."""
        self.process.open()
        return self

    def kill(self) -> None:
        """The process ends; the next use starts another."""
        self.fuse.left = None
        if self._process is not None:
            self._process.engine.dispose()
        self._process = None

    def round(self) -> bool:
        """One round as the thread does it: open if need be, then ask. False while shut."""
        try:
            if not self.process.gate.is_open:
                self.process.witnessing.open()
            self.process.witnessing.round(now=self.now)
        except LogClosed:
            return False
        return True

    def statement(self) -> Statement:
        """The next of a coordinator's, which every register accepts."""
        self._appended += 1
        author, org = COORDINATORS[0], OrgId(f"my-{self._appended:016x}")
        heading = self.process.log.register().next_heading(author.id, iat=self.now, org=org)
        return vouch_statement(heading, author.key, of=f"{self._appended:064x}")

    def append(self) -> tuple[Statement, Appended]:
        """Take one more statement. Raises `LogClosed`."""
        statement = self.statement()
        return statement, self.process.log.append(statement)

    def new_root(self, *, k: int, witnesses: list[FakeWitness]) -> Statement:
        """The next version of the root file, signed by most coordinators."""
        root = self.process.log.register().root
        carried = make_root(
            net=root.net,
            log=LOG_KEY.public,
            hubs=[],
            coordinators=listed(),
            witnesses=[one.public for one in witnesses],
            k=k,
            version=root.version + 1,
        )
        author = COORDINATORS[0]
        heading = self.process.log.register().next_heading(author.id, iat=self.now)
        signers = [one.key for one in COORDINATORS[: root.majority]]
        return root_statement(heading, *signers, file=parse_statement(carried).body)

    def backup(self, name: str) -> Path:
        """A copy of the database as it is now."""
        target = self.folder / name
        with (
            closing(sqlite3.connect(self.folder / "directory.db")) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
        return target

    def restore(self, backup: Path) -> None:
        """End the process and put an old copy of the database back."""
        self.kill()
        for file in self.folder.glob("directory.db*"):
            file.unlink()
        (self.folder / "directory.db").write_bytes(backup.read_bytes())

    def held(self) -> set[str]:
        """The hashes of the statements that any witness holds."""
        return {
            decode_leaf(data).statement.hash
            for witness in self.witnesses
            for data in witness.leaves_held
        }

    def in_log(self) -> set[str]:
        """The hashes of the statements in the database."""
        with closing(sqlite3.connect(self.folder / "directory.db")) as database:
            return {row[0] for row in database.execute("SELECT hash FROM statement_leaf")}

    def published(self) -> Note | None:
        """What is shown, or None while nothing is."""
        try:
            note = self.process.checkpoints.published()
        except LogClosed:
            return None
        return None if note is None else parse_note(note)

    def alarms(self) -> list[str]:
        return [alarm for witness in self.witnesses for alarm in witness.alarms]

    def _started(self) -> Process:
        engine = open_engine(f"sqlite:///{self.folder / 'directory.db'}")
        # Here processes die and not machines: what the system was given, it keeps.
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        event.listen(engine, "commit", lambda _: self.fuse.step())
        gate = Gate(FragileMark(self.mark_file, self.fuse))
        log = StatementLog(
            engine, root=self.root, guard=gate, check=check_listing, clock=lambda: self.now
        )
        checkpoints = Checkpoints(engine, log=log, key=self.key, gate=gate)
        lines = {witness.public.key: witness for witness in self.witnesses}
        witnessing = Witnessing(log, checkpoints, gate, connect=lambda one: lines[one.key])
        return Process(engine, gate, log, checkpoints, witnessing)

    def _write_database(self) -> None:
        (self.folder / "directory.db").write_bytes(_empty_database())

    def _fetch(self, start: int, end: int) -> list[bytes]:
        return self.process.log.leaves(start, end)


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/directory.db")
        migrate(engine, "directory")
        engine.dispose()
        return (Path(folder) / "directory.db").read_bytes()
