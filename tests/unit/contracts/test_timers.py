"""Nobody waits unseen: what is due is due in time, of the right side, and red until it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import URGENCIES
from contracts.country import WorkingDays
from contracts.fold import Course, JourneyStands
from contracts.lifecycle import ACTIVE, ENDED, TAKEN_UP, Side, State
from contracts.timers import (
    ALLOWANCES,
    DAY,
    ERASE_WITHIN,
    HOUR,
    MEET_WITHIN,
    Allowance,
    Due,
    Level,
    Stage,
    after,
    dues,
    worst,
)
from countries.packs import COUNTRIES
from countries.working import public_holidays, working_days
from tests.unit.contracts.courses import every_course

YEARS = (2026, 2027)
ARRIVALS = st.integers(
    int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
    int(datetime(2027, 9, 30, tzinfo=UTC).timestamp()),
)
ARRIVED = int(datetime(2026, 11, 23, 2, 30, tzinfo=UTC).timestamp())  # a Monday morning
CALENDARS = {country: working_days(country, years=YEARS) for country in COUNTRIES}
MALAYSIA = CALENDARS["my"]
TWO_DAYS = Allowance(working_days=2)
OVER = (*ENDED, State.WITHDRAWN, State.ERASED)


def course(state: State = State.DELIVERED, **changes: object) -> Course:
    plain = Course(state=state, lead=Side.REFERRER, consent_until=ARRIVED + 90 * DAY)
    return replace(plain, **changes)  # type: ignore[arg-type]  # members by name


def due_of(
    stands: Course,
    *,
    urgency: str = "normal_14d",
    arrived: int = ARRIVED,
    working: WorkingDays = MALAYSIA,
) -> tuple[Due, ...]:
    return dues(stands, urgency=urgency, arrived=arrived, working=working)


def only(found: tuple[Due, ...]) -> Due:
    (due,) = found
    return due


def local(moment: int, working: WorkingDays) -> datetime:
    return datetime.fromtimestamp(moment, ZoneInfo(working.zone))


def with_holidays(working: WorkingDays, days: Iterable[date]) -> WorkingDays:
    return replace(working, holidays=working.holidays | frozenset(days))


# The states and what they wait for


AWAITED = {
    State.DRAFT: (Stage.ACKNOWLEDGE, Side.RECEIVER),
    State.SENT: (Stage.ACKNOWLEDGE, Side.RECEIVER),
    State.DELIVERED: (Stage.ACKNOWLEDGE, Side.RECEIVER),
    State.ACKNOWLEDGED: (Stage.DECIDE, Side.RECEIVER),
    State.INFO_NEEDED: (Stage.INFORM, Side.REFERRER),
    State.ACCEPTED: (Stage.SERVE, Side.RECEIVER),
    State.WAITLISTED: (Stage.SERVE, Side.RECEIVER),
}


@pytest.mark.parametrize("state", State)
def test_a_state_in_which_nobody_is_waited_for_or_the_wrong_side_is(state: State) -> None:
    found = tuple((due.stage, due.by) for due in due_of(course(state)))
    assert found == ((AWAITED[state],) if state in AWAITED else ())


@pytest.mark.parametrize("state", OVER)
@pytest.mark.parametrize("urgency", URGENCIES)
def test_a_referral_that_has_ended_and_still_nags(state: State, urgency: str) -> None:
    found = due_of(course(state, second_by=ARRIVED), urgency=urgency)
    assert all(due.stage is Stage.SECOND_PERSON for due in found)
    assert bool(found) == (state is State.COMPLETED)  # there the lead can still renew the basis


@pytest.mark.parametrize("state", State)
def test_somebody_is_on_the_road_when_a_case_ends(state: State) -> None:
    travelling = course(state, journey=JourneyStands.PLANNED, arrives=ARRIVED)
    assert Stage.MEET in {due.stage for due in due_of(travelling)}


@pytest.mark.parametrize(
    ("urgency", "hours"),
    [("emergency_24h", (1, 4, 24)), ("urgent_72h", (8, 24, 72))],
)
@pytest.mark.parametrize("country", COUNTRIES)
def test_an_emergency_that_waits_for_the_end_of_a_holiday(
    country: str, urgency: str, hours: tuple[int, ...]
) -> None:
    calendar = CALENDARS[country]
    holiday = public_holidays(country, 2026)[0].day
    arrived = int(datetime.combine(holiday, time(1), ZoneInfo(calendar.zone)).timestamp())
    for state, allowed in zip(
        (State.DELIVERED, State.ACKNOWLEDGED, State.ACCEPTED), hours, strict=True
    ):
        due = only(due_of(course(state), urgency=urgency, arrived=arrived, working=calendar))
        assert due.at == arrived + allowed * HOUR


def test_an_urgency_of_a_newer_version_is_not_left_without_a_term() -> None:
    assert due_of(course(), urgency="within_an_hour") == due_of(course(), urgency="normal_14d")


def test_every_urgency_has_every_term_in_the_order_of_the_stages() -> None:
    for urgency in URGENCIES:
        assert list(ALLOWANCES[urgency]) == [
            Stage.ACKNOWLEDGE,
            Stage.DECIDE,
            Stage.INFORM,
            Stage.SERVE,
        ]


# Working days


@given(ARRIVALS, st.sampled_from(COUNTRIES), st.integers(1, 10))
def test_a_term_that_counts_a_day_on_which_nobody_is_there(
    arrived: int, country: str, days: int
) -> None:
    calendar = CALENDARS[country]
    begun = local(arrived, calendar)
    due = local(after(arrived, Allowance(working_days=days), calendar), calendar)
    there = calendar.is_working_day(begun.date())
    passed = [begun.date() + timedelta(days=n) for n in range(1, (due - begun).days + 3)]
    whole = [day for day in passed if day < due.date() and calendar.is_working_day(day)]
    assert calendar.is_working_day(due.date())
    assert len(whole) == (days - 1 if there else days)
    assert due.time() == (begun.time() if there else time())


@pytest.mark.parametrize(
    ("country", "arrived", "due"),
    [
        # Friday afternoon in Malaysia: Monday and Tuesday.
        ("my", "2026-11-20T17:00", "2026-11-24T17:00"),
        # Friday and Saturday are off in Bangladesh, Sunday is not.
        ("bd", "2026-11-20T17:00", "2026-11-24T00:00"),
        ("bd", "2026-11-22T17:00", "2026-11-24T17:00"),
        # Saturday in Thailand begins on Monday, whose whole length counts.
        ("th", "2026-11-21T17:00", "2026-11-25T00:00"),
        # The first week of October in China.
        ("cn", "2026-09-30T17:00", "2026-10-09T17:00"),
    ],
)
def test_a_weekend_that_is_not_saturday_and_sunday(country: str, arrived: str, due: str) -> None:
    calendar = CALENDARS[country]
    zone = ZoneInfo(calendar.zone)
    begun = int(datetime.fromisoformat(arrived).replace(tzinfo=zone).timestamp())
    assert local(after(begun, TWO_DAYS, calendar), calendar) == datetime.fromisoformat(due).replace(
        tzinfo=zone
    )


def test_a_day_that_is_counted_by_the_wrong_countrys_clock() -> None:
    """20:00 in UTC on a Friday is Saturday in Kuala Lumpur, a day off."""
    friday_evening = int(datetime(2026, 11, 20, 20, tzinfo=UTC).timestamp())
    due = local(after(friday_evening, TWO_DAYS, MALAYSIA), MALAYSIA)
    assert (due.date(), due.time()) == (date(2026, 11, 25), time())
    at_midnight = int(datetime(2026, 11, 20, 16, tzinfo=UTC).timestamp())
    second_before = local(after(at_midnight - 1, TWO_DAYS, MALAYSIA), MALAYSIA)
    assert second_before.date() == date(2026, 11, 24)
    assert local(after(at_midnight, TWO_DAYS, MALAYSIA), MALAYSIA).date() == date(2026, 11, 25)


@given(
    ARRIVALS,
    st.sampled_from(COUNTRIES),
    st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=20),
    st.sampled_from(sorted(ALLOWANCES)),
    st.sampled_from([State.DELIVERED, State.ACKNOWLEDGED, State.ACCEPTED]),
)
def test_one_holiday_more_that_makes_a_term_shorter(
    arrived: int, country: str, days: set[date], urgency: str, state: State
) -> None:
    plain = CALENDARS[country]
    before = only(due_of(course(state), urgency=urgency, arrived=arrived, working=plain))
    more = with_holidays(plain, days)
    later = only(due_of(course(state), urgency=urgency, arrived=arrived, working=more))
    assert later.at >= before.at


@given(ARRIVALS, st.integers(0, 10 * DAY), st.sampled_from(COUNTRIES))
def test_who_came_later_is_due_earlier(arrived: int, later: int, country: str) -> None:
    calendar = CALENDARS[country]
    assert after(arrived, TWO_DAYS, calendar) <= after(arrived + later, TWO_DAYS, calendar)


@given(
    ARRIVALS,
    st.sampled_from(COUNTRIES),
    st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=40),
    st.sampled_from(sorted(ALLOWANCES)),
)
def test_a_decision_is_due_before_the_answer_that_somebody_has_seen_it(
    arrived: int, country: str, days: set[date], urgency: str
) -> None:
    calendar = with_holidays(CALENDARS[country], days)
    terms = [
        only(due_of(course(state), urgency=urgency, arrived=arrived, working=calendar)).at
        for state in (State.DELIVERED, State.ACKNOWLEDGED, State.ACCEPTED)
    ]
    assert arrived < terms[0] <= terms[1] <= terms[2]


@given(ARRIVALS, st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe"]))
def test_a_clock_that_is_put_forward_or_back_within_a_term(arrived: int, zone: str) -> None:
    """None of the eight countries does so now; another may join, and a law may change."""
    calendar = WorkingDays("xx", zone, frozenset({5, 6}))
    assert arrived + DAY <= after(arrived, TWO_DAYS, calendar) <= arrived + 6 * DAY


# How far a breach has gone


@given(
    st.sampled_from([*AWAITED]),
    st.sampled_from(sorted(ALLOWANCES)),
    ARRIVALS,
    st.lists(st.integers(-DAY, 60 * DAY), min_size=2, max_size=6),
)
def test_a_breach_that_heals_by_waiting(
    state: State, urgency: str, arrived: int, moments: list[int]
) -> None:
    due = only(due_of(course(state), urgency=urgency, arrived=arrived))
    levels = [due.level(arrived + moment) for moment in sorted(moments)]
    assert levels == sorted(levels)
    assert arrived < due.at <= due.second_at <= due.tell_at
    assert due.level(due.at - 1) is Level.AWAITED
    assert due.level(due.at) is not Level.AWAITED
    assert due.level(due.tell_at) is Level.TELL_BOTH


def test_the_levels_of_an_emergency_hour_by_hour() -> None:
    due = only(due_of(course(), urgency="emergency_24h"))
    asked = [ARRIVED, ARRIVED + HOUR, ARRIVED + 3 * HOUR // 2, ARRIVED + 2 * HOUR]
    assert [due.level(now) for now in asked] == list(Level)


@given(st.data())
def test_the_worst_is_not_the_one_shown_first(data: st.DataObject) -> None:
    moments = st.lists(st.integers(0, 100), min_size=3, max_size=3).map(sorted)
    found = tuple(
        Due(Stage.DECIDE, Side.RECEIVER, *data.draw(moments))
        for _ in range(data.draw(st.integers(0, 5)))
    )
    now = data.draw(st.integers(0, 100))
    first = worst(found, now)
    breached = [due for due in found if due.level(now) is not Level.AWAITED]
    assert (first is None) == (not breached)
    if first is not None:
        assert all(first.level(now) >= due.level(now) for due in breached)
        same = [due for due in breached if due.level(now) is first.level(now)]
        assert all(first.at <= due.at for due in same)


# A journey, an erasure, somebody alone on shift


@pytest.mark.parametrize("state", TAKEN_UP)
def test_somebody_arrives_to_nobody_and_both_desks_are_not_red_at_once(state: State) -> None:
    travelling = course(state, journey=JourneyStands.PLANNED, arrives=ARRIVED)
    (due,) = (one for one in due_of(travelling) if one.stage is Stage.MEET)
    assert due.by is Side.RECEIVER
    assert due.level(ARRIVED + MEET_WITHIN - 1) is Level.AWAITED
    assert due.level(ARRIVED + MEET_WITHIN) is Level.TELL_BOTH


@pytest.mark.parametrize("state", State)
def test_somebody_who_was_not_met_is_forgotten_because_the_case_ended(state: State) -> None:
    missing = course(state, journey=JourneyStands.NOT_MET, arrives=ARRIVED)
    (due,) = (one for one in due_of(missing) if one.stage is Stage.MEET)
    assert due.level(ARRIVED) is Level.TELL_BOTH
    met = replace(missing, journey=JourneyStands.MET)
    assert not any(one.stage is Stage.MEET for one in due_of(met))


@pytest.mark.parametrize("journey", JourneyStands)
def test_a_journey_without_an_arrival_is_waited_for(journey: JourneyStands) -> None:
    assert not any(one.stage is Stage.MEET for one in due_of(course(journey=journey)))


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.ERASED])
def test_an_erasure_that_nobody_is_reminded_of(state: State) -> None:
    owed = course(state, owed={Side.RECEIVER: ARRIVED, Side.REFERRER: ARRIVED})
    found = due_of(owed)
    assert {due.by for due in found} == set(Side)
    assert all((due.stage, due.at) == (Stage.ERASE, ARRIVED + ERASE_WITHIN) for due in found)
    assert all(due.level(ARRIVED + 2 * ERASE_WITHIN) is Level.TELL_BOTH for due in found)
    held = replace(owed, held=frozenset({Side.RECEIVER}))
    assert only(due_of(held)).by is Side.REFERRER


@pytest.mark.parametrize("state", [State.DRAFT, State.SENT, *ACTIVE, State.COMPLETED])
@pytest.mark.parametrize("lead", Side)
def test_somebody_alone_on_shift_whom_nobody_looks_after(state: State, lead: Side) -> None:
    alone = course(state, lead=lead, second_by=ARRIVED + DAY)
    (due,) = (one for one in due_of(alone) if one.stage is Stage.SECOND_PERSON)
    assert (due.by, due.at) == (lead, ARRIVED + DAY)
    assert due.level(ARRIVED + DAY) is Level.TELL_BOTH


def test_every_course_that_there_can_be_has_terms_that_can_be_shown() -> None:
    for stands, _ in every_course():
        found = due_of(stands, arrived=0)
        assert list(found) == sorted(found, key=lambda due: due.at)
        assert len({(due.stage, due.by) for due in found}) == len(found)
        assert all(0 <= due.at <= due.second_at <= due.tell_at for due in found)
