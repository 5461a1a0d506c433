"""The outbox against a model: no row leaves before its confirm, and every row leaves in the end."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy.exc import OperationalError

from broker.amqp import Outcome
from broker.hub.publisher import AWAY_SECONDS, REFUSED_SECONDS, OutboxPublisher
from broker.hub.store import Delivery
from contracts.identifiers import Eid
from tests.unit.amqp.fakes import NOW, FakeLoop, FakePublisher, inside


class FakeOutbox:
    """Rows by number; a row can appear below one that was read (a transaction committed late)."""

    def __init__(self) -> None:
        self.rows: dict[int, Delivery] = {}
        self.confirmed: set[Eid] = set()
        self.failing = False

    def outbox(self, *, limit: int, after: int = 0) -> tuple[tuple[int, Delivery], ...]:
        if self.failing:
            raise OperationalError("", {}, Exception())
        found = sorted(item for item in self.rows.items() if item[0] > after)
        return tuple(found[:limit])

    def outbox_confirmed(self, eids: list[Eid]) -> None:
        assert set(eids) <= self.confirmed, "a row was deleted before its confirm"
        self.rows = {k: it for k, it in self.rows.items() if it.eid not in eids}


def row(number: int) -> Delivery:
    return Delivery(eid=Eid(f"{number:064x}"), exp=NOW + 60, boxes=(), body=b"x")


class OutboxAgainstBroker(RuleBasedStateMachine):
    """Rows come in any order of numbers, confirms in any order, connections end at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop, self.outbox, self.lane = FakeLoop(), FakeOutbox(), FakePublisher()
        self.publisher: Any = inside(OutboxPublisher)(
            self.loop, store=self.outbox, clock=lambda: NOW
        )
        self.publisher.publisher = self.lane
        self.publisher.start()
        self.used: set[int] = set()

    @rule(number=st.integers(1, 400))
    def accept(self, number: int) -> None:
        if number not in self.used:
            self.used.add(number)
            self.outbox.rows[number] = row(number)

    @rule(first=st.integers(500, 900))
    def accept_many(self, first: int) -> None:
        for number in range(first, first + 150):
            self.accept(number)

    @rule()
    def turn(self) -> None:
        self.loop.turn()

    @precondition(lambda self: self.lane.waiting)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def answer(self, data: st.DataObject, outcome: Outcome) -> None:
        self._answer(data.draw(st.integers(0, len(self.lane.waiting) - 1)), outcome)

    @rule()
    def lose(self) -> None:
        while self.lane.waiting:
            self._answer(0, Outcome.LOST)

    @rule(usable=st.booleans())
    def connect(self, usable: bool) -> None:
        if not usable:
            self.lose()
        self.lane.usable = usable

    def _answer(self, number: int, outcome: Outcome) -> None:
        message, settle = self.lane.waiting.pop(number)
        if outcome is Outcome.CONFIRMED:
            self.outbox.confirmed.add(Eid(message.message_id))
        settle(outcome)

    @invariant()
    def not_more_is_under_way_than_allowed(self) -> None:
        assert len(self.lane.waiting) <= 300

    @invariant()
    def nothing_is_under_way_twice(self) -> None:
        ids = [message.message_id for message, _ in self.lane.waiting]
        assert len(ids) == len(set(ids))

    def teardown(self) -> None:
        self.lane.usable = True
        for _ in range(60):
            self.loop.turn()
            while self.lane.waiting:
                self._answer(0, Outcome.CONFIRMED)
        assert self.outbox.rows == {}


OutboxAgainstBroker.TestCase.settings = settings(max_examples=80, stateful_step_count=30)
TestOutboxAgainstBroker = OutboxAgainstBroker.TestCase


def test_a_database_that_is_away_is_asked_again_after_a_pause() -> None:
    rig = OutboxAgainstBroker()
    rig.outbox.failing = True
    rig.loop.turn()
    assert rig.loop.pauses[-1] == AWAY_SECONDS


def test_a_full_queue_is_not_hammered() -> None:
    rig = OutboxAgainstBroker()
    rig.accept(1)
    rig.loop.turn()
    rig.loop.turn()
    rig._answer(0, Outcome.REFUSED)
    rig.loop.turn()
    assert rig.loop.pauses[-1] == REFUSED_SECONDS
    assert rig.lane.waiting == []
