"""All SQL of the witness. What `turn` wrote is on the disk before its block is left.

    with store.turn(net) as turn:          # others who ask for this log wait here
        turn.kept                          # as it is now, whatever was read before
        turn.sign(kept, leaves)            # or turn.stop(...)

SQLite commits to its write-ahead log with synchronous=FULL, which is flushed at every commit; in
PostgreSQL each turn asks for synchronous_commit, and a server that does not flush is refused. An
exception in the block takes everything back, so a signature is handed out only after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, func, insert, select, text, update

from broker.service.database import begin_immediate, migrate
from broker.service.failures import Failure
from directory.witness.rules import Kept
from directory.witness.tables import LEAF, LOG, STOP

# One answer stays under about 2 MB, as the directory's own does.
MAX_LEAVES: Final = 1000
_FULL: Final = 2  # SQLite's PRAGMA synchronous: 2 is FULL, 3 is EXTRA


@dataclass(frozen=True, slots=True)
class Stop:
    """Why nothing more of a log is signed: the note signed last, and the one that contradicts."""

    net: str
    code: str
    at: int
    kept_note: bytes | None
    other_note: bytes


@dataclass(frozen=True, slots=True)
class Turn:
    """A log whose row is locked; `kept` is what is remembered of it."""

    net: str
    kept: Kept
    _connection: Connection

    def sign(self, kept: Kept, leaves: Sequence[bytes]) -> None:
        """Remember the tree that will be signed, and the leaves by which it grew."""
        rows = [
            {"net": self.net, "number": number, "data": data}
            for number, data in enumerate(leaves, start=self.kept.size)
        ]
        if rows:
            self._connection.execute(insert(LEAF), rows)
        values = {
            "size": kept.size,
            "root": kept.root,
            "cosigned_at": kept.cosigned_at,
            "note": kept.note,
        }
        self._connection.execute(update(LOG).where(LOG.c.net == self.net).values(values))

    def stop(self, code: str, *, note: bytes, at: int) -> None:
        """Sign nothing more of this log until a person has looked; keep both notes."""
        row = {"net": self.net, "code": code, "at": at, "other_note": note}
        self._connection.execute(insert(STOP).values(row | {"kept_note": self.kept.note}))


class Store:
    """The witness's rows. Safe to share between threads, and between processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def open(self, nets: Iterable[str]) -> None:
        """Make the tables and a row for each log, if need be.

        Raises `Failure` where the database does not keep what it has confirmed.
        """
        migrate(self.engine, "directory.witness")
        with begin_immediate(self.engine) as connection:
            _refuse_forgetful(connection)
            known = set(connection.scalars(select(LOG.c.net)))
            new = [{"net": net, "size": 0, "root": Kept().root} for net in nets if net not in known]
            if new:
                connection.execute(insert(LOG), new)

    def kept(self, net: str) -> Kept:
        """What is remembered of a log now; it may change before anything is done with it."""
        with self.engine.connect() as connection:
            return _kept(connection, net, lock=False)

    def leaves(self, net: str, start: int, end: int | None = None) -> list[bytes]:
        """The data of the leaves signed, from `start` to before `end`; without `end`, all."""
        wanted = select(LEAF.c.data).where(LEAF.c.net == net, LEAF.c.number >= start)
        if end is not None:
            wanted = wanted.where(LEAF.c.number < end)
        with self.engine.connect() as connection:
            return list(connection.scalars(wanted.order_by(LEAF.c.number)))

    @contextmanager
    def turn(self, net: str) -> Iterator[Turn]:
        """One decision about a log at a time, over all threads and processes."""
        with begin_immediate(self.engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL synchronous_commit = on"))
            yield Turn(net, _kept(connection, net, lock=True), connection)

    def stops(self) -> tuple[Stop, ...]:
        """The stops that stand, oldest first."""
        wanted = select(STOP).where(STOP.c.resolved_at.is_(None)).order_by(STOP.c.id)
        with self.engine.connect() as connection:
            return tuple(
                Stop(row.net, row.code, row.at, row.kept_note, row.other_note)
                for row in connection.execute(wanted)
            )

    def resolve(self, net: str, *, at: int) -> int:
        """Take the stops of a log away; how many there were. What was signed stays as it is."""
        stands = (STOP.c.net == net) & STOP.c.resolved_at.is_(None)
        with begin_immediate(self.engine) as connection:
            return connection.execute(update(STOP).where(stands).values(resolved_at=at)).rowcount


def _kept(connection: Connection, net: str, *, lock: bool) -> Kept:
    wanted = select(LOG).where(LOG.c.net == net)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one()
    stands = (STOP.c.net == net) & STOP.c.resolved_at.is_(None)
    stopped = connection.scalar(select(func.count()).select_from(STOP).where(stands))
    return Kept(row.size, row.root, row.cosigned_at, row.note, bool(stopped))


def _refuse_forgetful(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        flushed = connection.scalar(text("SHOW fsync")) == "on"
    else:
        flushed = (connection.scalar(text("PRAGMA synchronous")) or 0) >= _FULL
    if not flushed:
        raise Failure(
            "The database does not flush what it has confirmed to the disk (fsync is off), so a"
            " witness could forget what it signed. Nothing was started. The operator turns it on."
        )
