"""When somebody must act on a referral, who, and how urgently by now: a pure function of `now`.

    for due in dues(course, urgency="urgent_72h", arrived=..., working=my_calendar):
        due.at, due.by, due.level(now)

Emergency and urgent referrals run by the clock, day and night; a normal one's first answer runs in
working days of the receiving country, in its own time zone, because nobody is there on a holiday,
and what follows it is never due before it. The allowances are the same for every country.
Nothing is forwarded by itself on a breach: the levels say whom to tell, people decide.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import IntEnum, StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from contracts.country import WorkingDays
from contracts.fold import Course, JourneyStands
from contracts.lifecycle import ACTIVE, Side, State

HOUR: Final = 3600
DAY: Final = 24 * HOUR
# After the planned arrival, seconds. Silence is as bad as "not met".
MEET_WITHIN: Final = 3 * HOUR
# To confirm an erasure or name a legal hold, seconds from the withdrawal.
ERASE_WITHIN: Final = 7 * DAY


class Stage(StrEnum):
    """What is awaited."""

    ACKNOWLEDGE = "acknowledge"
    DECIDE = "decide"
    INFORM = "inform"  # the answers to what the receiver asked; they take from its time to decide
    SERVE = "serve"
    MEET = "meet"
    ERASE = "erase"
    SECOND_PERSON = "second_person"


class Level(IntEnum):
    """How far a breach has gone. Each level adds to the one before; none acts by itself."""

    AWAITED = 0  # not due yet
    REMIND = 1  # due: remind whoever must act
    SECOND_PERSON = 2  # tell the second focal person
    TELL_BOTH = 3  # tell the referrer, with the alternatives already consented to


@dataclass(frozen=True, slots=True)
class Allowance:
    """How long somebody may take: seconds by the clock, or working days there."""

    seconds: int = 0
    working_days: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """One thing awaited of one side. Times are Unix seconds."""

    stage: Stage
    by: Side
    at: int
    second_at: int
    tell_at: int

    def level(self, now: int) -> Level:
        """How urgent it is by now."""
        reached = (now >= self.at, now >= self.second_at, now >= self.tell_at)
        return Level(sum(reached))


# From the arrival of the request.
ALLOWANCES: Final[Mapping[str, Mapping[Stage, Allowance]]] = {
    "emergency_24h": {
        Stage.ACKNOWLEDGE: Allowance(HOUR),
        Stage.DECIDE: Allowance(4 * HOUR),
        Stage.INFORM: Allowance(4 * HOUR),
        Stage.SERVE: Allowance(24 * HOUR),
    },
    "urgent_72h": {
        Stage.ACKNOWLEDGE: Allowance(8 * HOUR),
        Stage.DECIDE: Allowance(24 * HOUR),
        Stage.INFORM: Allowance(24 * HOUR),
        Stage.SERVE: Allowance(72 * HOUR),
    },
    "normal_14d": {
        Stage.ACKNOWLEDGE: Allowance(working_days=2),
        Stage.DECIDE: Allowance(5 * DAY),
        Stage.INFORM: Allowance(5 * DAY),
        Stage.SERVE: Allowance(14 * DAY),
    },
}

_AWAITED: Final[Mapping[State, Stage]] = {
    State.DRAFT: Stage.ACKNOWLEDGE,
    State.SENT: Stage.ACKNOWLEDGE,
    State.DELIVERED: Stage.ACKNOWLEDGE,
    State.ACKNOWLEDGED: Stage.DECIDE,
    State.INFO_NEEDED: Stage.INFORM,
    State.ACCEPTED: Stage.SERVE,
    State.WAITLISTED: Stage.SERVE,
}

# Where the table lets the lead send `consent.updated`; the first two count as arrived.
_CAN_BE_RENEWED: Final = frozenset({State.DRAFT, State.SENT, *ACTIVE, State.COMPLETED})


def dues(course: Course, *, urgency: str, arrived: int, working: WorkingDays) -> tuple[Due, ...]:
    """Everything awaited of either side, soonest first.

    `course` is as the asking side sees it (`fold.seen`); `arrived` is when the request was stored
    at the receiver, or for a referrer without that receipt when it was sent, Unix seconds;
    `working` is the receiving country's.
    """
    found = [*_of_state(course, urgency, arrived, working), *_of_journey(course)]
    found += [*_of_erasure(course), *_of_second_person(course)]
    return tuple(sorted(found, key=lambda due: (due.at, due.stage)))


def worst(found: Iterable[Due], now: int) -> Due | None:
    """The one to act on first: the furthest breached, then the longest; None where none is due."""
    breached = [due for due in found if due.level(now) is not Level.AWAITED]
    return max(breached, key=lambda due: (due.level(now), now - due.at), default=None)


def after(start: int, allowance: Allowance, working: WorkingDays) -> int:
    """The moment at which an allowance that began at `start` has run out, Unix seconds."""
    if not allowance.working_days:
        return start + allowance.seconds
    return _working_days_later(start, allowance.working_days, working)


def _of_state(course: Course, urgency: str, arrived: int, working: WorkingDays) -> Iterator[Due]:
    stage = _AWAITED.get(course.state)
    if stage is None:
        return
    by = Side.REFERRER if stage is Stage.INFORM else Side.RECEIVER
    yield _due(stage, by, arrived, _by_then(stage, urgency, arrived, working))


def _by_then(stage: Stage, urgency: str, arrived: int, working: WorkingDays) -> int:
    """When a stage is due: over a week of holidays not before those that it follows."""
    allowances = ALLOWANCES.get(urgency, ALLOWANCES["normal_14d"])
    upto = list(allowances)[: list(allowances).index(stage) + 1]
    return max(after(arrived, allowances[one], working) for one in upto)


def _of_journey(course: Course) -> Iterator[Due]:
    if course.arrives is None:
        return
    # In every state: somebody may be on the road when a case ends, and be met by nobody.
    if course.journey is JourneyStands.PLANNED:
        at = course.arrives + MEET_WITHIN  # both duty numbers at once: somebody is standing there
        yield Due(Stage.MEET, Side.RECEIVER, at, at, at)
    if course.journey is JourneyStands.NOT_MET:
        yield Due(Stage.MEET, Side.RECEIVER, course.arrives, course.arrives, course.arrives)


def _of_erasure(course: Course) -> Iterator[Due]:
    for side, since in course.owed.items():
        if side not in course.held:
            yield _due(Stage.ERASE, side, since, since + ERASE_WITHIN)


def _of_second_person(course: Course) -> Iterator[Due]:
    # Later nobody may renew a basis any more, and a reminder that nobody can end helps nobody.
    if course.second_by is not None and course.state in _CAN_BE_RENEWED:
        at = course.second_by
        yield Due(Stage.SECOND_PERSON, course.lead, at, at, at)


def _due(stage: Stage, by: Side, began: int, at: int) -> Due:
    """Half the time again until the second person is told, the whole again until both sides are."""
    allowed = at - began
    return Due(stage, by, at, at + allowed // 2, at + allowed)


def _working_days_later(start: int, days: int, working: WorkingDays) -> int:
    """The same time of day, so many working days later.

    What arrives on a day off begins with the next working day, whose whole length then counts.
    """
    local = datetime.fromtimestamp(start, ZoneInfo(working.zone))
    if not working.is_working_day(local.date()):
        local = datetime.combine(_next_working_day(local.date(), working), time(), local.tzinfo)
    for _ in range(days):
        local = datetime.combine(
            _next_working_day(local.date(), working), local.time(), local.tzinfo
        )
    return int(local.timestamp())


def _next_working_day(day: date, working: WorkingDays) -> date:
    day += timedelta(days=1)
    while not working.is_working_day(day):
        day += timedelta(days=1)
    return day
