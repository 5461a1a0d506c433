"""Entries' bytes, exactly as they were signed, under their hash.

Anybody may bring bytes: it is a statement in the log that makes an entry of them. So they must be
an entry that could be shown, they are given out only once a statement names them, and what nobody
names is forgotten: after a day, or sooner where many wait. What was replaced is forgotten at once,
because a place that was open may have become confidential.

    name = keep_bytes(engine, data, demonstration=True, now=now)      # EntryRefused, Malformed
    listed_bytes(engine, name)
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, insert, select, update

from broker.service.database import begin_immediate
from contracts.entries import entry_hash, parse_entry
from contracts.times import DAY
from directory.entries import listings_of
from directory.models import EntryBytes

# What strangers can make this database hold for a day: 256 times the largest entry, 64 MiB. The
# oldest go first, so that whoever floods it delays nobody who posts bytes and statement at once.
MAX_WAITING: Final = 256
WAIT: Final = DAY


def keep_bytes(engine: Engine, data: bytes, *, demonstration: bool, now: int) -> str:
    """Keep an entry that keeps the rules; its hash. Raises what is wrong with it."""
    listings_of(parse_entry(data), demonstration=demonstration)
    name = entry_hash(data)
    with begin_immediate(engine) as connection:
        again = update(EntryBytes).where(EntryBytes.hash == name).values(kept_at=now)
        if not connection.execute(again).rowcount:
            _make_room(connection, now=now)
            row = {"hash": name, "data": data, "kept_at": now, "listed": False}
            connection.execute(insert(EntryBytes), row)
    return name


def listed_bytes(engine: Engine, name: str) -> bytes | None:
    """The bytes of this hash if a statement in the log names them."""
    query = select(EntryBytes.data).where(EntryBytes.hash == name, EntryBytes.listed)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one_or_none()


def bytes_of_entry(connection: Connection, name: str) -> bytes | None:
    """The bytes of this hash, whether listed or not."""
    query = select(EntryBytes.data).where(EntryBytes.hash == name)
    return connection.execute(query).scalar_one_or_none()


def mark_listed(connection: Connection, name: str) -> None:
    """A statement names these bytes: they stay until another replaces them."""
    connection.execute(update(EntryBytes).where(EntryBytes.hash == name).values(listed=True))


def forget_bytes(connection: Connection, listed: Set[str], *, now: int) -> None:
    """Forget what the log lists no more, and what has waited too long; mark what it lists."""
    names = connection.execute(select(EntryBytes.hash, EntryBytes.listed)).all()
    for name, was_listed in names:
        if name in listed and not was_listed:
            mark_listed(connection, name)
        elif was_listed and name not in listed:
            connection.execute(delete(EntryBytes).where(EntryBytes.hash == name))
    _forget_waiting(connection, now=now)


def _make_room(connection: Connection, *, now: int) -> None:
    _forget_waiting(connection, now=now)
    waiting = select(EntryBytes.hash).where(EntryBytes.listed.is_(False))
    count = connection.execute(select(func.count()).select_from(waiting.subquery())).scalar_one()
    oldest = waiting.order_by(EntryBytes.kept_at, EntryBytes.hash)
    for name in connection.scalars(oldest.limit(max(0, count - MAX_WAITING + 1))).all():
        connection.execute(delete(EntryBytes).where(EntryBytes.hash == name))


def _forget_waiting(connection: Connection, *, now: int) -> None:
    old = EntryBytes.kept_at < now - WAIT
    connection.execute(delete(EntryBytes).where(EntryBytes.listed.is_(False), old))
