"""Work in batches: one database transaction for as many messages as have come meanwhile.

The loop has one thread, and every commit waits for the disk. So what comes in is collected, and
a turn takes up to a hundred at once. A turn that fails because the world is not ready (database
or directory away) is kept and repeated after a growing pause, so nothing is given back to the
queue and counted against a message that did nothing wrong. It refuses to know what the work is.

    turns = Turns(loop, work, told=log_it)
    turns.add(item)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, Generic, TypeVar

from broker.amqp import Loop
from broker.hub.answers import OF_THE_WORLD, Halt, answer_to
from broker.service.failures import Failure

T = TypeVar("T")

BATCH: Final = 100
FIRST_PAUSE_SECONDS: Final = 0.2
LAST_PAUSE_SECONDS: Final = 10.0
# What comes within this time shares a commit; a commit takes as long.
GATHERING_SECONDS: Final = 0.004


class Halted(Failure):
    """The relay stopped itself, because going on could do harm."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"The relay has stopped ({code.replace('_', ' ')}): going on could do harm. Nothing is "
            "lost, and no message was acknowledged. The operator must find out why before it is "
            "started again."
        )


class Turns(Generic[T]):
    """A list of things to do and one kind of work, which must be repeatable as a whole."""

    def __init__(
        self,
        loop: Loop,
        work: Callable[[Sequence[T]], None],
        *,
        told: Callable[[str, float], None],
    ) -> None:
        self._loop = loop
        self._work = work
        self._told = told
        self._waiting: deque[T] = deque()
        self._scheduled = False
        self._pause = FIRST_PAUSE_SECONDS

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: T) -> None:
        """Put it at the end of the line."""
        self._waiting.append(item)
        self._schedule()

    def forget(self) -> None:
        """Drop everything that waits: its connection is gone and it will come again."""
        self._waiting.clear()

    def _schedule(self) -> None:
        if not self._scheduled and self._waiting:
            self._scheduled = True
            self._loop.later(GATHERING_SECONDS, self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        batch = tuple(islice(self._waiting, BATCH))
        if not batch:
            return
        try:
            self._work(batch)
        except OF_THE_WORLD as error:
            self._again_later(error)
            return
        self._pause = FIRST_PAUSE_SECONDS
        for _ in batch:
            self._waiting.popleft()
        self._schedule()

    def _again_later(self, error: Exception) -> None:
        answer = answer_to(error)
        if isinstance(answer, Halt):
            raise Halted(answer.code) from None
        self._told(answer.code, self._pause)
        self._scheduled = True
        self._loop.later(self._pause, self._turn)
        self._pause = min(self._pause * 2, LAST_PAUSE_SECONDS)
