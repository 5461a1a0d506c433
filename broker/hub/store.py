"""What was accepted, for whom it waits, and what became of it: the writes both doors share.

A `Store` does one thing a transaction and answers only after the commit. It checks nothing
about an envelope (that is `acceptance`) and never reads inside one. Time comes in as whole
Unix seconds. A database that cannot be reached raises SQLAlchemy's `DBAPIError` or
`TimeoutError`; nothing is half done then.

    store.accept(entry, delivery, queue=False, limits=limits)   # HTTPS: all in one transaction
    store.remember([entry])                                     # relay: after the confirm
    store.deliver([delivery])                                   # writer: from box.mailbox
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from broker.hub import models
from broker.hub.models import CopyState, Outcome
from broker.service.database import begin_immediate
from contracts.identifiers import (
    Eid,
    KeyId,
    Mid,
    OrgId,
    parse_key_id,
    parse_org_id,
)

Pair = tuple[OrgId, Mid]  # `from` and `mid`: what may be accepted once

# `eid` hashes `from` and `mid` too: the same one under another pair is no accident.
_ONE_EID_TWICE: Final = "one eid for two senders or mids"

LIVE: Final = (CopyState.WAITING.value, CopyState.LEASED.value)


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """Where one device's copies wait: the device, and whose it is."""

    org: OrgId
    device: KeyId

    def __str__(self) -> str:
        return f"{self.org}.{self.device}"


def parse_box(text: str) -> Box:
    """The reverse of `str(box)`; raises `Malformed`."""
    org, _, device = text.partition(".")
    return Box(parse_org_id(org, field="box"), parse_key_id(device, field="box"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the replay memory, with the signed acceptance the sender gets each time."""

    sender: OrgId
    mid: Mid
    eid: Eid
    to: OrgId
    size: int
    exp: int
    at: int
    notice: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sealed bytes and the boxes they go to."""

    eid: Eid
    exp: int
    boxes: tuple[Box, ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the replay memory holds for a (`from`, `mid`). `new`: it was written just now."""

    eid: Eid
    notice: bytes = field(repr=False)
    new: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An envelope that could not be carried to its end. No body: the hub drops it."""

    eid: str
    sender: str
    mid: str
    to: str
    size: int
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait for one device, and for the queue. Envelopes, and bytes of them."""

    box_envelopes: int = 2000
    box_bytes: int = 256 * 1024 * 1024
    outbox_envelopes: int = 20000


class BoxFull(Exception):
    """A device of the receiver has too much waiting. Try again when it has been emptied."""


class OutboxFull(Exception):
    """RabbitMQ has been away for so long that no more can be kept for it."""


class Store:
    """The hub's memory of envelopes, on SQLite or PostgreSQL alike."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    # -- acceptance ---------------------------------------------------------------------------

    def recall(self, sender: OrgId, mid: Mid) -> Remembered | None:
        """What was answered to this `mid` of this sender, if anything was."""
        with self.engine.connect() as connection:
            return _recall(connection, sender, mid)

    def recall_all(self, pairs: Collection[Pair]) -> Mapping[Pair, Remembered]:
        """`recall` for many (`from`, `mid`) at once; only what is known stands in the answer."""
        with self.engine.connect() as connection:
            return _recall_all(connection, pairs)

    def accept(
        self, entry: Entry, delivery: Delivery, *, queue: bool, limits: Limits
    ) -> Remembered:
        """Remember the acceptance and keep the bytes, in one transaction, or change nothing.

        The bytes go to the outbox where there is a `queue`, else to the mailbox. If (`from`,
        `mid`) was known, what was known is the answer, and the caller compares `eid`. Raises
        `BoxFull`, `OutboxFull`.
        """
        with begin_immediate(self.engine) as connection:
            known = _remember(connection, entry)
            if not known.new:
                return known
            _require_room(connection, delivery, limits)
            if queue:
                _put_in_outbox(connection, delivery, entry.at, limits)
            else:
                _put_in_mailbox(connection, [delivery])
            return known

    def remember(self, entries: Sequence[Entry]) -> tuple[Remembered, ...]:
        """Only the replay memory, for what the queue has confirmed; one transaction for all.

        Answers in the order of `entries`; compare `eid` where an answer is not `new`.
        """
        with begin_immediate(self.engine) as connection:
            return _remember_all(connection, entries)

    # -- to and from the queue ----------------------------------------------------------------

    def outbox(self, *, limit: int, after: int = 0) -> tuple[tuple[int, Delivery], ...]:
        """The oldest rows not yet confirmed by the queue, with their numbers, above `after`."""
        rows = models.outbox.c
        wanted = select(models.outbox).where(rows.id > after).order_by(rows.id).limit(limit)
        with self.engine.connect() as connection:
            return tuple(
                (
                    row.id,
                    Delivery(
                        eid=Eid(row.eid),
                        exp=row.exp,
                        boxes=tuple(map(parse_box, row.boxes.split())),
                        body=bytes(row.body),
                    ),
                )
                for row in connection.execute(wanted)
            )

    def outbox_confirmed(self, eids: Iterable[Eid]) -> None:
        """The queue has these; row and bytes go."""
        with begin_immediate(self.engine) as connection:
            connection.execute(delete(models.outbox).where(models.outbox.c.eid.in_(list(eids))))

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Put copies into the mailbox; a copy that is or was there stays as it is.

        For the writer, which acknowledges to the queue after this returns. All or nothing.
        """
        with begin_immediate(self.engine) as connection:
            _put_in_mailbox(connection, deliveries)

    # -- what the sender and the operator are told --------------------------------------------

    def newest_notice(self, sender: OrgId, mid: Mid) -> bytes | None:
        """The newest signed notice about this `mid` of this organisation."""
        rows = models.notice.c
        wanted = (
            select(rows.body)
            .where(rows.from_org == sender, rows.mid == mid)
            .order_by(rows.id.desc())
            .limit(1)
        )
        with self.engine.connect() as connection:
            later = connection.execute(wanted).scalar()
            if later is not None:
                return bytes(later)
            known = _recall(connection, sender, mid)
        return known.notice if known else None

    def put_refusal(self, sender: OrgId, mid: Mid, body: bytes, *, at: int) -> None:
        """Keep a signed refusal for the sender, unless the `mid` was accepted before.

        A bad repetition must not hide from the sender that the first one is on its way.
        """
        with begin_immediate(self.engine) as connection:
            if _recall(connection, sender, mid) is None:
                _put_notice(connection, sender, mid, body, at)

    def put_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """What a person must look at; the bodies are not kept."""
        with begin_immediate(self.engine) as connection:
            for letter in letters:
                put_dead_letter(connection, letter)

    def undeliverable(self, letter: DeadLetter, notice: bytes) -> bool:
        """End an open acceptance: dead letter, notice and outcome together.

        False, and nothing changed, where the envelope has already come to its end (or was
        never accepted): a sender is told once.
        """
        rows = models.acceptance.c
        closing = (
            update(models.acceptance)
            .where(rows.from_org == letter.sender, rows.mid == letter.mid, rows.eid == letter.eid)
            .where(rows.outcome == Outcome.OPEN)
            .values(outcome=Outcome.UNDELIVERABLE)
        )
        with begin_immediate(self.engine) as connection:
            if connection.execute(closing).rowcount == 0:
                return False
            put_dead_letter(connection, letter)
            _put_notice(connection, OrgId(letter.sender), Mid(letter.mid), notice, letter.at)
        return True

    def dead_letters(self, *, limit: int) -> tuple[DeadLetter, ...]:
        """The newest dead letters, newest first."""
        rows = models.dead_letter.c
        wanted = select(models.dead_letter).order_by(rows.id.desc()).limit(limit)
        with self.engine.connect() as connection:
            return tuple(
                DeadLetter(row.eid, row.from_org, row.mid, row.to_org, row.size, row.reason, row.at)
                for row in connection.execute(wanted)
            )

    def dead_letter_counts(self) -> Mapping[str, int]:
        """How many dead letters there are for each reason."""
        rows = models.dead_letter.c
        wanted = select(rows.reason, func.count()).group_by(rows.reason).order_by(rows.reason)
        with self.engine.connect() as connection:
            return {reason: count for reason, count in connection.execute(wanted)}

    # -- is it working? -----------------------------------------------------------------------

    def beat(self, name: str, *, now: int) -> None:
        """Note that the process `name` works. Call it every few seconds."""
        with begin_immediate(self.engine) as connection:
            put_heartbeat(connection, name, now)

    def claim(self, name: str, seconds: int, *, now: int) -> bool:
        """Take the turn for a task that is due; of several processes one gets it."""
        rows = models.heartbeat.c
        turn = update(models.heartbeat).where(rows.name == name, rows.at <= now - seconds)
        with begin_immediate(self.engine) as connection:
            first = insert_new(connection, models.heartbeat).values(name=name, at=now)
            made = first.on_conflict_do_nothing().returning(rows.name)
            if connection.execute(made).first():
                return True
            return connection.execute(turn.values(at=now)).rowcount == 1

    def last_beat(self, name: str) -> int | None:
        """When the process `name` last said that it works."""
        rows = models.heartbeat.c
        with self.engine.connect() as connection:
            at: int | None = connection.execute(select(rows.at).where(rows.name == name)).scalar()
        return at

    def waiting(self) -> Waiting:
        """How much waits in outbox and mailbox, and since when the oldest outbox row."""
        rows, boxed = models.outbox.c, models.copy.c
        with self.engine.connect() as connection:
            count, oldest = connection.execute(select(func.count(), func.min(rows.at))).one()
            live = select(func.count()).where(boxed.state.in_(LIVE))
            copies = connection.execute(live).scalar_one()
        return Waiting(outbox=count, oldest=oldest, copies=copies)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Envelopes not yet confirmed by the queue, copies not yet acknowledged by a device."""

    outbox: int
    oldest: int | None
    copies: int


def insert_new(connection: Connection, table: Table) -> Any:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update` for this database.

    `Any`, because the two dialects' statements have these methods and no common base with them.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table)


def put_heartbeat(connection: Connection, name: str, now: int) -> None:
    """Write or move the heartbeat of `name`."""
    inserting = insert_new(connection, models.heartbeat).values(name=name, at=now)
    connection.execute(inserting.on_conflict_do_update(index_elements=["name"], set_={"at": now}))


def put_dead_letter(connection: Connection, letter: DeadLetter) -> None:
    """Write one dead letter in the caller's transaction."""
    connection.execute(
        models.dead_letter.insert().values(
            eid=letter.eid,
            from_org=letter.sender,
            mid=letter.mid,
            to_org=letter.to,
            size=letter.size,
            reason=letter.reason,
            at=letter.at,
        )
    )


def drop_unwanted_bodies(connection: Connection, eids: Sequence[str]) -> int:
    """Delete the sealed bytes that no device waits for any more; how many went."""
    rows, bodies = models.copy.c, models.envelope.c
    wanted = select(rows.eid).where(rows.eid == bodies.eid, rows.state.in_(LIVE)).exists()
    unwanted = delete(models.envelope).where(bodies.eid.in_(eids), ~wanted)
    return connection.execute(unwanted).rowcount


def _recall(connection: Connection, sender: OrgId, mid: Mid) -> Remembered | None:
    rows = models.acceptance.c
    wanted = select(rows.eid, rows.notice).where(rows.from_org == sender, rows.mid == mid)
    row = connection.execute(wanted).first()
    return Remembered(Eid(row.eid), bytes(row.notice)) if row else None


def _recall_all(connection: Connection, pairs: Collection[Pair]) -> Mapping[Pair, Remembered]:
    rows = models.acceptance.c
    wanted = select(rows.from_org, rows.mid, rows.eid, rows.notice).where(
        tuple_(rows.from_org, rows.mid).in_(list(pairs))
    )
    return {
        (OrgId(row.from_org), Mid(row.mid)): Remembered(Eid(row.eid), bytes(row.notice))
        for row in connection.execute(wanted)
    }


def _remember(connection: Connection, entry: Entry) -> Remembered:
    inserting = insert_new(connection, models.acceptance).on_conflict_do_nothing()
    # Asked back, because `rowcount` of an INSERT is unknown (-1) on PostgreSQL.
    asked_back = inserting.returning(models.acceptance.c.eid)
    # The loser of a race waits here for the winner's commit and then reads what it wrote.
    if connection.execute(asked_back, _acceptance_row(entry)).first() is not None:
        return Remembered(entry.eid, entry.notice, new=True)
    known = _recall(connection, entry.sender, entry.mid)
    if known is None:
        raise ValueError(_ONE_EID_TWICE)
    return known


def _remember_all(connection: Connection, entries: Sequence[Entry]) -> tuple[Remembered, ...]:
    """A few statements for all of them: building a statement costs more than running it."""
    pairs = [(entry.sender, entry.mid) for entry in entries]
    before = _recall_all(connection, pairs)
    first: dict[Pair, Entry] = {}
    for pair, entry in zip(pairs, entries, strict=True):
        if pair not in before:
            first.setdefault(pair, entry)
    if not first:
        return tuple(before[pair] for pair in pairs)
    inserting = insert_new(connection, models.acceptance).on_conflict_do_nothing()
    connection.execute(inserting, [_acceptance_row(entry) for entry in first.values()])
    after = _recall_all(connection, first)
    if len(after) < len(first):
        raise ValueError(_ONE_EID_TWICE)
    return tuple(
        replace(after[pair], new=first[pair] is entry and after[pair].eid == entry.eid)
        if pair in after
        else before[pair]
        for pair, entry in zip(pairs, entries, strict=True)
    )


def _acceptance_row(entry: Entry) -> dict[str, object]:
    return {
        "from_org": entry.sender,
        "mid": entry.mid,
        "eid": entry.eid,
        "to_org": entry.to,
        "size": entry.size,
        "exp": entry.exp,
        "notice": entry.notice,
        "at": entry.at,
        "outcome": Outcome.OPEN,
    }


def _require_room(connection: Connection, delivery: Delivery, limits: Limits) -> None:
    rows = models.copy.c
    devices = [box.device for box in delivery.boxes]
    waiting = (
        select(func.count().label("envelopes"), func.sum(rows.size).label("bytes"))
        .where(rows.device.in_(devices), rows.state.in_(LIVE))
        .group_by(rows.device)
    )
    for row in connection.execute(waiting):
        too_many = row.envelopes + 1 > limits.box_envelopes
        if too_many or row.bytes + len(delivery.body) > limits.box_bytes:
            raise BoxFull


def _put_in_outbox(connection: Connection, delivery: Delivery, now: int, limits: Limits) -> None:
    count = connection.execute(select(func.count()).select_from(models.outbox)).scalar_one()
    if count >= limits.outbox_envelopes:
        raise OutboxFull
    connection.execute(
        models.outbox.insert().values(
            eid=delivery.eid,
            boxes=" ".join(map(str, delivery.boxes)),
            body=delivery.body,
            exp=delivery.exp,
            at=now,
        )
    )


def _put_in_mailbox(connection: Connection, deliveries: Sequence[Delivery]) -> None:
    rows = models.copy.c
    known = select(rows.eid, rows.device).where(rows.eid.in_([it.eid for it in deliveries]))
    there = {(row.eid, row.device) for row in connection.execute(known)}
    # The bytes come back only with a copy that was never there before.
    fresh = [
        (delivery, box)
        for delivery in deliveries
        for box in delivery.boxes
        if (delivery.eid, box.device) not in there
    ]
    if not fresh:
        return
    copies = insert_new(connection, models.copy).on_conflict_do_nothing()
    connection.execute(copies, [_copy_row(delivery, box) for delivery, box in fresh])
    bodies = insert_new(connection, models.envelope).on_conflict_do_nothing()
    wanted = {delivery.eid: delivery for delivery, _ in fresh}.values()
    connection.execute(bodies, [{"eid": it.eid, "body": it.body, "exp": it.exp} for it in wanted])


def _copy_row(delivery: Delivery, box: Box) -> dict[str, object]:
    return {
        "eid": delivery.eid,
        "org": box.org,
        "device": box.device,
        "size": len(delivery.body),
        "exp": delivery.exp,
        "state": CopyState.WAITING,
    }


def _put_notice(connection: Connection, sender: OrgId, mid: Mid, body: bytes, at: int) -> None:
    connection.execute(models.notice.insert().values(from_org=sender, mid=mid, body=body, at=at))
