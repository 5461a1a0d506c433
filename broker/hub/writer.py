"""From `box.mailbox` to each device the header's keys name: a mailbox row, or a copy to its box.

Here, and nowhere else, it is decided which way a device gets its copy: one that holds a box at
RabbitMQ has it there, all others in the mailbox table. Rows are committed and copies confirmed
before the queue is told, and a copy that is or was there stays as it is, so a redelivery is not
shown twice. The acceptance is written first where it is missing: of two envelopes under one
(`from`, `mid`) that came through two doors at once only one is delivered, and the other goes to a
person. It refuses to verify a signature: only the hub's own users can publish to `deliver`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker.amqp import Loop
from broker.hub import topology
from broker.hub.acceptance import Acceptance, Accepted, Checked, Conflict, boxes_of
from broker.hub.boxes import Boxes
from broker.hub.copies import Copies
from broker.hub.known import Known
from broker.hub.letters import letter_of, readable
from broker.hub.source import Source, Taken
from broker.hub.store import Box, DeadLetter, Delivery, Store
from broker.hub.window import Verdict
from broker.service.logs import logger
from contracts.envelope import Header
from contracts.errors import Refused
from contracts.identifiers import Eid
from contracts.register import Register

# Another process may have accepted for a device that this one's mirror learns of seconds later.
STRANGE_KEY_TRIES: Final = 4
STRANGE_KEY_PAUSE_SECONDS: Final = 2.0

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class PutOff:
    """A key nobody here knows yet: once more in a moment."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No row can be made for it."""

    code: str


Placing = Checked | PutOff | Unplaced
Onward = tuple[Delivery, Mapping[Box, str]]  # an envelope, and the boxes it goes on to


class Writer:
    """Consumes `box.mailbox`, commits mailbox rows."""

    def __init__(
        self,
        loop: Loop,
        *,
        acceptance: Acceptance,
        known: Known,
        store: Store,
        boxes: Boxes,
        clock: Callable[[], int],
    ) -> None:
        self._loop = loop
        self._acceptance = acceptance
        self._known = known
        self._store = store
        self._boxes = boxes
        self._clock = clock
        self._tries: Counter[int] = Counter()
        self.source = Source(loop, topology.MAILBOX, self._write_all)
        self.source.when_lost(self._tries.clear)
        self.copies = Copies(loop, source=self.source, boxes=boxes, store=store, clock=clock)

    def _write_all(self, batch: Sequence[Taken]) -> None:
        now = self._clock()
        register = self._known.current(now=now)
        placings = [(taken, self._place(taken, register, now)) for taken in batch]
        onward = self._write([one for _, one in placings if isinstance(one, Checked)], now)
        for taken, one in placings:
            if isinstance(one, Unplaced):
                end(taken.body, one.code, now=now, acceptance=self._acceptance, store=self._store)
        for taken, one in placings:
            copies = onward.get(one.eid) if isinstance(one, Checked) else None
            if copies is None:
                self._settle(taken, one)
            else:
                self._send(taken, *copies)
        self.source.answer()

    def _place(self, taken: Taken, register: Register, now: int) -> Placing:
        envelope = readable(taken.body)
        if envelope is None:
            return Unplaced("malformed")
        if envelope.header.exp <= now:
            return Unplaced("expired")
        if self._may_be_too_new(taken, envelope.header, register):
            return PutOff()
        try:
            boxes = boxes_of(envelope.header, register)
        except Refused as refused:
            return Unplaced(refused.code)
        return Checked(envelope=envelope, boxes=boxes, at=now, body=taken.body)

    def _may_be_too_new(self, taken: Taken, header: Header, register: Register) -> bool:
        strange = any(register.owner_of_key(key) is None for key in header.keys)
        return strange and self._tries[taken.delivery.tag] < STRANGE_KEY_TRIES

    def _write(self, batch: Sequence[Checked], now: int) -> Mapping[Eid, Onward]:
        """Write the rows; what is left to do for devices that hold a box."""
        if not batch:
            return {}
        answers = self._known_or_remembered(batch)
        conflicts: list[DeadLetter] = []
        deliveries: list[Delivery] = []
        for checked, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Conflict):
                conflicts.append(letter_of(checked.body, reason=answer.code, now=checked.at))
            else:
                deliveries.append(
                    Delivery(checked.eid, checked.header.exp, checked.boxes, checked.body)
                )
        held = self._held(deliveries, now)
        self._store.deliver([_without(one, held.get(one.eid, {})) for one in deliveries])
        if conflicts:
            self._store.put_dead_letters(conflicts)
            _log.error("mid_accepted_twice", count=len(conflicts))
        return {one.eid: (one, held[one.eid]) for one in deliveries if one.eid in held}

    def _held(self, deliveries: Sequence[Delivery], now: int) -> Mapping[Eid, Mapping[Box, str]]:
        """The boxes that still need their copy, by envelope; only envelopes that have any."""
        tokens = self._boxes.tokens({box for one in deliveries for box in one.boxes}, now=now)
        if not tokens:
            return {}
        fresh = self._boxes.without_copy(deliveries)
        held = {
            eid: {box: tokens[box] for box in boxes if box in tokens}
            for eid, boxes in fresh.items()
        }
        return {eid: boxes for eid, boxes in held.items() if boxes}

    def _send(self, taken: Taken, delivery: Delivery, tokens: Mapping[Box, str]) -> None:
        self._tries.pop(taken.delivery.tag, None)
        self.copies.send(taken, delivery, tokens)

    def _known_or_remembered(self, batch: Sequence[Checked]) -> list[Accepted | Conflict]:
        known = self._acceptance.known_all(batch)
        new = [checked for checked, one in zip(batch, known, strict=True) if one is None]
        remembered = iter(self._acceptance.remember(new) if new else ())
        return [next(remembered) if one is None else one for one in known]

    def _settle(self, taken: Taken, placing: Placing) -> None:
        tag = taken.delivery.tag
        if isinstance(placing, PutOff):
            self._tries[tag] += 1
            self._loop.later(STRANGE_KEY_PAUSE_SECONDS, lambda: self.source.again(taken))
            return
        self._tries.pop(tag, None)
        self.source.settle(taken, Verdict.DONE)


def _without(delivery: Delivery, held: Mapping[Box, str]) -> Delivery:
    return replace(delivery, boxes=tuple(box for box in delivery.boxes if box not in held))


def end(body: bytes, code: str, *, now: int, acceptance: Acceptance, store: Store) -> None:
    """The end of an envelope from the hub's own queues that reaches nobody: dead letter, notice.

    Nothing is written where it has come to its end already (another copy was delivered, or the
    sender has been told).
    """
    letter = letter_of(body, reason=code, now=now)
    envelope = readable(body)
    if envelope is None:
        store.put_dead_letters([letter])
        return
    if acceptance.undeliverable(letter, code=code) is not None:
        _log.warning("envelope_undeliverable", eid=envelope.eid, code=code)
        return
    known = store.recall(envelope.header.sender, envelope.header.mid)
    if known is None or known.eid != envelope.eid:
        store.put_dead_letters([letter])
