"""The unlocked desk of the web pages: who may use it, when it locks, and what runs meanwhile.

It holds the only references to keys in this process, and drops them when the desk locks: by the
button, after ten idle minutes, or at the end. While it is unlocked a thread does the errands
(`courier.tick`) with a desk object of its own, as another process of the same desk would, so that
a slow network never holds up a page. It knows no page, no cookie and no passphrase for longer
than opening takes.

    vault.unlock(passphrase)
    with vault.use() as desk: ...      # raises Locked
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from broker.desk.courier import tick
from broker.desk.unlocking import Desk
from broker.service.failures import Failure
from broker.service.logs import logger

IDLE_SECONDS: Final = 600.0
ROUND_SECONDS: Final = 5.0

_log = logger(__name__)


class Locked(Exception):
    """The desk is locked; nobody's fault."""


def elapsed() -> float:
    """Seconds that pass while the computer sleeps too: a closed lid must not keep a desk open."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Vault:
    """One desk, locked or unlocked. Safe to share between threads."""

    def __init__(
        self,
        open_desk: Callable[[bytes], Desk],
        *,
        clock: Callable[[], float] = elapsed,
        idle_seconds: float = IDLE_SECONDS,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._open_desk = open_desk
        self.clock = clock
        self._idle_seconds = idle_seconds
        self._round_seconds = round_seconds
        self._opening = threading.Lock()
        self._change = threading.Lock()  # guards the two below; held for an instant only
        self._held: _Held | None = None
        self._touched = clock()

    @property
    def locked(self) -> bool:
        """Whether nobody can use it now; locks it first if it has been idle for too long."""
        self.lock_if_idle()
        return self._held is None

    def unlock(self, passphrase: bytes) -> None:
        """Open the desk and begin its errands. Raises what opening raises, and stays locked."""
        with self._opening:
            if self._held is not None:
                return
            desk = self._open_desk(passphrase)
            try:
                errands = Errands(self._open_desk(passphrase), every=self._round_seconds)
            except BaseException:
                desk.close()
                raise
            with self._change:
                self._held = _Held(desk, errands)
                self._touched = self.clock()
            errands.start()

    def lock(self) -> None:
        """Drop the keys. A page that is being made just now ends first; it is the last one."""
        with self._change:
            held, self._held = self._held, None
            if held is None:
                return
            held.retired = True
            unused = held.users == 0
        held.errands.stop()
        if unused:
            held.desk.close()
        del held
        gc.collect()  # what refers to keys in a circle goes now and not some time

    def touch(self) -> None:
        """Somebody is here."""
        with self._change:
            self._touched = self.clock()

    def lock_if_idle(self) -> None:
        """Lock where nobody was here for the idle time."""
        with self._change:
            idle = self.clock() - self._touched
        if idle >= self._idle_seconds:
            self.lock()

    @contextmanager
    def use(self) -> Iterator[Desk]:
        """The desk, for one page. Raises `Locked`."""
        held = self._taken()
        try:
            # One person does one thing after the other; two tabs take turns.
            with held.turn:
                yield held.desk
        finally:
            self._given_back(held)

    def hurry(self, *, patience: float) -> tuple[Failure, ...]:
        """Have a round of errands done now, and wait for it, `patience` seconds at most."""
        held = self._held
        return () if held is None else held.errands.hurry(patience)

    @property
    def troubles(self) -> tuple[Failure, ...]:
        """What the last round could not do."""
        held = self._held
        return () if held is None else held.errands.troubles

    def _taken(self) -> _Held:
        with self._change:
            if self._held is None:
                raise Locked
            self._held.users += 1
            return self._held

    def _given_back(self, held: _Held) -> None:
        with self._change:
            held.users -= 1
            last = held.retired and held.users == 0
        if last:
            held.desk.close()
            del held
            gc.collect()


class Errands(threading.Thread):
    """Rounds of one desk until it is told to stop; then it closes that desk and forgets it."""

    def __init__(self, desk: Desk, *, every: float) -> None:
        super().__init__(name="desk-errands", daemon=True)
        self._desk: Desk | None = desk
        self._every = every
        self._changed = threading.Condition()
        self._stopped = False
        self._asked = self._done = 0
        self.troubles: tuple[Failure, ...] = ()

    def run(self) -> None:
        """Until `stop`."""
        try:
            while not self._stopped:
                asked, eager = self._asked, self._asked > self._done
                self._round(eager=eager)
                self._rest(asked)
        finally:
            desk, self._desk, self.troubles = self._desk, None, ()
            if desk is not None:
                desk.close()
            del desk
            gc.collect()

    def stop(self) -> None:
        """End now: a server that does not answer must not keep the keys in memory."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        desk = self._desk
        if desk is not None:
            desk.hub.close()
            desk.directory.close()

    def hurry(self, patience: float) -> tuple[Failure, ...]:
        """Ask for a round and wait until it is done; what it could not do, as far as known."""
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stopped or self._done >= mine, patience)
        return self.troubles

    def _round(self, *, eager: bool) -> None:
        if self._desk is None:
            return
        try:
            troubles = tick(self._desk, eager=eager).troubles
            # A traceback's frames hold the desk.
            self.troubles = tuple(one.with_traceback(None) for one in troubles)
        except Exception as error:  # noqa: BLE001 - logged by type; the next round may do better
            _log.error("round_failed", exc_info=error)

    def _rest(self, asked: int) -> None:
        with self._changed:
            self._done = max(self._done, asked)
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._stopped or self._asked > self._done, timeout=self._every
            )


@dataclass(slots=True)
class _Held:
    desk: Desk
    errands: Errands
    users: int = 0
    retired: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)
