"""Slowing down whoever tries passphrases: one at a time, and after wrong ones only after a while.

tries.attempt(lambda: vault.unlock(passphrase))      # raises TooSoon instead of waiting
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from broker.desk.errors import DeskError

FREE_TRIES: Final = 3
LONGEST_WAIT: Final = 300.0  # seconds


class TooSoon(Exception):
    """Nothing was tried; `seconds` are left to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too_soon")
        self.seconds = seconds


class Patience:
    """The wait doubles with each wrong passphrase after the first few. Never makes a thread wait
    for the time to pass.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._wrong = 0
        self._not_before = clock()

    def attempt(self, opening: Callable[[], None]) -> None:
        """Call `opening`. Raises `TooSoon`, and whatever `opening` raises."""
        with self._one_at_a_time:
            left = self._not_before - self._clock()
            if left > 0:
                raise TooSoon(left)
            try:
                opening()
            except DeskError as error:
                if error.code == "wrong_passphrase":
                    self._slow_down()
                raise
            self._wrong = 0

    def _slow_down(self) -> None:
        self._wrong += 1
        if self._wrong >= FREE_TRIES:
            wait = min(LONGEST_WAIT, 2.0 ** (self._wrong - FREE_TRIES + 1))
            self._not_before = self._clock() + wait
