"""Whatever happens between queue, copy and memory: nothing acknowledged that is not safe."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy.exc import OperationalError

from broker.amqp import Outcome
from broker.hub.intake import REFUSED_PAUSES_SECONDS, Intake
from broker.hub.known import MirrorContradicted
from broker.hub.turns import Halted
from contracts.errors import Refused
from contracts.identifiers import Eid, Mid
from tests.unit.amqp.fakes import (
    NOW,
    USER,
    FakeAcceptance,
    FakeLane,
    FakeLetters,
    FakeLoop,
    FakePublisher,
    checked,
    delivery,
    inside,
)


class Rig:
    """An intake with its ends in the test's hands."""

    def __init__(self) -> None:
        self.loop, self.acceptance, self.letters = FakeLoop(), FakeAcceptance(), FakeLetters()
        self.intake: Any = inside(Intake)(
            self.loop, acceptance=self.acceptance, store=self.letters, clock=lambda: NOW
        )
        self._deliver = self.intake.source.lane._deliver
        self.lose = self.intake.source.lane._lost
        self.lane, self.publisher = FakeLane(), FakePublisher()
        self.intake.source.lane, self.intake.publisher = self.lane, self.publisher

    def deliver(self, tag: int, body: bytes, user: str = USER) -> None:
        self._deliver(delivery(tag, body, user))

    def answer(self, number: int, outcome: Outcome) -> str:
        """Let the broker answer the `number`th unconfirmed copy; its message id."""
        message, settle = self.publisher.waiting.pop(number)
        settle(outcome)
        return message.message_id


class IntakeAgainstBroker(RuleBasedStateMachine):
    """The model is the broker: a queue that gives again what was not acknowledged, and copies."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.tag = 0
        self.seen_orders = 0, 0
        self.queue: list[bytes] = []
        self.in_hand: dict[int, bytes] = {}
        self.copies: set[str] = set()
        self.safe: list[bytes] = []

    @rule(mid=st.integers(0, 3), variant=st.integers(0, 1))
    def submit(self, mid: int, variant: int) -> None:
        self.queue.append(f"{mid:032d}/{variant}".encode())

    @precondition(lambda self: self.queue)
    @rule()
    def hand_over(self) -> None:
        self.tag += 1
        self.in_hand[self.tag] = self.queue.pop(0)
        self.rig.deliver(self.tag, self.in_hand[self.tag])

    @rule()
    def turn(self) -> None:
        self.rig.loop.turn()
        self._take_answers()

    @precondition(lambda self: self.rig.publisher.waiting)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def answer_copy(self, data: st.DataObject, outcome: Outcome) -> None:
        last = len(self.rig.publisher.waiting) - 1
        eid = self.rig.answer(data.draw(st.integers(0, last)), outcome)
        # A lost one may be in the queue or not; here it is.
        if outcome is not Outcome.REFUSED:
            self.copies.add(eid)
        self._take_answers()

    @rule()
    def lose_the_publishing_link(self) -> None:
        while self.rig.publisher.waiting:
            self.rig.answer(0, Outcome.LOST)
        self.rig.intake._publish_parked()

    @rule()
    def lose_the_consuming_link(self) -> None:
        self.rig.lose()
        self._hand_back()

    @rule()
    def kill(self) -> None:
        memory = self.rig.acceptance.memory
        self.rig = Rig()
        self.rig.acceptance.memory = memory
        self._hand_back()

    def _hand_back(self) -> None:
        self.queue = [*self.in_hand.values(), *self.queue]
        self.in_hand, self.tag = {}, 0
        self.rig.lane.acknowledged.clear()
        self.rig.lane.rejected.clear()

    def _take_answers(self) -> None:
        lane = self.rig.lane
        for tag, requeue in lane.rejected:
            assert requeue, "nothing here is poison"
            self.queue.append(self.in_hand.pop(tag))
        for newest in lane.acknowledged:
            for tag in [tag for tag in self.in_hand if tag <= newest]:
                self._is_safe(self.in_hand.pop(tag))
        lane.acknowledged.clear()
        lane.rejected.clear()

    def _is_safe(self, body: bytes) -> None:
        one = checked(body)
        accepted = self.rig.acceptance.memory[one.header.mid]
        assert accepted in self.copies, "acknowledged, and no copy is in the queue"
        self.safe.append(body)

    @invariant()
    def what_is_remembered_has_a_confirmed_copy(self) -> None:
        assert set(self.rig.acceptance.memory.values()) <= self.copies

    def teardown(self) -> None:
        """In the end everything comes to rest, and nothing stays in hand."""
        while self.queue or self.in_hand:
            while self.queue:
                self.hand_over()
            for _ in range(50):
                self.rig.loop.turn()
                while self.rig.publisher.waiting:
                    self.copies.add(self.rig.answer(0, Outcome.CONFIRMED))
                self.rig.intake._publish_parked()
                self._take_answers()
            assert not self.in_hand


IntakeAgainstBroker.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestIntakeAgainstBroker = IntakeAgainstBroker.TestCase

ONE = b"0" * 32 + b"/0"


def test_it_is_remembered_after_the_confirm_and_acknowledged_after_that() -> None:
    rig = Rig()
    rig.deliver(1, ONE)
    rig.loop.settle()
    assert (rig.acceptance.memory, rig.lane.acknowledged) == ({}, [])
    rig.answer(0, Outcome.CONFIRMED)
    assert (rig.acceptance.memory, rig.lane.acknowledged) == ({}, [])
    rig.loop.settle()
    assert rig.acceptance.memory == {Mid("0" * 32): Eid(checked(ONE).eid)}
    assert rig.publisher.keys == ["mailbox"]
    assert rig.lane.acknowledged == [1]


def test_a_second_one_under_the_same_mid_waits_for_the_first() -> None:
    rig = Rig()
    rig.deliver(1, ONE)
    rig.deliver(2, b"0" * 32 + b"/1")
    rig.loop.settle()
    assert len(rig.publisher.waiting) == 1
    rig.answer(0, Outcome.CONFIRMED)
    rig.loop.settle()
    assert rig.publisher.waiting == []
    assert [letter.reason for letter in rig.letters.letters] == ["duplicate_conflict"]
    assert rig.lane.acknowledged == [1, 2]


def test_a_full_queue_gives_the_message_back_after_pauses_that_grow() -> None:
    rig = Rig()
    rig.deliver(1, ONE)
    rig.loop.settle()
    for _ in range(len(REFUSED_PAUSES_SECONDS) + 1):
        rig.answer(0, Outcome.REFUSED)
        rig.loop.settle()
    assert tuple(rig.loop.pauses) == REFUSED_PAUSES_SECONDS
    assert rig.lane.rejected == [(1, True)]


@pytest.mark.parametrize("user", ["", "guest", "my-0123456789abcdef", f"{USER}.x", "../etc"])
def test_a_message_whose_publisher_is_nobody_s_device_is_set_aside(user: str) -> None:
    rig = Rig()
    rig.deliver(1, ONE, user)
    rig.loop.settle()
    assert [letter.reason for letter in rig.letters.letters] == ["no_user"]
    assert rig.publisher.waiting == []
    assert rig.lane.acknowledged == [1]


def test_a_message_that_breaks_our_own_code_is_rejected_and_the_next_one_carried() -> None:
    rig = Rig()
    rig.deliver(1, b"\xff is not what the fake acceptance can read")
    rig.deliver(2, ONE)
    rig.loop.settle()
    assert rig.lane.rejected == [(1, False)]
    assert len(rig.publisher.waiting) == 1


def test_a_database_that_is_away_keeps_the_message_in_hand() -> None:
    rig = Rig()
    rig.acceptance.failing = OperationalError("", {}, Exception())
    rig.deliver(1, ONE)
    for _ in range(5):
        rig.loop.turn()
    assert (rig.lane.acknowledged, rig.lane.rejected) == ([], [])
    assert rig.loop.pauses == [0.2, 0.4, 0.8, 1.6, 3.2]
    rig.acceptance.failing = None
    rig.loop.settle()
    rig.answer(0, Outcome.CONFIRMED)
    rig.loop.settle()
    assert rig.lane.acknowledged == [1]


def test_a_directory_that_contradicts_itself_stops_the_relay() -> None:
    rig = Rig()
    rig.acceptance.failing = MirrorContradicted()
    rig.deliver(1, ONE)
    with pytest.raises(Halted):
        rig.loop.settle()
    assert (rig.lane.acknowledged, rig.lane.rejected) == ([], [])


def test_an_unknown_code_is_for_a_person() -> None:
    rig = Rig()
    rig.acceptance.failing = Refused("a_code_of_tomorrow")
    rig.deliver(1, ONE)
    rig.loop.settle()
    assert [letter.reason for letter in rig.letters.letters] == ["a_code_of_tomorrow"]
    assert rig.lane.acknowledged == [1]
