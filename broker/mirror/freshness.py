"""How old a copy of the log may be: what is still allowed with it, and since when it counts.

Pure: ages in seconds go in, a level comes out. Which message may still be sealed at which level,
and what the screen says, is the desk's decision.

    level = freshness(mirror.age(now))
"""

from __future__ import annotations

from enum import IntEnum, unique
from typing import Final

DAY: Final = 24 * 3600
# Older knowledge is not sealed to: a freeze could have been held back that long.
FRESH_SECONDS: Final = DAY
# So long a directory or its witnesses may be away before peers that are known cannot be reached.
PINNED_SECONDS: Final = 7 * DAY
# A clock that was put back leaves a synchronisation in the future; beyond this it does not count.
CLOCK_TOLERANCE: Final = 300


@unique
class Freshness(IntEnum):
    """What a copy of this age is good for; the higher, the older."""

    FRESH = 0
    PINNED_ONLY = 1
    STALE = 2


def freshness(age: int | None) -> Freshness:
    """The level of an age in seconds; a copy whose age cannot be told is stale."""
    if age is None or age > PINNED_SECONDS:
        return Freshness.STALE
    return Freshness.FRESH if age <= FRESH_SECONDS else Freshness.PINNED_ONLY


def age_by_clock(since: int | None, now: int) -> int | None:
    """Seconds since a moment of this computer's own clock; None if it was put back since."""
    if since is None or now < since - CLOCK_TOLERANCE:
        return None
    return max(0, now - since)


def age_by_witnesses(time: int, *, first_seen: int | None, now: int) -> int | None:
    """Seconds since `time`, which witnesses vouch for and this computer first saw at `first_seen`.

    `first_seen` and `now` are of the computer's own clock. A clock that runs behind by a year
    makes `now - time` nothing for a year; what has passed on it since is true nevertheless.
    """
    waited = age_by_clock(first_seen, now)
    return None if waited is None else max(waited, now - time)
