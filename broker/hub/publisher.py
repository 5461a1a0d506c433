"""From the outbox to `deliver`: what came in over HTTPS reaches the queue.

A row is deleted only after the queue has confirmed its copy. A crash in between publishes it once
more, and the mailbox keeps one. Rows are read in order; what is under way is not read again, and
after any gap (the end of the table, where a row may yet be committed late; a refusal; a lost
connection) reading starts over from the oldest, once nothing is under way. It refuses to open an
envelope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from broker.amqp import Loop, Outcome, Publisher
from broker.hub import topology
from broker.hub.answers import OF_THE_WORLD
from broker.hub.copies import message_for_queue
from broker.hub.store import Delivery, Store
from broker.hub.turns import BATCH, Turns
from broker.service.logs import logger

UNCONFIRMED: Final = 300
IDLE_SECONDS: Final = 0.1
AWAY_SECONDS: Final = 2.0
REFUSED_SECONDS: Final = 1.0

_log = logger(__name__)


class OutboxPublisher:
    """Polls the outbox, publishes with confirms."""

    def __init__(self, loop: Loop, *, store: Store, clock: Callable[[], int]) -> None:
        self._loop = loop
        self._store = store
        self._clock = clock
        self.publisher = Publisher(ready=self._start_over)
        self._confirmed: Turns[Delivery] = Turns(loop, self._delete, told=self._paused)
        self._under_way = 0
        self._after = 0
        self._gap = False
        self._refused = False

    def start(self) -> None:
        """Look into the outbox, now and for as long as the loop runs."""
        self._loop.later(self._drain(), self.start)

    def _drain(self) -> float:
        """Publish what there is; answers in how many seconds to look again."""
        if self._refused and self._under_way == 0:
            self._refused = False
            return REFUSED_SECONDS
        if not self.publisher.usable or not self._may_read():
            return IDLE_SECONDS
        try:
            rows = self._store.outbox(limit=BATCH, after=self._after)
        except OF_THE_WORLD:
            self._paused("database_away", AWAY_SECONDS)
            return AWAY_SECONDS
        now = self._clock()
        for number, delivery in rows:
            self._after = number
            self._publish(delivery, now)
        self._gap = len(rows) < BATCH
        return IDLE_SECONDS if self._gap else 0

    def _may_read(self) -> bool:
        if self._under_way == 0:
            self._start_over()
        return not self._gap and self._under_way <= UNCONFIRMED - BATCH

    def _publish(self, delivery: Delivery, now: int) -> None:
        self._under_way += 1
        message = message_for_queue(delivery.body, eid=delivery.eid, exp=delivery.exp, now=now)
        settle = partial(self._settled, delivery)
        self.publisher.publish(topology.DELIVER, topology.MAILBOX_KEY, message, settle)

    def _settled(self, delivery: Delivery, outcome: Outcome) -> None:
        if outcome is Outcome.CONFIRMED:
            self._confirmed.add(delivery)
            return
        self._under_way -= 1
        self._gap = True
        self._refused = self._refused or outcome is Outcome.REFUSED

    def _delete(self, batch: Sequence[Delivery]) -> None:
        self._store.outbox_confirmed([delivery.eid for delivery in batch])
        self._under_way -= len(batch)

    def _start_over(self) -> None:
        if self._under_way == 0:
            self._after, self._gap = 0, False

    def _paused(self, code: str, seconds: float) -> None:
        _log.warning("outbox_paused", code=code, wait_seconds=seconds)
