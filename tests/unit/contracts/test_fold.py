"""The fold: two ends that hold the same events agree, whatever the network did to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import Refused
from contracts.fold import (
    MOST_AFTER,
    Course,
    JourneyStands,
    Place,
    Told,
    check,
    fold,
    heads,
    offered,
    seen,
)
from contracts.identifiers import EventId
from contracts.lifecycle import (
    ENDED,
    MOVES,
    TAKEN_UP,
    WAIT_FOR_NOTHING,
    Move,
    Side,
    State,
    Way,
)
from tests.unit.contracts.courses import (
    AFTER_WITHDRAWAL,
    ALERT,
    LATE,
    MISSING,
    NOW,
    RECEIVER,
    REFERRER,
    REQUEST,
    REQUEST_ID,
    STORY,
    TO_ACCEPTED,
    TO_IN_PROGRESS,
    UNTIL,
    WITHDRAWAL,
    WITHDRAWN_OR_ERASED,
    chain,
    event_id,
    every_course,
    legal_steps,
    made,
    without_places,
)

# Of two that cross, the one further left goes first; then the referrer's.
FIRST = (
    ("consent.withdrawn", "contact.safety_alert", "erasure.requested", "erasure.confirmed"),
    ("referral.cancelled",),
)
LAST = ("referral.declined",)


def rank(event: Told) -> tuple[int, bool]:
    """A second reading of the order of concurrent events."""
    place = next((n for n, types in enumerate(FIRST) if event.type in types), len(FIRST))
    return place + (event.type in LAST), event.by is RECEIVER


def names(events: Sequence[Told]) -> tuple[EventId, ...]:
    return heads(fold(REQUEST, events), [REQUEST, *events])


COURSES = list(every_course())


def test_a_state_that_no_story_reaches() -> None:
    by_clock = {State.EXPIRED}
    by_way = {State.DRAFT, State.SENT, State.FAILED}
    assert {course.state for course, _ in COURSES} == set(State) - by_clock - by_way


def test_a_step_that_no_story_takes() -> None:
    assert {event.move for _, events in COURSES for event in events} | {
        event.move for course, events in COURSES for event in legal_steps(course, events)
    } == set(MOVES)


def test_the_longest_story_is_void_somewhere() -> None:
    events = chain(*STORY)
    course = fold(REQUEST, events)
    assert set(course.places.values()) == {Place.APPLIED}
    assert course.state is State.ERASED
    assert (course.lead, course.journey) == (RECEIVER, JourneyStands.MET)
    assert not course.owed
    assert not course.held
    assert not course.lead_offered
    assert course.contact_stopped


# Crossing events


def crossings(state: State) -> Iterator[tuple[tuple[Told, ...], Told, Told]]:
    """Every pair of a referrer's and a receiver's legal moves, made without knowing each other."""
    for course, events in COURSES:
        if course.state is state:
            ours = list(legal_steps(course, events, by=REFERRER))
            theirs = list(legal_steps(course, events, by=RECEIVER))
            yield from ((events, one, other) for one, other in product(ours, theirs))


@pytest.mark.parametrize("state", sorted({course.state for course, _ in COURSES}))
def test_two_events_that_cross_and_leave_two_opinions(state: State) -> None:
    crossed = 0
    for events, ours, theirs in crossings(state):
        course = fold(REQUEST, (*events, ours, theirs))
        assert course == fold(REQUEST, (theirs, *reversed(events), ours))
        first, second = sorted((ours, theirs), key=rank)
        in_turn = fold(REQUEST, (*events, first, replace(second, after=(first.id,))))
        assert course == in_turn, (events, ours, theirs)
        assert course.places[first.key] is Place.APPLIED
        if WITHDRAWAL in (ours.move, theirs.move):
            withdrawal_won(course, ours, theirs)
        crossed += 1
    assert crossed


def withdrawal_won(course: Course, *crossed: Told) -> None:
    assert course.state in WITHDRAWN_OR_ERASED
    for event in crossed:
        if event.type != "erasure.confirmed":  # which may have been nobody's to say any more
            applied = course.places[event.key] is Place.APPLIED
            assert applied == (event.type in AFTER_WITHDRAWAL)


@pytest.mark.parametrize("state", sorted({course.state for course, _ in COURSES}))
def test_what_is_offered_is_not_what_is_let_through(state: State) -> None:
    for course, events in COURSES:
        if course.state is state:
            for side, at in product(Side, (NOW, UNTIL)):
                offers_what_counts(course, events, side, at)


def offers_what_counts(course: Course, events: tuple[Told, ...], side: Side, at: int) -> None:
    """Offered, let through and applied are one; and what is not changes nothing but its place."""
    may = offered(course, side=side, now=at)
    for move in MOVES:
        event = made(move, by=side, number=0xFFF, after=names(events), at=at)
        after = fold(REQUEST, (*events, event))
        if move in may:
            check(course, move, by=side, now=at)
            assert after.places == {**course.places, event.key: Place.APPLIED}
            continue
        with pytest.raises(Refused) as refused:
            check(course, move, by=side, now=at)
        assert after.void == {event.key: refused.value.code}
        assert after.places == {**course.places, event.key: Place.VOID}
        assert without_places(after) == without_places(course)


def test_a_withdrawal_or_alert_that_is_not_offered() -> None:
    for course, _ in COURSES:
        for side, at in product(Side, (NOW, LATE)):
            assert {WITHDRAWAL, ALERT} <= set(offered(course, side=side, now=at))


def test_something_else_than_erasure_and_arrival_after_a_withdrawal() -> None:
    for course, events in COURSES:
        said = [course.places[event.key] for event in events]
        assert set(said) <= {Place.APPLIED}
        types = [event.type for event in events]
        if "consent.withdrawn" in types:
            assert set(types[types.index("consent.withdrawn") :]) <= AFTER_WITHDRAWAL


# Erasure


@pytest.mark.parametrize("by", Side)
@pytest.mark.parametrize("said", [(), TO_ACCEPTED, TO_IN_PROGRESS])
def test_a_withdrawal_that_obliges_nobody(by: Side, said: tuple[tuple[Side, str], ...]) -> None:
    course = fold(REQUEST, chain(*said, (by, "consent.withdrawn")))
    assert course.state is State.WITHDRAWN
    assert dict(course.owed) == {RECEIVER: NOW}


def test_the_first_of_two_who_owe_erases_the_case_for_both() -> None:
    both = (*TO_ACCEPTED, (REFERRER, "consent.withdrawn"), (RECEIVER, "erasure.requested"))
    course = fold(REQUEST, chain(*both))
    assert course.owed.keys() == set(Side)
    one = chain(*both, (REFERRER, "erasure.confirmed erased"))
    assert fold(REQUEST, one).state is State.WITHDRAWN
    assert fold(REQUEST, one).owed.keys() == {RECEIVER}
    last = chain(
        *both, (REFERRER, "erasure.confirmed erased"), (RECEIVER, "erasure.confirmed erased")
    )
    assert fold(REQUEST, last).state is State.ERASED


def test_two_confirmations_that_cross_and_leave_the_case_open() -> None:
    both = chain(*TO_ACCEPTED, (REFERRER, "consent.withdrawn"), (RECEIVER, "erasure.requested"))
    confirmed = [
        made(Move("erasure.confirmed", "erased"), by=side, number=n, after=names(both))
        for side, n in ((REFERRER, 2), (RECEIVER, 1))
    ]
    assert fold(REQUEST, [*both, *confirmed]).state is State.ERASED


def test_a_legal_hold_that_counts_as_erased() -> None:
    held = chain(
        *TO_ACCEPTED, (REFERRER, "consent.withdrawn"), (RECEIVER, "erasure.confirmed held")
    )
    course = fold(REQUEST, held)
    assert course.state is State.WITHDRAWN
    assert course.held == {RECEIVER}
    assert RECEIVER in course.owed


@pytest.mark.parametrize("word", ["erased", "held"])
def test_a_confirmation_by_somebody_who_was_not_asked(word: str) -> None:
    said = (*TO_ACCEPTED, (REFERRER, "consent.withdrawn"), (REFERRER, f"erasure.confirmed {word}"))
    events = chain(*said)
    course = fold(REQUEST, events)
    assert course.void[events[-1].key] == "erasure_not_asked"
    assert course.owed.keys() == {RECEIVER}


# Time


@pytest.mark.parametrize("name", ["referral.accepted", "referral.info_requested"])
def test_an_answer_after_the_consent_has_ended(name: str) -> None:
    acknowledged = chain((RECEIVER, "referral.acknowledged"))
    for at, place in ((UNTIL - 1, Place.APPLIED), (UNTIL, Place.VOID)):
        event = made(Move(name), by=RECEIVER, number=99, after=names(acknowledged), at=at)
        assert fold(REQUEST, [*acknowledged, event]).places[event.key] is place


def test_an_untaken_referral_that_outlives_its_consent() -> None:
    course = fold(REQUEST, chain((RECEIVER, "referral.acknowledged")))
    assert seen(course, side=RECEIVER, now=UNTIL - 1).state is State.ACKNOWLEDGED
    assert seen(course, side=RECEIVER, now=UNTIL).state is State.EXPIRED


@pytest.mark.parametrize("said", [TO_ACCEPTED, TO_IN_PROGRESS])
def test_a_referral_taken_up_that_ends_with_its_consent(
    said: tuple[tuple[Side, str], ...],
) -> None:
    events = chain(*said)
    course = fold(REQUEST, events)
    assert seen(course, side=REFERRER, now=LATE).state in TAKEN_UP
    assert Move("consent.updated") in offered(course, side=REFERRER, now=LATE)
    for name in ("identity.released", "journey.planned", "lead.offered"):
        assert Move(name) not in offered(course, side=REFERRER, now=LATE)


def test_a_consent_given_again_that_is_not_believed() -> None:
    events = chain(*TO_ACCEPTED)
    again = made(Move("consent.updated"), by=REFERRER, number=99, after=names(events), at=LATE)
    course = fold(REQUEST, [*events, replace(again, moment=LATE + 10)])
    assert course.consent_until == LATE + 10
    assert Move("identity.released") in offered(course, side=REFERRER, now=LATE)
    assert Move("identity.released") not in offered(course, side=REFERRER, now=LATE + 10)


def test_an_alert_after_the_end_that_undoes_what_was_said_in_time() -> None:
    """It is judged by the time at which it was said, and so is what it arrived before."""
    events = chain((RECEIVER, "referral.acknowledged"))
    alert = made(ALERT, by=REFERRER, number=98, at=LATE)
    accepted = made(Move("referral.accepted"), by=RECEIVER, number=99, after=names(events))
    course = fold(REQUEST, [*events, alert, accepted])
    assert course.state is State.ACCEPTED
    assert course.contact_stopped


# Causes


def test_an_event_that_does_not_wait_for_its_cause() -> None:
    story = chain(*TO_IN_PROGRESS)
    course = fold(REQUEST, story[1:])
    assert course.state is State.DELIVERED
    assert {course.places[event.key] for event in story[1:]} == {Place.WAITING}
    assert fold(REQUEST, [*story[1:], story[0]]) == fold(REQUEST, story)


@pytest.mark.parametrize("name", sorted(WAIT_FOR_NOTHING))
def test_one_lost_envelope_holds_up_what_ends_a_referral_or_warns(name: str) -> None:
    by = RECEIVER if name == "journey.not_met" else REFERRER
    event = made(Move(name), by=by, number=7, after=[MISSING])
    course = fold(REQUEST, [event, *chain(*TO_IN_PROGRESS)])
    assert course.places[event.key] is not Place.WAITING


@pytest.mark.parametrize("name", ["consent.withdrawn", "contact.safety_alert"])
@pytest.mark.parametrize("by", Side)
def test_a_withdrawal_or_alert_that_waits(name: str, by: Side) -> None:
    event = made(Move(name), by=by, number=7, after=[MISSING])
    for others in ([], chain(*TO_IN_PROGRESS)):
        course = fold(REQUEST, [event, *others])
        assert course.places[event.key] is Place.APPLIED
        assert course.contact_stopped or course.state is State.WITHDRAWN


def test_a_withdrawal_that_frees_only_itself() -> None:
    """What was said after it is judged after it, though the cause of both is missing."""
    withdrawn = made(WITHDRAWAL, by=REFERRER, number=7, after=[MISSING])
    confirmed = made(
        Move("erasure.confirmed", "erased"), by=RECEIVER, number=8, after=[withdrawn.id]
    )
    assert fold(REQUEST, [confirmed, withdrawn]).state is State.ERASED


def test_a_withdrawal_that_overtakes_the_alert_it_follows() -> None:
    """Found by the two ends below: the alert's own cause never came, and both waited for nothing.

    What was said between the two became void long after both desks had applied it.
    """
    alert = made(ALERT, by=RECEIVER, number=3, after=[MISSING])
    events = [alert]
    for number, (by, move) in enumerate(
        [(REFERRER, Move("referral.cancelled")), (RECEIVER, WITHDRAWAL), (REFERRER, ALERT)]
    ):
        events.append(made(move, by=by, number=2 - number, after=names(events)))
    events[-1] = replace(events[-1], id=event_id(4))
    course = fold(REQUEST, events)
    assert set(course.places.values()) == {Place.APPLIED}


@given(
    edges=st.lists(
        st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from(MOVES)), max_size=24
    ),
    by=st.lists(st.sampled_from(Side), min_size=13, max_size=13),
)
def test_a_circle_of_causes_that_never_ends(
    edges: list[tuple[int, int, Move]], by: list[Side]
) -> None:
    events = [
        made(move, by=by[one], number=one, after=[event_id(cause)]) for one, cause, move in edges
    ]
    course = fold(REQUEST, events)
    assert set(course.places) == {REQUEST.key, *(event.key for event in events)}
    waiting = [key for key, place in course.places.items() if place is Place.WAITING]
    types = {event.key: event.type for event in events}
    assert not {types[key] for key in waiting} & WAIT_FOR_NOTHING


def test_an_event_that_is_its_own_cause() -> None:
    own = made(Move("referral.acknowledged"), by=RECEIVER, number=5, after=[event_id(5)])
    course = fold(REQUEST, [own])
    assert course.places[own.key] is Place.WAITING
    assert names([own]) == (REQUEST_ID,)


# What is void


def test_a_void_event_that_comes_to_life_when_somebody_says_more() -> None:
    """Said too early, answered as void: a later offer must not turn it into an agreement."""
    events = chain(*TO_IN_PROGRESS)
    early = made(Move("lead.taken"), by=RECEIVER, number=0xFFE, after=names(events))
    events.append(early)
    offer = made(Move("lead.offered"), by=REFERRER, number=0xFFF, after=names(events))
    course = fold(REQUEST, [*events, offer])
    assert course.places[early.key] is Place.VOID
    assert course.lead is REFERRER


@pytest.mark.parametrize("name", ["referral.requested", "message.problem", "org.event", "unheard"])
def test_a_type_that_is_no_event_of_a_case(name: str) -> None:
    event = made(Move(name), by=REFERRER, number=3)
    course = fold(REQUEST, [event])
    assert course.void == {event.key: "illegal_transition"}
    assert course.state is State.DELIVERED


def test_the_request_comes_again() -> None:
    assert fold(REQUEST, [REQUEST, REQUEST]) == fold(REQUEST, [])


# What a new event names


def test_a_flood_that_makes_the_next_event_unsendable() -> None:
    """The schemas bound how many an event names; a withdrawal must always fit."""
    story = chain(*TO_ACCEPTED)
    flood = [made(ALERT, by=RECEIVER, number=0x100 + n) for n in range(3 * MOST_AFTER)]
    named = names([*flood, *story])
    assert len(named) == len(set(named)) == MOST_AFTER
    assert story[-1].id in named


def test_heads_that_leave_something_out() -> None:
    story = chain(*TO_IN_PROGRESS)
    assert names(story) == (story[-1].id,)
    crossing = made(ALERT, by=REFERRER, number=1, after=[story[0].id])
    assert names([*story, crossing]) == tuple(sorted((story[-1].id, crossing.id)))
    waiting = made(Move("lead.offered"), by=REFERRER, number=2, after=[MISSING])
    assert names([*story, waiting]) == (story[-1].id,)
    assert names([]) == (REQUEST_ID,)


# Ids of the other side


@given(order=st.permutations(range(6)), data=st.data())
def test_an_id_taken_from_the_other_side(order: list[int], data: st.DataObject) -> None:
    """Whoever copies ids confuses their own events at most; a withdrawal holds."""
    events: list[Told] = chain(*TO_ACCEPTED, (REFERRER, "identity.released"))
    stolen = [REQUEST_ID, *(event.id for event in events)]
    for move in (Move("referral.status", "started"), WITHDRAWAL, Move("referral.accepted")):
        copied = data.draw(st.sampled_from(stolen))
        event = made(move, by=data.draw(st.sampled_from(Side)), number=0, after=names(events))
        event = replace(event, id=copied)
        if event.key != REQUEST.key and all(event.key != other.key for other in events):
            events.append(event)
    events.append(made(WITHDRAWAL, by=REFERRER, number=77, after=names(events)))
    course = fold(REQUEST, events)
    shuffled = [events[place] for place in order if place < len(events)]
    rest = [event for event in events if event not in shuffled]
    assert fold(REQUEST, shuffled + rest) == course
    assert course.state in WITHDRAWN_OR_ERASED


def test_an_event_that_takes_the_requests_place() -> None:
    copied = replace(made(Move("referral.acknowledged"), by=RECEIVER, number=0), id=REQUEST_ID)
    course = fold(REQUEST, [copied])
    assert course.places == {REQUEST.key: Place.APPLIED, copied.key: Place.APPLIED}
    assert names([copied]) == (REQUEST_ID,)


# What one side sees


@pytest.mark.parametrize(
    ("way", "state"),
    [
        ((), State.DRAFT),
        ((Way.HUB_ACCEPTED,), State.SENT),
        ((Way.HUB_REFUSED,), State.FAILED),
        ((Way.HUB_ACCEPTED, Way.STORED), State.DELIVERED),
        ((Way.STORED, Way.LAPSED), State.DELIVERED),
        ((Way.HUB_ACCEPTED, Way.LAPSED), State.EXPIRED),
    ],
)
def test_a_way_that_only_the_referrer_can_see(way: tuple[Way, ...], state: State) -> None:
    course = fold(REQUEST, [])
    assert seen(course, side=REFERRER, now=NOW, way=way).state is state
    assert seen(course, side=RECEIVER, now=NOW, way=way).state is State.DELIVERED


def test_an_answer_that_does_not_prove_that_the_request_arrived() -> None:
    course = fold(REQUEST, chain((RECEIVER, "contact.safety_alert")))
    assert seen(course, side=REFERRER, now=NOW, way={Way.HUB_REFUSED}).state is State.DELIVERED


@pytest.mark.parametrize("way", [(), (Way.HUB_ACCEPTED,), (Way.HUB_REFUSED,), (Way.STORED,)])
@pytest.mark.parametrize("at", [NOW, LATE])
def test_an_offer_on_the_screen_that_the_fold_makes_void(way: tuple[Way, ...], at: int) -> None:
    """Screens hold what is seen; the consent may have ended while the request was on its way."""
    course = fold(REQUEST, [])
    for side in Side:
        shown = seen(course, side=side, now=at, way=way)
        assert offered(shown, side=side, now=at) == offered(course, side=side, now=at)


def test_an_ended_case_that_somebody_goes_on_with() -> None:
    for course, _ in COURSES:
        if course.state in ENDED and course.state is not State.COMPLETED:
            for side in Side:
                types = {move.type for move in offered(course, side=side, now=NOW)}
                assert types <= AFTER_WITHDRAWAL | {"referral.cancelled"}
