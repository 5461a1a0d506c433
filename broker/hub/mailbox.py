"""The mailbox of one device: lease, acknowledge, give back.

Nothing is handed over for good until the device says so. What it fetches is leased to it for a
while; what it does not acknowledge comes again, counted. (A queue that marks a message taken
when it is fetched loses it with the device's next crash.) A box knows one device of one
organisation, and no other device's lease means anything to it. Bytes go when the last copy is
acknowledged. Times are Unix seconds; database errors are SQLAlchemy's, and nothing is done then.

    for leased in mailbox.lease(box, most=20, now=now): ...
    mailbox.settle(box, acknowledge=[leased.lease], give_back=[])
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, or_, select, update

from broker.hub import models
from broker.hub.models import CopyState
from broker.hub.store import Box, drop_unwanted_bodies
from broker.service.database import begin_immediate
from contracts.identifiers import Eid

LEASE_SECONDS: Final = 120  # a desk opens and stores a hundred referrals in a few seconds
MAX_ATTEMPTS: Final = 20  # the queue's own delivery limit
MAX_ITEMS: Final = 100
# One answer's sealed bytes. Hotline staff read mail over phones; a slow line must get through
# one answer within a lease, or it would fetch the same again for ever.
ANSWER_BYTES: Final = 4 * 1024 * 1024

_TOKEN_DIGITS: Final = 32
_ROW_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Leased:
    """One envelope handed out. `lease` is what acknowledges it; `attempt` counts from 1."""

    lease: str = field(repr=False)
    eid: Eid
    attempt: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many of the leases meant something."""

    acknowledged: int
    given_back: int


class Mailbox:
    """Everybody's boxes; each call concerns one."""

    def __init__(self, engine: Engine, *, lease_seconds: int = LEASE_SECONDS) -> None:
        self._engine = engine
        self._lease_seconds = lease_seconds

    def lease(self, box: Box, *, most: int, now: int) -> tuple[Leased, ...]:
        """Up to `most` envelopes, oldest first, at least one if any waits; 4 MiB in all.

        Expired ones are not given out, nor those handed out 20 times in vain (the sweeper buries
        them).
        """
        token = secrets.token_hex(_TOKEN_DIGITS // 2)
        with begin_immediate(self._engine) as connection:
            chosen = _choose(connection, box, most=min(most, MAX_ITEMS), now=now)
            if not chosen:
                return ()
            _mark(connection, chosen, token=token, until=now + self._lease_seconds)
            return _bodies(connection, chosen, token)

    def settle(self, box: Box, *, acknowledge: Sequence[str], give_back: Sequence[str]) -> Settled:
        """Acknowledge (gone for this device) and give back (comes again, this one uncounted).

        A lease that is not this box's, or has been leased again since, is ignored. One that
        merely ran out still counts: the work behind it was done.
        """
        with begin_immediate(self._engine) as connection:
            rows = _held(connection, box, acknowledge)
            acknowledged = _acknowledge(connection, rows)
            returned = _give_back(connection, box, give_back)
        return Settled(acknowledged, returned)


def _choose(connection: Connection, box: Box, *, most: int, now: int) -> list[int]:
    """Row numbers to lease, locked: another fetch of the same device skips them."""
    rows = models.copy.c
    free = or_(
        rows.state == CopyState.WAITING,
        and_(rows.state == CopyState.LEASED, rows.leased_until <= now),
    )
    wanted = (
        select(rows.id, rows.size)
        .where(rows.device == box.device, rows.org == box.org, free)
        .where(rows.exp > now, rows.attempts < MAX_ATTEMPTS)
        .order_by(rows.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    chosen: list[int] = []
    total = 0
    for row in connection.execute(wanted):
        total += row.size
        if chosen and total > ANSWER_BYTES:
            break
        chosen.append(row.id)
    return chosen


def _mark(connection: Connection, chosen: Sequence[int], *, token: str, until: int) -> None:
    rows = models.copy.c
    connection.execute(
        update(models.copy)
        .where(rows.id.in_(chosen))
        .values(state=CopyState.LEASED, lease=token, leased_until=until, attempts=rows.attempts + 1)
    )


def _bodies(connection: Connection, chosen: Sequence[int], token: str) -> tuple[Leased, ...]:
    rows, bodies = models.copy.c, models.envelope.c
    wanted = (
        select(rows.id, rows.eid, rows.attempts, bodies.body)
        .join(models.envelope, bodies.eid == rows.eid)
        .where(rows.id.in_(chosen))
        .order_by(rows.id)
    )
    return tuple(
        Leased(_lease_name(token, row.id), Eid(row.eid), row.attempts, bytes(row.body))
        for row in connection.execute(wanted)
    )


def _held(connection: Connection, box: Box, leases: Iterable[str]) -> dict[int, str]:
    """The rows this box holds by these leases, with their `eid`."""
    rows = models.copy.c
    holds = [_holds(box, row, token) for token, row in _lease_names(leases)]
    if not holds:
        return {}
    wanted = select(rows.id, rows.eid).where(or_(*holds))
    return {row.id: row.eid for row in connection.execute(wanted)}


def _acknowledge(connection: Connection, held: dict[int, str]) -> int:
    if not held:
        return 0
    eids = sorted(set(held.values()))
    # Two devices that acknowledge the last two copies at once take turns here, so that the
    # second sees that nobody waits any more.
    bodies = models.envelope.c
    locked = select(bodies.eid).where(bodies.eid.in_(eids)).order_by(bodies.eid).with_for_update()
    connection.execute(locked).all()
    rows = models.copy.c
    done = connection.execute(
        update(models.copy)
        .where(rows.id.in_(held), rows.state == CopyState.LEASED)
        .values(state=CopyState.ACKNOWLEDGED, lease=None, leased_until=None)
    ).rowcount
    drop_unwanted_bodies(connection, eids)
    return done


def _give_back(connection: Connection, box: Box, leases: Iterable[str]) -> int:
    rows = models.copy.c
    holds = [_holds(box, row, token) for token, row in _lease_names(leases)]
    if not holds:
        return 0
    return connection.execute(
        update(models.copy)
        .where(or_(*holds))
        .values(state=CopyState.WAITING, lease=None, leased_until=None, attempts=rows.attempts - 1)
    ).rowcount


def _holds(box: Box, row: int, token: str) -> ColumnElement[bool]:
    rows = models.copy.c
    ours = and_(rows.device == box.device, rows.org == box.org)
    return and_(rows.id == row, rows.lease == token, rows.state == CopyState.LEASED, ours)


def _lease_name(token: str, row: int) -> str:
    return f"{token}{row:0{_ROW_DIGITS}x}"


def _lease_names(leases: Iterable[str]) -> list[tuple[str, int]]:
    """Token and row number; what is no lease of ours is left out."""
    return [
        (lease[:_TOKEN_DIGITS], int(lease[_TOKEN_DIGITS:], 16))
        for lease in sorted(set(leases))
        if len(lease) == _TOKEN_DIGITS + _ROW_DIGITS
        and lease.isascii()
        and all(digit in "0123456789abcdef" for digit in lease)
        and lease[_TOKEN_DIGITS] < "8"  # a row number is a signed 64-bit integer
    ]
