"""One queue being worked off: what came is done in batches and answered in order.

    source = Source(loop, topology.MAILBOX, work)       # work(batch) settles what it has finished
    Link(loop, url, name="consume", lanes=[source.lane]).start()

When the channel is lost the broker hands over again all that was not acknowledged: the source
starts a new life, with nothing of the old one. A message taken in an earlier life can no longer
be answered; `settle` then does nothing. It refuses to know what is in a message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from broker import amqp
from broker.hub.turns import Turns
from broker.hub.window import Acknowledge, Verdict, Window
from broker.service.logs import logger

# Messages in hand: enough to hide the way to the broker and back, and at half a MiB each
# the most memory the relay can be made to use.
WINDOW: Final = 300

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery and the life of the channel it came in."""

    delivery: amqp.Delivery
    life: int

    @property
    def body(self) -> bytes:
        return self.delivery.body


class Source:
    """A consuming channel with its window."""

    def __init__(
        self, loop: amqp.Loop, queue: str, work: Callable[[Sequence[Taken]], None]
    ) -> None:
        self.lane = amqp.Consumer(
            queue, prefetch=WINDOW, deliver=self._arrived, lost=self._start_anew
        )
        self._queue = queue
        self._window = Window()
        self._turns = Turns(loop, work, told=self._paused)
        self._life = 0
        self._lost: list[Callable[[], None]] = []

    def when_lost(self, forget: Callable[[], None]) -> None:
        """Have `forget` called at the end of each life."""
        self._lost.append(forget)

    def is_current(self, taken: Taken) -> bool:
        """Whether `taken` can still be answered."""
        return taken.life == self._life

    def again(self, taken: Taken) -> None:
        """Work on it once more, in a later turn."""
        if self.is_current(taken):
            self._turns.add(taken)

    def settle(self, taken: Taken, verdict: Verdict) -> None:
        """Its fate is decided; `answer` tells the broker."""
        if self.is_current(taken):
            self._window.settle(taken.delivery.tag, verdict)

    def answer(self) -> None:
        """Acknowledge and reject whatever has become possible."""
        for order in self._window.orders():
            if isinstance(order, Acknowledge):
                self.lane.acknowledge(order.tag, multiple=True)
            else:
                self.lane.reject(order.tag, requeue=order.requeue)

    def _arrived(self, delivery: amqp.Delivery) -> None:
        self._window.arrive(delivery.tag)
        self._turns.add(Taken(delivery, self._life))

    def _start_anew(self) -> None:
        self._life += 1
        self._window.forget()
        self._turns.forget()
        for forget in self._lost:
            forget()

    def _paused(self, code: str, seconds: float) -> None:
        _log.warning("queue_paused", queue=self._queue, code=code, wait_seconds=seconds)
