"""Which of the messages in hand may be acknowledged to the queue, and how.

Pure: tags and verdicts in, orders out. A message is acknowledged only once it is settled, in one
order for a whole run of settled ones, and such an order never reaches across a message that was
refused or is still open: `multiple` in AMQP means "this and everything before". It refuses to
know what a message is, and why it was settled as it was.

    window.arrive(7)
    window.settle(7, Verdict.DONE)
    for order in window.orders(): ...
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Verdict(Enum):
    """What is to become of one message at its source."""

    DONE = auto()  # its fate is durable elsewhere: acknowledge
    ASIDE = auto()  # a person must look: reject, the broker dead-letters it
    AGAIN = auto()  # give back, to be tried again; the broker counts this


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Everything up to and including `tag` that has no answer yet."""

    tag: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Exactly this one."""

    tag: int
    requeue: bool


Order = Acknowledge | Reject


class Window:
    """The messages handed over on one channel and not answered yet, oldest first."""

    def __init__(self) -> None:
        self._verdicts: dict[int, Verdict | None] = {}
        self._newest = 0

    def __len__(self) -> int:
        return len(self._verdicts)

    def arrive(self, tag: int) -> None:
        """A message came. Raises ValueError where tags do not rise: not one channel's life."""
        if tag <= self._newest:
            raise ValueError("delivery tags rise by nature; this one did not")
        self._newest = tag
        self._verdicts[tag] = None

    def settle(self, tag: int, verdict: Verdict) -> None:
        """A verdict on a message in hand. Raises ValueError for any other, and for a second one."""
        if tag not in self._verdicts or self._verdicts[tag] is not None:
            raise ValueError("only an open message can be settled, and only once")
        self._verdicts[tag] = verdict

    def orders(self) -> tuple[Order, ...]:
        """What can be told to the broker now, in this order; it is told once."""
        orders: list[Order] = []
        for tag, verdict in self._settled_prefix():
            del self._verdicts[tag]
            if verdict is not Verdict.DONE:
                orders.append(Reject(tag, requeue=verdict is Verdict.AGAIN))
            elif orders and isinstance(orders[-1], Acknowledge):
                orders[-1] = Acknowledge(tag)
            else:
                orders.append(Acknowledge(tag))
        return tuple(orders)

    def forget(self) -> None:
        """The channel is gone; a new one counts from 1 and hands everything over again."""
        self._verdicts.clear()
        self._newest = 0

    def _settled_prefix(self) -> list[tuple[int, Verdict]]:
        prefix = []
        for tag, verdict in self._verdicts.items():
            if verdict is None:
                break
            prefix.append((tag, verdict))
        return prefix
