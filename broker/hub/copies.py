"""The copies that go on from the writer into devices' own queues.

    copies.send(taken, delivery, {box: token})     # settles `taken` when all of it is durable

Each device that holds a box gets a message of its own, with fresh properties. When the broker has
confirmed them all, their rows are written, and then the source is told. A box that is full or
away gives its device an ordinary mailbox row instead: one device must not hold up the others. A
repetition after a crash can put a second copy into a box; desks show an envelope once. It refuses
to know who has a box and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from broker.amqp import Loop, Message, Outcome, Publisher
from broker.hub import topology
from broker.hub.boxes import Boxes
from broker.hub.source import Source, Taken
from broker.hub.store import Box, Delivery, Store
from broker.hub.turns import Turns
from broker.hub.window import Verdict
from broker.service.logs import logger

_log = logger(__name__)


def message_for_queue(body: bytes, *, eid: str, exp: int, now: int) -> Message:
    """The copy as it is published: from `exp` on, the queue does not give it out any more."""
    return Message(body=body, message_id=eid, expires_ms=max(exp - now, 0) * 1000)


@dataclass(slots=True)
class _Flight:
    """One message of the source and its copies under way."""

    taken: Taken
    delivery: Delivery
    waiting: int
    confirmed: dict[Box, str] = field(default_factory=dict)
    refused: list[Box] = field(default_factory=list)
    lost: bool = False


class Copies:
    """Publishes to boxes and writes down what became of it."""

    def __init__(
        self, loop: Loop, *, source: Source, boxes: Boxes, store: Store, clock: Callable[[], int]
    ) -> None:
        self._source = source
        self._boxes = boxes
        self._store = store
        self._clock = clock
        self.publisher = Publisher(ready=self._publish_parked)
        self._landed: Turns[_Flight] = Turns(loop, self._write, told=self._paused)
        self._parked: list[Taken] = []
        source.when_lost(self._parked.clear)

    def send(self, taken: Taken, delivery: Delivery, tokens: Mapping[Box, str]) -> None:
        """Publish one copy to each; `taken` is settled, or worked on again, when all is known."""
        flight = _Flight(taken, delivery, waiting=len(tokens))
        now = self._clock()
        for box, token in tokens.items():
            message = message_for_queue(delivery.body, eid=delivery.eid, exp=delivery.exp, now=now)
            settle = partial(self._answered, flight, box, token)
            self.publisher.publish(topology.DELIVER, token, message, settle)

    def _answered(self, flight: _Flight, box: Box, token: str, outcome: Outcome) -> None:
        flight.waiting -= 1
        if outcome is Outcome.CONFIRMED:
            flight.confirmed[box] = token
        elif outcome is Outcome.REFUSED:
            flight.refused.append(box)
        else:
            flight.lost = True
        if flight.waiting == 0:
            self._landed.add(flight)

    def _write(self, batch: Sequence[_Flight]) -> None:
        for flight in batch:
            self._boxes.put(flight.delivery, flight.confirmed)
        rows = [replace(it.delivery, boxes=tuple(it.refused)) for it in batch if it.refused]
        if rows:
            self._store.deliver(rows)
            _log.warning("boxes_refused", count=len(rows))
        for flight in batch:
            if not self._source.is_current(flight.taken):
                continue
            if flight.lost:
                self._park(flight.taken)
            else:
                self._source.settle(flight.taken, Verdict.DONE)
        self._source.answer()

    def _park(self, taken: Taken) -> None:
        if self.publisher.usable:
            self._source.again(taken)
        else:
            self._parked.append(taken)

    def _publish_parked(self) -> None:
        parked, self._parked = self._parked, []
        for taken in parked:
            self._source.again(taken)

    def _paused(self, code: str, seconds: float) -> None:
        _log.warning("boxes_paused", code=code, wait_seconds=seconds)
