"""Which devices consume from a queue of their own, and the copies that lie there.

A device that asked for a user at RabbitMQ has a box there until it leaves it; its copies go into
the box instead of the mailbox table. A copy in a box is a row without bytes (`boxed`); what comes
back from a box becomes an ordinary row again. It refuses to speak to RabbitMQ: that is `keeping`.

    holder = boxes.issue(box, until=until, now=now)
    boxes.put(delivery, {box: holder.token})      # after the broker has confirmed the copy
    boxes.take_back(box, delivery)                # what the box gave back, whole
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, select, update

from broker.hub import models
from broker.hub.models import CopyState
from broker.hub.store import LIVE, Box, Delivery, insert_new
from broker.service.database import begin_immediate
from contracts.identifiers import Eid, KeyId, OrgId

# Guessing one is guessing the name of somebody's queue.
_TOKEN_SIZE: Final = 16
# Seen on RabbitMQ 3.10.8: a quorum queue made within the second before the node was killed did not
# come back, and what had been confirmed in it was lost. So the table has the copies until then.
BOX_SETTLES_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Holder:
    """A device with a box. `until`: its user's end; `seen`: when it was last known to consume."""

    box: Box
    token: str
    until: int
    seen: int


@dataclass(frozen=True, slots=True)
class LeftBox:
    """A box its device has left, since `at`."""

    box: Box
    token: str
    at: int


class Boxes:
    """The rows about boxes, on SQLite or PostgreSQL alike."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- who has one ------------------------------------------------------------------------------

    def issue(self, box: Box, *, until: int, now: int) -> Holder:
        """Give the device a box, or more time with the one it has."""
        with begin_immediate(self._engine) as connection:
            inserting = insert_new(connection, models.queue_user).values(
                device=box.device,
                org=box.org,
                token=secrets.token_hex(_TOKEN_SIZE),
                until=until,
                made=now,
                seen=now,
            )
            issued = inserting.on_conflict_do_update(
                index_elements=["device"], set_={"until": until}
            ).returning(models.queue_user)
            return _holder(connection.execute(issued).one())

    def holders(self) -> tuple[Holder, ...]:
        """Every device that has a box."""
        with self._engine.connect() as connection:
            return tuple(map(_holder, connection.execute(select(models.queue_user))))

    def tokens(self, boxes: Collection[Box], *, now: int) -> Mapping[Box, str]:
        """The tokens of those of these devices that have a box that has settled."""
        rows = models.queue_user.c
        wanted = select(models.queue_user).where(
            rows.device.in_([it.device for it in boxes]), rows.made <= now - BOX_SETTLES_SECONDS
        )
        with self._engine.connect() as connection:
            found = map(_holder, connection.execute(wanted))
            return {one.box: one.token for one in found if one.box in boxes}

    def saw(self, tokens: Collection[str], *, now: int) -> None:
        """Note that somebody consumes from these."""
        rows = models.queue_user.c
        with begin_immediate(self._engine) as connection:
            connection.execute(
                update(models.queue_user).where(rows.token.in_(list(tokens))).values(seen=now)
            )

    def leave(self, token: str, *, now: int, unseen_since: int | None = None) -> bool:
        """From now on the device's copies go into the mailbox table again.

        False, and nothing changed, where it was made or consumed from after `unseen_since`.
        """
        rows = models.queue_user.c
        leaving = delete(models.queue_user).where(rows.token == token)
        if unseen_since is not None:
            leaving = leaving.where(rows.seen <= unseen_since)
        with begin_immediate(self._engine) as connection:
            row = connection.execute(leaving.returning(models.queue_user)).first()
            if row is None:
                return False
            box = {"token": token, "org": row.org, "device": row.device, "at": now}
            connection.execute(models.left_box.insert().values(**box))
        return True

    def left(self) -> tuple[LeftBox, ...]:
        """The boxes that have to be emptied and taken away."""
        with self._engine.connect() as connection:
            return tuple(
                LeftBox(Box(OrgId(row.org), KeyId(row.device)), row.token, row.at)
                for row in connection.execute(select(models.left_box))
            )

    def gone(self, left: LeftBox) -> None:
        """The box is empty and away: what was in it and did not come back was acknowledged."""
        with begin_immediate(self._engine) as connection:
            connection.execute(_acknowledged(_in_box(left.box, left.token)))
            rows = models.left_box.c
            connection.execute(delete(models.left_box).where(rows.token == left.token))

    def owner(self, token: str, eid: Eid) -> Box | None:
        """Whose box this is or was when `eid` was put there."""
        copies = models.copy.c
        by_copy = select(copies.org, copies.device).where(
            copies.eid == eid, copies.lease == token, copies.state == CopyState.BOXED
        )
        with self._engine.connect() as connection:
            for table in (models.queue_user, models.left_box):
                by_token = select(table.c.org, table.c.device).where(table.c.token == token)
                row = connection.execute(by_token).first()
                if row is not None:
                    return Box(OrgId(row.org), KeyId(row.device))
            row = connection.execute(by_copy).first()
        return None if row is None else Box(OrgId(row.org), KeyId(row.device))

    # -- the copies -------------------------------------------------------------------------------

    def without_copy(self, deliveries: Iterable[Delivery]) -> Mapping[Eid, tuple[Box, ...]]:
        """The boxes of each delivery in which it is not and never was."""
        wanted = list(deliveries)
        rows = models.copy.c
        known = select(rows.eid, rows.device).where(rows.eid.in_([it.eid for it in wanted]))
        with self._engine.connect() as connection:
            there = {(row.eid, row.device) for row in connection.execute(known)}
        return {
            it.eid: tuple(box for box in it.boxes if (it.eid, box.device) not in there)
            for it in wanted
        }

    def has_copies(self, eid: Eid) -> bool:
        """Whether some device has or had a copy of it."""
        wanted = select(models.copy.c.id).where(models.copy.c.eid == eid).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(wanted).first() is not None

    def put(self, delivery: Delivery, placed: Mapping[Box, str]) -> None:
        """The broker has confirmed these copies. A copy that is or was there stays as it is."""
        if not placed:
            return
        with begin_immediate(self._engine) as connection:
            inserting = insert_new(connection, models.copy).on_conflict_do_nothing()
            connection.execute(
                inserting,
                [
                    _copy(delivery, box) | {"state": CopyState.BOXED, "lease": token}
                    for box, token in placed.items()
                ],
            )

    def take_back(self, box: Box, delivery: Delivery) -> None:
        """An ordinary row, with its bytes, of what the box gave back; none where it is past."""
        rows = models.copy.c
        this = and_(rows.eid == delivery.eid, rows.device == box.device)
        with begin_immediate(self._engine) as connection:
            inserting = insert_new(connection, models.copy).on_conflict_do_nothing()
            connection.execute(inserting, [_copy(delivery, box) | {"state": CopyState.WAITING}])
            connection.execute(
                update(models.copy)
                .where(this, rows.state == CopyState.BOXED)
                .values(state=CopyState.WAITING, lease=None)
            )
            if connection.execute(select(rows.id).where(this, rows.state.in_(LIVE))).first():
                _keep_bytes(connection, delivery)

    def bury(self, box: Box, eid: Eid, reason: str) -> bool:
        """The broker has set this copy aside; False where it is not in the box any more."""
        rows = models.copy.c
        in_box = and_(rows.eid == eid, rows.device == box.device, rows.state == CopyState.BOXED)
        dying = update(models.copy).where(in_box)
        with begin_immediate(self._engine) as connection:
            values = {"state": CopyState.DEAD, "reason": reason, "lease": None}
            return connection.execute(dying.values(**values)).rowcount == 1

    def emptied(self, holder: Holder, *, before: int) -> None:
        """The box was seen empty: its copies that ended before `before` were acknowledged.

        Those that expired there came out as dead letters, and are `boxed` no more.
        """
        ended = and_(_in_box(holder.box, holder.token), models.copy.c.exp <= before)
        with begin_immediate(self._engine) as connection:
            connection.execute(_acknowledged(ended))


def _holder(row: Row[Any]) -> Holder:
    return Holder(Box(OrgId(row.org), KeyId(row.device)), row.token, row.until, row.seen)


def _in_box(box: Box, token: str) -> ColumnElement[bool]:
    rows = models.copy.c
    ours = and_(rows.device == box.device, rows.org == box.org)
    return and_(ours, rows.state == CopyState.BOXED, rows.lease == token)


def _acknowledged(which: ColumnElement[bool]) -> Any:
    done = {"state": CopyState.ACKNOWLEDGED, "lease": None}
    return update(models.copy).where(which).values(**done)


def _copy(delivery: Delivery, box: Box) -> dict[str, object]:
    return {
        "eid": delivery.eid,
        "org": box.org,
        "device": box.device,
        "size": len(delivery.body),
        "exp": delivery.exp,
    }


def _keep_bytes(connection: Connection, delivery: Delivery) -> None:
    keeping = insert_new(connection, models.envelope).on_conflict_do_nothing()
    row = {"eid": delivery.eid, "body": delivery.body, "exp": delivery.exp}
    connection.execute(keeping, [row])
