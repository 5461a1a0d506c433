"""All SQL of the mirror. Rows in and out; it decides only who of two processes was first.

Several processes may keep one mirror (the workers of a web server). Whoever writes locks the one
row of state first, so they take turns, and leaves that another has already stored are compared,
not stored again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from broker.mirror.fold import KeptLeaf, Pin
from broker.mirror.stops import HardStop, Stop
from broker.mirror.tables import LEAF, PIN, STATE, STATE_ID
from broker.service.database import begin_immediate, migrate
from contracts.identifiers import OrgId


@dataclass(frozen=True, slots=True)
class State:
    """The row of state: time of the last complete synchronisation, and what stopped it, if so."""

    synced_at: int | None
    stop: Stop | None


class Store:
    """The mirror's rows in the owner's database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, net: str) -> None:
        """Make the tables if need be. Raises `HardStop("other_net")` where they hold another."""
        migrate(self._engine, "broker.mirror")
        with begin_immediate(self._engine) as connection:
            known = connection.execute(select(STATE.c.net).with_for_update()).scalar_one()
            if known is None:
                connection.execute(update(STATE).values(net=net))
        if known not in (None, net):
            raise HardStop(Stop("other_net"))

    def state(self) -> State:
        """The row of state."""
        with self._engine.connect() as connection:
            return _state(connection)

    def leaves(self, start: int) -> tuple[bytes, ...]:
        """The data of the stored leaves from number `start` on, without a gap."""
        wanted = select(LEAF.c.data).where(LEAF.c.number >= start).order_by(LEAF.c.number)
        with self._engine.connect() as connection:
            return tuple(connection.execute(wanted).scalars())

    def pins(self) -> dict[OrgId, Pin]:
        """Every pin, by organisation."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(PIN))
            return {
                OrgId(row.org): Pin(OrgId(row.org), row.root, row.seq, row.head) for row in rows
            }

    def append(self, leaves: Sequence[KeptLeaf], pins: Iterable[Pin], stop: Stop | None) -> None:
        """Keep leaves, pins and a stop, all or nothing.

        Raises `HardStop` where another process has stored other leaves under these numbers, or
        has met a hard stop of its own.
        """
        with begin_immediate(self._engine) as connection:
            state = _locked(connection)
            if state.stop is not None:
                raise HardStop(state.stop)
            size = _size(connection)
            stop = stop if _agree(connection, leaves) else Stop("forked")
            if stop is None or stop.code != "forked":
                _insert(connection, [leaf for leaf in leaves if leaf.number >= size])
                _pin(connection, pins)
            if stop is not None:
                _stop(connection, stop)
        if stop is not None:
            raise HardStop(stop)

    def stop(self, stop: Stop) -> None:
        """Keep a hard stop; the first one stays until it is resolved."""
        with begin_immediate(self._engine) as connection:
            if _locked(connection).stop is None:
                _stop(connection, stop)

    def resolve(self) -> None:
        """Take the hard stop away."""
        with begin_immediate(self._engine) as connection:
            connection.execute(update(STATE).values(stop_code=None, stop_org=None))

    def synced(self, at: int) -> None:
        """Keep when the last complete synchronisation began."""
        with begin_immediate(self._engine) as connection:
            connection.execute(update(STATE).values(synced_at=at))


def _state(connection: Connection) -> State:
    return _read_state(connection, lock=False)


def _locked(connection: Connection) -> State:
    return _read_state(connection, lock=True)


def _read_state(connection: Connection, *, lock: bool) -> State:
    wanted = select(STATE).where(STATE.c.id == STATE_ID)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one()
    org = None if row.stop_org is None else OrgId(row.stop_org)
    return State(row.synced_at, None if row.stop_code is None else Stop(row.stop_code, org))


def _size(connection: Connection) -> int:
    newest = connection.execute(select(func.max(LEAF.c.number))).scalar_one()
    return 0 if newest is None else int(newest) + 1


def _agree(connection: Connection, leaves: Sequence[KeptLeaf]) -> bool:
    """Whether what is already stored under these numbers is the same, byte by byte."""
    if not leaves:
        return True
    numbers = LEAF.c.number.between(leaves[0].number, leaves[-1].number)
    stored = {row.number: row.data for row in connection.execute(select(LEAF).where(numbers))}
    return all(stored.get(leaf.number, leaf.data) == leaf.data for leaf in leaves)


def _insert(connection: Connection, leaves: Sequence[KeptLeaf]) -> None:
    rows = [{"number": leaf.number, "data": leaf.data, "refused": leaf.refused} for leaf in leaves]
    if rows:
        connection.execute(insert(LEAF), rows)


def _pin(connection: Connection, pins: Iterable[Pin]) -> None:
    """Raise pins; one that another process has raised further stays."""
    known = {row.org: row.seq for row in connection.execute(select(PIN.c.org, PIN.c.seq))}
    rows = [
        {"org": pin.org, "root": pin.root, "seq": pin.seq, "head": pin.head}
        for pin in pins
        if known.get(pin.org, 0) < pin.seq
    ]
    if rows:
        lower = [{"raised": row["org"]} for row in rows if row["org"] in known]
        if lower:
            connection.execute(delete(PIN).where(PIN.c.org == bindparam("raised")), lower)
        connection.execute(insert(PIN), rows)


def _stop(connection: Connection, stop: Stop) -> None:
    connection.execute(update(STATE).values(stop_code=stop.code, stop_org=stop.org))
