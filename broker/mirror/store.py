"""All SQL of the mirror. Rows in and out; it decides only who of two processes was first.

Several processes may keep one mirror (the workers of a web server). Whoever writes locks the one
row of state first, so they take turns; who finds that another has gone further since it read
writes nothing, reads again and judges again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from broker.mirror.fold import Pin, RefusedLeaf
from broker.mirror.forks import Fork, parse_fork
from broker.mirror.stops import HardStop, Stop
from broker.mirror.tables import FORK, LEAF, PIN, STATE, STATE_ID
from broker.service.database import begin_immediate, migrate
from contracts.identifiers import OrgId
from contracts.root import RULES, RootFile

# Leaves read or written at once: about 2 MB of them.
_ROWS: Final = 2000


class Overtaken(Exception):
    """Another process has stored a later checkpoint since this one read."""


@dataclass(frozen=True, slots=True)
class State:
    """The row of state."""

    note: bytes
    size: int
    time: int
    time_seen_at: int | None
    synced_at: int | None
    root_version: int
    stop: Stop | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A checkpoint's note and `size`, the leaves from number `first` up to it, what they led to.

    `time` is the witnesses' (None without witnesses) and `now` this computer's clock; `answered`:
    whether it came from the directory.
    """

    note: bytes
    size: int
    time: int | None
    now: int
    answered: bool
    first: int
    root_version: int
    leaves: Sequence[bytes] = ()
    refused: Sequence[RefusedLeaf] = ()
    pins: Sequence[Pin] = ()
    alarm: Stop | None = None


class Store:
    """The mirror's rows in the owner's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, root: RootFile) -> None:
        """Make the tables if need be. Raises `HardStop("other_net")` where they hold another."""
        migrate(self._engine, "broker.mirror")
        with begin_immediate(self._engine) as connection:
            row = connection.execute(select(STATE).with_for_update()).one()
            if row.net not in (None, root.net):
                raise HardStop(Stop("other_net"))
            newer = row.stop_code == "unknown_rules" and row.rules != RULES
            told = {"stop_code": None, "stop_org": None} if newer else {}
            version = max(row.root_version or 0, root.version)
            values = {"net": root.net, "rules": RULES, "root_version": version}
            connection.execute(update(STATE).values(**values, **told))

    def state(self) -> State:
        """The row of state."""
        with self._engine.connect() as connection:
            return _read_state(connection, lock=False)

    def leaves(self, start: int, end: int) -> Iterator[tuple[bytes, ...]]:
        """The data of the stored leaves from number `start` to before `end`, in batches."""
        for first in range(start, end, _ROWS):
            numbers = LEAF.c.number.between(first, min(first + _ROWS, end) - 1)
            wanted = select(LEAF.c.data).where(numbers).order_by(LEAF.c.number)
            with self._engine.connect() as connection:
                batch = tuple(connection.execute(wanted).scalars())
            yield batch

    def pins(self) -> dict[OrgId, Pin]:
        """Every pin, by organisation."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(PIN))
            return {
                OrgId(row.org): Pin(OrgId(row.org), row.root, row.seq, row.head) for row in rows
            }

    def fork(self) -> Fork | None:
        """The evidence that was kept last, or none."""
        wanted = select(FORK.c.evidence).order_by(FORK.c.seen_at.desc(), FORK.c.size).limit(1)
        with self._engine.connect() as connection:
            evidence = connection.execute(wanted).scalar_one_or_none()
        return None if evidence is None else parse_fork(evidence)

    def take(self, base: bytes, taken: Taken) -> State:
        """Keep a checkpoint with all that belongs to it, all or nothing; the state after it.

        `base` is the note it was judged against. Raises `Overtaken`, or `HardStop` where another
        process has met one.
        """
        with begin_immediate(self._engine) as connection:
            state = _read_state(connection, lock=True)
            if state.stop is not None:
                raise HardStop(state.stop)
            if state.note != base:
                raise Overtaken
            _insert(connection, taken)
            _pin(connection, taken.pins)
            connection.execute(update(STATE).values(**_changed(state, taken)))
            if taken.alarm is not None:
                _stop(connection, taken.alarm)
            return _read_state(connection, lock=False)

    def stop(self, stop: Stop, fork: Fork | None = None) -> Stop:
        """Keep a hard stop and its evidence; the first stop stays until it is resolved."""
        with begin_immediate(self._engine) as connection:
            first = _read_state(connection, lock=True).stop
            if first is None:
                _stop(connection, stop)
            if fork is not None:
                _keep_evidence(connection, fork)
        return first or stop

    def resolve(self) -> None:
        """Take the hard stop away. Evidence stays."""
        with begin_immediate(self._engine) as connection:
            connection.execute(update(STATE).values(stop_code=None, stop_org=None))


def _read_state(connection: Connection, *, lock: bool) -> State:
    wanted = select(STATE).where(STATE.c.id == STATE_ID)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one()
    org = None if row.stop_org is None else OrgId(row.stop_org)
    return State(
        note=row.note or b"",
        size=row.size or 0,
        time=row.time,
        time_seen_at=row.time_seen_at,
        synced_at=row.synced_at,
        root_version=row.root_version or 0,
        stop=None if row.stop_code is None else Stop(row.stop_code, org),
    )


def _changed(state: State, taken: Taken) -> Mapping[str, Any]:
    """The row's new values; nothing that must not fall is lowered.

    `time_seen_at` only falls, while `time` stays as it is: a clock that was ahead when it was
    seen, and has been put right since, would otherwise make it look unseen for as long.
    """
    newer = taken.time is not None and taken.time > state.time
    seen = taken.now if state.time_seen_at is None else min(state.time_seen_at, taken.now)
    values: dict[str, Any] = {
        "note": taken.note,
        "size": taken.size,
        "root_version": max(state.root_version, taken.root_version),
        "time": taken.time if newer else state.time,
        "time_seen_at": taken.now if newer else seen,
    }
    return values | ({"synced_at": taken.now} if taken.answered else {})


def _insert(connection: Connection, taken: Taken) -> None:
    """The leaves, in the place of any that stood there: those of a copy that was damaged."""
    if not taken.leaves:
        return
    connection.execute(delete(LEAF).where(LEAF.c.number >= taken.first))
    broken = {leaf.number: leaf.code for leaf in taken.refused}
    for start in range(0, len(taken.leaves), _ROWS):
        rows = enumerate(taken.leaves[start : start + _ROWS], start=taken.first + start)
        connection.execute(
            insert(LEAF),
            [{"number": n, "data": data, "refused": broken.get(n)} for n, data in rows],
        )


def _pin(connection: Connection, pins: Iterable[Pin]) -> None:
    rows = [{"org": pin.org, "root": pin.root, "seq": pin.seq, "head": pin.head} for pin in pins]
    if rows:
        moved = [{"moved": row["org"]} for row in rows]
        connection.execute(delete(PIN).where(PIN.c.org == bindparam("moved")), moved)
        connection.execute(insert(PIN), rows)


def _keep_evidence(connection: Connection, fork: Fork) -> None:
    same = (FORK.c.size == fork.size) & (FORK.c.root == fork.theirs.root)
    if connection.execute(select(FORK.c.size).where(same)).first() is None:
        row = {"size": fork.size, "root": fork.theirs.root, "seen_at": fork.seen_at}
        connection.execute(insert(FORK).values(**row, evidence=fork.render()))


def _stop(connection: Connection, stop: Stop) -> None:
    connection.execute(update(STATE).values(stop_code=stop.code, stop_org=stop.org))
