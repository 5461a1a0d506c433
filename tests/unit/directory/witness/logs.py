"""Logs that may lie, and a witness that is asked about them: no socket, a clock of the test's.

log = Log("demo.a.example", clock)
log.write(3)
witness = world.witness()
witness.ask(log.request(old=0))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import httpx
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from contracts.checkpoints import (
    Checkpoint,
    add_checkpoint_request,
    checkpoint_text,
    cosignatures,
    sign_checkpoint,
)
from contracts.encoding import dump_json
from contracts.log import Leaf, encode_leaf, join_leaves, leaf_hash
from contracts.notes import Note, NoteSignature, parse_signatures, signed_note
from contracts.root import VerifierKey
from contracts.signing import SigningKey
from contracts.statements import Statement
from contracts.tree import Tree
from directory.witness.app import create_app
from directory.witness.settings import WitnessSettings
from directory.witness.store import Store
from directory.witness.views import NAME, Runtime
from tests.unit.contracts.authors import NOW, signing_key
from tests.vouching import demo_root

WITNESS = "witness.example.my"


class Clock:
    """Time that only passes when a test says so, Unix seconds."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@dataclass
class Log:
    """A directory's log: `leaves` is what its directory gives, which may not be what it signs."""

    net: str
    clock: Clock
    key: SigningKey = field(default_factory=lambda: signing_key("log"))
    leaves: list[bytes] = field(default_factory=list)
    tree: Tree = field(default_factory=Tree)

    def write(self, count: int = 1, *, t: int | None = None, says: str = "") -> None:
        """Further leaves. Their statements break every rule, which is no witness's business."""
        for number in range(len(self.leaves), len(self.leaves) + count):
            body = dump_json({"says": says or f"statement {number}"})
            time = self.clock() if t is None else t
            self.put(encode_leaf(Leaf(Statement(body, ()), time)))

    def put(self, data: bytes) -> None:
        self.leaves.append(data)
        self.tree.append(leaf_hash(data))

    def fork(self, size: int) -> Log:
        """Another log with the same key and the same first `size` leaves."""
        other = Log(self.net, self.clock, self.key)
        for data in self.leaves[:size]:
            other.put(data)
        return other

    @property
    def size(self) -> int:
        return self.tree.size

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = self.size if size is None else size
        return Checkpoint(self.net, size, self.tree.root(size))

    def note(self, size: int | None = None, *, key: SigningKey | None = None) -> Note:
        checkpoint = self.checkpoint(size)
        signature = sign_checkpoint(checkpoint, key or self.key)
        return signed_note(checkpoint_text(checkpoint), signature)

    def request(
        self,
        old: int,
        size: int | None = None,
        *,
        proof: Sequence[bytes] | None = None,
        note: Note | None = None,
    ) -> bytes:
        size = self.size if size is None else size
        if proof is None:
            proof = self.tree.consistency(old, size) if old <= size else ()
        return add_checkpoint_request(old, proof, note or self.note(size))

    def root_file(self) -> bytes:
        return demo_root(net=self.net, log=self.key.public)


class Directories:
    """Every log's directory behind one transport, each under its own host."""

    def __init__(self, clock: Clock) -> None:
        self.serves: dict[str, Log] = {}
        self.clock = clock
        self.away = False
        self.at_most = 1000
        self.asked = 0

    def url(self, log: Log) -> str:
        """Where a log is served; `serve` may put another in its place."""
        self.serves.setdefault(_host(log), log)
        return f"https://{_host(log)}"

    def serve(self, log: Log) -> None:
        """What the log's directory gives from now on."""
        self.serves[_host(log)] = log

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.away:
            raise httpx.ConnectError("away")
        log = self.serves[request.url.host]
        start, end = (int(request.url.params[name]) for name in ("from", "to"))
        body = join_leaves(log.leaves[start : min(end, start + self.at_most)])
        headers = {
            "Content-Type": "application/octet-stream",
            "Date": formatdate(self.clock(), usegmt=True),
        }
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(body))


@dataclass(frozen=True, slots=True)
class Asked:
    """A witness process as an asker sees it."""

    client: FlaskClient
    engine: Engine
    runtime: Runtime

    def ask(self, body: bytes) -> TestResponse:
        return self.client.post("/add-checkpoint", data=body)

    def sign(self, log: Log, size: int | None = None) -> int:
        """Ask properly, expect a good cosignature, and return its time."""
        kept = self.store.kept(log.net).size
        return self.time_in(self.ask(log.request(kept, size)), log.note(size))

    def time_in(self, answer: TestResponse, note: Note) -> int:
        """The time of our cosignature in an answer, verified as a client does."""
        assert answer.status_code == 200, answer.text
        (line,) = parse_signatures(answer.data)
        (found,) = cosignatures(signed_note(note.text, line), [self.vkey])
        return found.at

    @property
    def vkey(self) -> VerifierKey:
        return self.runtime.witness.vkey

    @property
    def store(self) -> Store:
        return self.runtime.store


class World:
    """Logs, their directories, and the folder of one witness, which may be started many times."""

    def __init__(self, folder: Path, *nets: str) -> None:
        self.folder = folder
        self.directory_clock = Clock()
        self.clock = Clock()
        self.directories = Directories(self.directory_clock)
        self.logs = [
            Log(net, self.directory_clock, signing_key(f"log of {net}"))
            for net in nets or ("demo.a.example",)
        ]
        self.log = self.logs[0]
        self._engines: list[Engine] = []
        self._write_settings()

    @property
    def database(self) -> Path:
        return self.folder / "witness.db"

    def pass_time(self, seconds: int) -> None:
        """For everybody alike."""
        self.clock.now += seconds
        self.directory_clock.now += seconds

    def settings(self) -> WitnessSettings:
        return WitnessSettings(
            database_url=f"sqlite:///{self.database}",
            key_file=self.folder / "witness.key",
            name=WITNESS,
            logs_file=self.folder / "logs.json",
        )

    def witness(self) -> Asked:
        """A newly started process of the witness."""
        app = create_app(self.settings(), clock=self.clock, transport=self.directories.transport)
        runtime: Runtime = app.extensions[NAME]
        engine = runtime.store.engine
        self._engines.append(engine)
        return Asked(app.test_client(), engine, runtime)

    def close(self) -> None:
        for engine in self._engines:
            engine.dispose()

    def _write_settings(self) -> None:
        listed = []
        for log in self.logs:
            file = f"{log.net.replace('/', '-')}.root.json"
            (self.folder / file).write_bytes(log.root_file())
            listed.append({"root_file": file, "directory_url": self.directories.url(log)})
        (self.folder / "logs.json").write_bytes(dump_json({"logs": listed}))


def _host(log: Log) -> str:
    return f"{log.net.replace('.', '-').replace('/', '-')}.example"


def code_of(answer: TestResponse) -> str:
    """The code of a problem answer."""
    assert answer.content_type == "application/problem+json", answer.text
    return str(answer.get_json()["code"])


def with_lines(note: Note, *lines: NoteSignature) -> Note:
    """The note with further signature lines."""
    return Note(note.text, note.signatures + lines)
