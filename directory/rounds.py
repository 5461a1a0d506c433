"""The thread that opens the log, signs it and asks the witnesses, in each process that serves.

Of all processes one at a time has the turn: a row of the database that its holder renews. That
saves asking twice and protects nothing; the log's own write lock does. Whoever dies with the turn
loses it after `TURN_SECONDS`.

    rounds = Rounds(engine, witnessing, gate, clock=clock)
    rounds.start()
    rounds.wake()                            # a statement was added
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine, select, update

from broker.service.database import begin_immediate
from broker.service.logs import logger
from directory.checkpoints import Gate
from directory.models import Turn
from directory.statements import LogClosed
from directory.witnessing import Witnessing

TURN_SECONDS: Final = 30
# How soon another process's statement is noticed; our own wakes us.
POLL_SECONDS: Final = 1.0
_TASK: Final = "witnessing"
_LONGEST_PAUSE: Final = 15.0

_log = logger(__name__)


class Rounds:
    """Repeats opening and rounds until stopped."""

    def __init__(
        self,
        engine: Engine,
        witnessing: Witnessing,
        gate: Gate,
        *,
        opened: Callable[[], object],
        clock: Callable[[], int],
    ) -> None:
        """`opened` is called when the log has been found whole: leaves may have come back."""
        self._engine = engine
        self._witnessing = witnessing
        self._gate = gate
        self._opened = opened
        self._clock = clock
        self._holder = secrets.token_hex(16)
        self._woken = threading.Event()
        self._stopped = threading.Event()

    def start(self) -> None:
        """In a thread that ends with this process."""
        threading.Thread(target=self._run, name="witnessing", daemon=True).start()

    def wake(self) -> None:
        """Have a look now, and not only in a second."""
        self._woken.set()

    def stop(self) -> None:
        """Begin no more."""
        self._stopped.set()
        self._woken.set()

    def step(self) -> None:
        """Open the log, or do a round if it is our turn. Raises what they raise."""
        now = self._clock()
        if not self._gate.is_open:
            self._witnessing.open()
            self._opened()
        if self.take_turn(now=now):
            self._witnessing.round(now=now)

    def take_turn(self, *, now: int) -> bool:
        """Whether this process has the turn; written only when it changes or half has passed."""
        mine = Turn.name == _TASK
        with self._engine.connect() as connection:
            holder, until = connection.execute(select(Turn.holder, Turn.until).where(mine)).one()
        left = until - now
        if 0 < left <= TURN_SECONDS and (holder != self._holder or left > TURN_SECONDS // 2):
            return bool(holder == self._holder)
        unchanged = (mine, Turn.holder == holder, Turn.until == until)
        taking = update(Turn).where(*unchanged)
        with begin_immediate(self._engine) as connection:
            values = {"holder": self._holder, "until": now + TURN_SECONDS}
            return connection.execute(taking.values(values)).rowcount == 1

    def _run(self) -> None:
        pause = POLL_SECONDS
        while not self._stopped.is_set():
            try:
                self.step()
                pause = POLL_SECONDS
            except LogClosed as closed:
                _log.warning("log_closed", code=closed.code, wait_seconds=pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            # Whatever it is: without later rounds nothing would be witnessed any more.
            except Exception as error:  # noqa: BLE001 - logged by type; the next round may do better
                _log.error("log_not_signed", exc_info=error, wait_seconds=pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            self._woken.wait(pause)
            self._woken.clear()
        self._witnessing.close()


def end_turns(engine: Engine) -> None:
    """At a start by the operator: whoever had the turn before has ended."""
    with begin_immediate(engine) as connection:
        connection.execute(update(Turn).values({"holder": "", "until": 0}))
