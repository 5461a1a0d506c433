"""What becomes of envelopes that nobody fetched, and when the hub forgets.

Runs every minute in one of the processes that serve. Each step is its own transaction and may
be repeated: a sweep that is killed in the middle is finished by the next. Nothing is dropped in
silence: an envelope that reached no device of its receiver ends with a signed notice to its
sender and a dead letter for the operator. Forgetting is the other half: sealed bytes go as soon
as nobody may be given them any more, and off the disk too; what remains is ids, a size and
times, and that goes as well.

    Sweeper(engine, acceptance=acceptance, known=known).sweep(now=now)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, Row, and_, delete, or_, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from broker.hub import models, topology
from broker.hub.acceptance import Acceptance
from broker.hub.known import KnownByMirror, MirrorContradicted, MirrorTooOld
from broker.hub.mailbox import MAX_ATTEMPTS
from broker.hub.models import CopyState, Outcome
from broker.hub.store import LIVE, Box, DeadLetter, Store, put_dead_letter
from broker.service.database import begin_immediate
from broker.service.logs import logger
from contracts.identifiers import KeyId, OrgId
from contracts.register import Device

EVERY_SECONDS: Final = 60
DAY: Final = 24 * 3600
# A redelivery from the queue after `exp` finds its tombstone for this long.
TOMBSTONE_SECONDS: Final = DAY
# A desk that was switched off over a holiday still learns that its referral reached nobody.
NOTICE_SECONDS: Final = 14 * DAY
DEAD_LETTER_SECONDS: Final = 30 * DAY
# PostgreSQL keeps deleted rows' bytes in the file until it is written anew.
REWRITE_EVERY_SECONDS: Final = DAY // 2

_SWEEP: Final = "sweep"
_REWRITE: Final = "rewrite"
_BATCH: Final = 500
_HOPEFUL: Final = (
    CopyState.WAITING,
    CopyState.LEASED,
    CopyState.BOXED,
    CopyState.ACKNOWLEDGED,
)
# Of a copy in a device's own queue the hub hears only when the broker sets it aside, or when the
# queue is seen empty. This long the broker may keep it there, so this long its end may come.
BOXED_SECONDS: Final = topology.QUEUE_TTL_MS // 1000

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did: envelopes that reached nobody, and sealed bodies deleted."""

    undeliverable: int
    bodies: int


class Sweeper:
    """The steps of a sweep, on one database."""

    def __init__(self, engine: Engine, *, acceptance: Acceptance, known: KnownByMirror) -> None:
        self._engine = engine
        self._store = Store(engine)
        self._acceptance = acceptance
        self._known = known

    def sweep_if_due(self, *, now: int) -> Swept | None:
        """`sweep`, unless this or another process did it within the last minute.

        A clock that runs ahead must not end everybody's mail: see `KnownByMirror.surely`.
        """
        if not self._store.claim(_SWEEP, EVERY_SECONDS, now=now):
            return None
        return self.sweep(now=self._known.surely(now=now))

    def sweep(self, *, now: int) -> Swept:
        """End what has come to its end by `now`, and forget what need not be kept."""
        self._bury_tried_too_often(now)
        self._bury_copies_of_gone_devices(now)
        self._bury_expired_copies(now)
        undeliverable = self._close_acceptances(now)
        bodies = self._delete_bodies(now)
        self._forget(now)
        self._off_the_disk(now)
        return Swept(undeliverable, bodies)

    def _bury_tried_too_often(self, now: int) -> None:
        rows = models.copy.c
        in_vain = and_(
            rows.state == CopyState.LEASED,
            rows.leased_until <= now,
            rows.attempts >= MAX_ATTEMPTS,
        )
        dying = (
            update(models.copy)
            .where(in_vain)
            .values(state=CopyState.DEAD, reason="attempts", lease=None, leased_until=None)
            .returning(rows.eid)
        )
        with begin_immediate(self._engine) as connection:
            for (eid,) in connection.execute(dying).all():
                accepted = select(models.acceptance).where(models.acceptance.c.eid == eid)
                row = connection.execute(accepted).first()
                if row is not None:
                    put_dead_letter(connection, _letter(row, "attempts", now))

    def _bury_copies_of_gone_devices(self, now: int) -> None:
        """A device that the register has ended for good gets nothing; others wait on.

        Also those of a frozen organisation: its freeze may end, and nobody gets in meanwhile.
        """
        try:
            register = self._known.current(now=now)
        except (MirrorTooOld, MirrorContradicted):
            return
        rows = models.copy.c
        with self._engine.connect() as connection:
            boxes = select(rows.org, rows.device).where(rows.state.in_(LIVE)).distinct()
            waiting = [Box(OrgId(org), KeyId(device)) for org, device in connection.execute(boxes)]
        for box in waiting:
            device = register.device(box.org, box.device)
            if device is None or _ended(device, now):
                self._bury(and_(rows.org == box.org, rows.device == box.device), "device_gone")

    def _bury_expired_copies(self, now: int) -> None:
        self._bury(models.copy.c.exp <= now, "expired")

    def _bury(self, which: ColumnElement[bool], reason: str) -> None:
        with begin_immediate(self._engine) as connection:
            connection.execute(
                update(models.copy)
                .where(which, models.copy.c.state.in_(LIVE))
                .values(state=CopyState.DEAD, reason=reason, lease=None, leased_until=None)
            )

    def _close_acceptances(self, now: int) -> int:
        """Say how each ended that is past `exp`, or whose receiver's copies are all dead."""
        rows = models.acceptance.c
        boxed, acknowledged = _any_copy(CopyState.BOXED), _any_copy(CopyState.ACKNOWLEDGED)
        expired = and_(rows.exp <= now, or_(acknowledged, ~boxed, rows.exp <= now - BOXED_SECONDS))
        ended = or_(expired, and_(_any_copy(CopyState.DEAD), ~_any_copy(*_HOPEFUL)))
        wanted = (
            select(models.acceptance, or_(acknowledged, boxed).label("delivered"))
            .where(rows.outcome == Outcome.OPEN, ended)
            .limit(_BATCH)
        )
        told = 0
        with self._engine.connect() as connection:
            closing = connection.execute(wanted).all()
        for row in closing:
            if row.delivered:
                self._close_delivered(row.eid)
                continue
            code = "expired" if row.exp <= now else "no_device"
            told += self._acceptance.undeliverable(_letter(row, code, now), code=code) is not None
        return told

    def _close_delivered(self, eid: str) -> None:
        closing = update(models.acceptance).where(models.acceptance.c.eid == eid)
        with begin_immediate(self._engine) as connection:
            connection.execute(closing.values(outcome=Outcome.DELIVERED))

    def _delete_bodies(self, now: int) -> int:
        """Sealed bytes past `exp`, or that no device waits for any more."""
        rows, bodies = models.copy.c, models.envelope.c
        wanted = select(rows.eid).where(rows.eid == bodies.eid, rows.state.in_(LIVE)).exists()
        with begin_immediate(self._engine) as connection:
            gone = delete(models.envelope).where(or_(bodies.exp <= now, ~wanted))
            unsent = delete(models.outbox).where(models.outbox.c.exp <= now)
            return connection.execute(gone).rowcount + connection.execute(unsent).rowcount

    def _forget(self, now: int) -> None:
        acceptance, copy = models.acceptance.c, models.copy.c
        closed, boxed = acceptance.outcome != Outcome.OPEN, copy.state == CopyState.BOXED
        with begin_immediate(self._engine) as connection:
            for table, old in (
                (models.acceptance, and_(acceptance.exp <= now - TOMBSTONE_SECONDS, closed)),
                (models.copy, and_(copy.exp <= now - TOMBSTONE_SECONDS, ~boxed)),
                (models.copy, copy.exp <= now - TOMBSTONE_SECONDS - BOXED_SECONDS),
                (models.notice, models.notice.c.at <= now - NOTICE_SECONDS),
                (models.dead_letter, models.dead_letter.c.at <= now - DEAD_LETTER_SECONDS),
                (models.login_nonce, models.login_nonce.c.until <= now),
                (models.session, models.session.c.until <= now),
                (models.request_count, models.request_count.c.minute < now // 60 - 1),
            ):
                connection.execute(delete(table).where(old))

    def _off_the_disk(self, now: int) -> None:
        """Deleting a row does not take its bytes off the disk; each database has its own way."""
        if self._engine.dialect.name == "sqlite":
            # The pages themselves are zeroed (secure_delete); older versions of them stand in
            # the write-ahead log until it is cut off. A busy one is cut off by the next sweep.
            _run_alone(self._engine, "PRAGMA wal_checkpoint(TRUNCATE)")
        elif self._store.claim(_REWRITE, REWRITE_EVERY_SECONDS, now=now):
            for table in (models.envelope, models.outbox):
                # While it waits for its lock, everybody else would wait behind it.
                impatient, rewrite = "SET lock_timeout = '3s'", f"VACUUM (FULL) {table.name}"
                _run_alone(self._engine, impatient, rewrite, "RESET lock_timeout")


def _ended(device: Device, now: int) -> bool:
    ends = device.naf if device.ends_at is None else min(device.naf, device.ends_at)
    return device.stopped is not None or ends <= now


def _any_copy(*states: CopyState) -> ColumnElement[bool]:
    """Whether the receiving organisation has a copy in one of these states."""
    copies, accepted = models.copy.c, models.acceptance.c
    its = and_(copies.eid == accepted.eid, copies.org == accepted.to_org)
    return select(copies.id).where(its, copies.state.in_(states)).exists()


def _letter(row: Row[Any], reason: str, now: int) -> DeadLetter:
    return DeadLetter(
        eid=row.eid,
        sender=row.from_org,
        mid=row.mid,
        to=row.to_org,
        size=row.size,
        reason=reason,
        at=now,
    )


def _run_alone(engine: Engine, *statements: str) -> None:
    """Run what may not stand in a transaction; if it cannot have its turn, the next one will."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            for statement in statements:
                connection.exec_driver_sql(statement).close()
        except DBAPIError as error:
            # What was set for this connection alone goes with it.
            connection.invalidate()
            _log.warning("space_not_freed", exc_info=error)


def start_sweeping(sweeper: Sweeper, clock: Callable[[], int]) -> threading.Event:
    """Sweep every minute in a thread of this process until the returned event is set."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(EVERY_SECONDS / 4):
            try:
                sweeper.sweep_if_due(now=clock())
            except SQLAlchemyError as error:
                # The next sweep does what this one could not.
                _log.warning("sweep_failed", exc_info=error)

    threading.Thread(target=run, name="sweeper", daemon=True).start()
    return stop
