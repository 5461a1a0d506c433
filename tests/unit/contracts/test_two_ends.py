"""Two ends and a network that loses, repeats, mixes up and delays: at rest both ends agree."""

from __future__ import annotations

import time
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.fold import Place, Told, check, fold, offered, seen
from contracts.lifecycle import MOVES, Move, Side, Way
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
    TO_IN_PROGRESS,
    UNTIL,
    WITHDRAWN_OR_ERASED,
    End,
    chain,
    event_id,
    made,
)


class TwoEnds(RuleBasedStateMachine):
    """Both sides say what they may, and what they may not; the network does what it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = {side: End(side) for side in Side}
        self.under_way: list[tuple[Side, Told]] = []
        self.lost: list[tuple[Side, Told]] = []
        self.now = NOW
        self.used: set[int] = {0}

    def _id(self, wanted: int) -> int:
        while wanted in self.used:
            wanted += 1
        self.used.add(wanted)
        return wanted

    def _send(self, event: Told) -> None:
        self.ends[event.by].takes(event)
        self.under_way.append((event.by.other, event))

    @rule(side=st.sampled_from(Side), choice=st.integers(0, 40), wanted=st.integers(1, 999))
    def say_what_is_offered(self, side: Side, choice: int, wanted: int) -> None:
        end = self.ends[side]
        before = end.course
        may = offered(before, side=side, now=self.now)
        # The end of everything is always offered; most stories should be longer than that.
        mild = [move for move in may if move.type not in AFTER_WITHDRAWAL]
        moves = [*(mild * 8), *may]
        move = moves[choice * len(moves) // 41]
        check(before, move, by=side, now=self.now)
        event = end.says(move, number=self._id(wanted), at=self.now)
        after = end.course
        assert after.places[event.key] is Place.APPLIED
        assert {**after.places, **before.places} == after.places, "something else changed its place"
        self._send(event)

    @rule(
        side=st.sampled_from(Side),
        move=st.sampled_from((*MOVES, Move("message.problem"), Move("referral.status", "unheard"))),
        causes=st.sets(st.integers(0, 30), max_size=3),
        wanted=st.integers(1, 999),
        moment=st.none() | st.integers(0, LATE),
    )
    def say_anything(
        self, side: Side, move: Move, causes: set[int], wanted: int, moment: int | None
    ) -> None:
        known = sorted({event.id for event in self.ends[side].held.values()} | {REQUEST_ID})
        after = tuple(known[cause] if cause < len(known) else MISSING for cause in sorted(causes))
        event = made(move, by=side, number=self._id(wanted), after=after, at=self.now)
        self._send(replace(event, moment=event.moment if moment is None else moment))

    @precondition(lambda self: self.under_way)
    @rule(choice=st.integers(0, 999), repeat=st.booleans())
    def deliver(self, choice: int, repeat: bool) -> None:
        place = choice % len(self.under_way)
        side, event = self.under_way[place] if repeat else self.under_way.pop(place)
        end = self.ends[side]
        before, known = end.course, event.key in end.held
        end.takes(event)
        if known:
            assert end.course == before

    @precondition(lambda self: self.under_way)
    @rule(choice=st.integers(0, 999))
    def lose(self, choice: int) -> None:
        self.lost.append(self.under_way.pop(choice % len(self.under_way)))

    @rule(seconds=st.sampled_from((1, 3600)))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def come_to_rest(self) -> None:
        """Everything lost is sent again, and everything arrives."""
        for side, event in (*self.lost, *self.under_way):
            self.ends[side].takes(event)
        self.lost.clear()
        self.under_way.clear()
        ours, theirs = (self.ends[side].course for side in Side)
        assert ours == theirs
        assert seen(ours, side=REFERRER, now=self.now, way={Way.STORED}) == seen(
            theirs, side=RECEIVER, now=self.now
        )

    @invariant()
    def a_withdrawal_holds(self) -> None:
        for end in self.ends.values():
            types = {event.type for event in end.held.values()}
            course = end.course
            if "consent.withdrawn" in types:
                assert course.state in WITHDRAWN_OR_ERASED
            if "contact.safety_alert" in types:
                assert course.contact_stopped

    @invariant()
    def every_void_event_has_its_reason(self) -> None:
        for end in self.ends.values():
            course = end.course
            void = {key for key, place in course.places.items() if place is Place.VOID}
            assert void == course.void.keys()

    def teardown(self) -> None:
        self.come_to_rest()


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(max_examples=60, stateful_step_count=40)


@given(data=st.data())
def test_the_order_in_which_things_arrive_matters(data: st.DataObject) -> None:
    events: list[Told] = []
    for number in range(1, data.draw(st.integers(2, 14))):
        known = [REQUEST_ID, MISSING, *(event.id for event in events)]
        after = data.draw(st.sets(st.sampled_from(known), max_size=3))
        events.append(
            made(
                data.draw(st.sampled_from(MOVES)),
                by=data.draw(st.sampled_from(Side)),
                number=data.draw(st.integers(1, 9)) * 100 + number,
                after=sorted(after),
                at=data.draw(st.sampled_from((NOW, UNTIL, LATE))),
            )
        )
    course = fold(REQUEST, events)
    assert fold(REQUEST, data.draw(st.permutations(events))) == course
    assert fold(REQUEST, [*events, *events]) == course


def test_a_long_case_that_takes_for_ever() -> None:
    """Square in the number of events; a desk that shows twenty such cases must not feel it."""
    events = chain(*TO_IN_PROGRESS)
    while len(events) < 200:
        events.append(made(ALERT, by=REFERRER, number=1000 + len(events), after=[events[-1].id]))
    started = time.process_time()
    course = fold(REQUEST, reversed(events))
    assert set(course.places.values()) == {Place.APPLIED}
    assert time.process_time() - started < 2


def test_a_flood_that_waits_for_nothing_and_follows_itself() -> None:
    """The worst that a peer can send: each has a missing cause, and each follows the last."""
    events = [made(ALERT, by=RECEIVER, number=1, after=[MISSING])]
    for number in range(2, 200):
        missing = event_id(0x10000 + number)
        events.append(made(ALERT, by=RECEIVER, number=number, after=[events[-1].id, missing]))
    started = time.process_time()
    course = fold(REQUEST, reversed(events))
    assert set(course.places.values()) == {Place.APPLIED}
    assert list(course.places)[1:] == [event.key for event in events]
    assert time.process_time() - started < 5
