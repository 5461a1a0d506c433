"""One figure of `make bench`: what a piece of ours costs, beside its floor of the same run.

    costs = [compared("seal", seals, floor, limit=2.0, rounds=40, repeats=20)]
    return exit_code(costs)

It knows nothing of what is measured. Ours and the floor are measured turn by turn, so that a busy
machine slows both; each figure is the least of many rounds, in this thread's own time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

NOT_JUDGED: Final = "  (not judged)"


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of ours and of the floor; a cost without a limit is printed, not judged."""

    name: str
    ours: float
    floor: float
    limit: float | None

    @property
    def ratio(self) -> float:
        return self.ours / self.floor

    @property
    def passes(self) -> bool:
        return self.limit is None or self.ratio <= self.limit

    def line(self, width: int) -> str:
        """As it is printed, the name padded to `width`."""
        figures = f"{self.ours:.3f} ms  floor {self.floor:.3f} ms  x{self.ratio:.2f}"
        return f"{self.name:{width}} {figures}"


def compared(
    name: str,
    ours: Callable[[], object],
    floor: Callable[[], object],
    *,
    limit: float | None,
    rounds: int,
    repeats: int,
) -> Cost:
    """What one call of each costs: the least of `rounds`, each the mean of `repeats` calls."""
    pairs = [(_milliseconds(ours, repeats), _milliseconds(floor, repeats)) for _ in range(rounds)]
    first, second = zip(*pairs, strict=True)
    return Cost(name, min(first), min(second), limit)


def exit_code(costs: Iterable[Cost]) -> int:
    """0 if every judged cost is within its limit, else 1."""
    return 0 if all(cost.passes for cost in costs) else 1


def _milliseconds(call: Callable[[], object], repeats: int) -> float:
    begun = time.thread_time()
    for _ in range(repeats):
        call()
    return (time.thread_time() - begun) * 1000 / repeats
