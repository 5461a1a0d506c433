"""What is told to the broker, against a model of what a broker does with it."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker.hub.window import Acknowledge, Reject, Verdict, Window


class WindowAgainstBroker(RuleBasedStateMachine):
    """The model keeps each tag's verdict, and the broker's own list of unanswered tags."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window()
        self.newest = 0
        self.open: set[int] = set()
        self.verdicts: dict[int, Verdict] = {}
        self.unanswered: set[int] = set()
        self.answers: dict[int, Verdict] = {}

    @rule(gap=st.integers(1, 3))
    def deliver(self, gap: int) -> None:
        self.newest += gap
        self.window.arrive(self.newest)
        self.open.add(self.newest)
        self.unanswered.add(self.newest)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict))
    def settle(self, data: st.DataObject, verdict: Verdict) -> None:
        tag = data.draw(st.sampled_from(sorted(self.open)))
        self.window.settle(tag, verdict)
        self.open.discard(tag)
        self.verdicts[tag] = verdict

    @rule()
    def tell(self) -> None:
        for order in self.window.orders():
            if isinstance(order, Acknowledge):
                covered = {tag for tag in self.unanswered if tag <= order.tag}
                assert order.tag in covered
                self._answer(covered, Verdict.DONE)
            else:
                self._answer({order.tag}, Verdict.AGAIN if order.requeue else Verdict.ASIDE)
        oldest_open = min(self.open, default=self.newest + 1)
        assert all(tag >= oldest_open for tag in self.unanswered)

    @rule()
    def lose_the_channel(self) -> None:
        self.window.forget()
        self.newest = 0
        for known in (self.open, self.verdicts, self.unanswered, self.answers):
            known.clear()

    def _answer(self, tags: set[int], verdict: Verdict) -> None:
        assert tags <= self.unanswered, "answered twice, or never handed over"
        self.unanswered -= tags
        self.answers.update(dict.fromkeys(tags, verdict))

    @invariant()
    def every_answer_is_the_verdict(self) -> None:
        assert all(self.verdicts.get(tag) is answer for tag, answer in self.answers.items())

    @invariant()
    def it_holds_exactly_what_is_unanswered(self) -> None:
        assert len(self.window) == len(self.unanswered)


TestWindowAgainstBroker = WindowAgainstBroker.TestCase


def test_one_acknowledgement_never_reaches_across_a_refused_message() -> None:
    window = Window()
    for tag in range(1, 6):
        window.arrive(tag)
        window.settle(tag, Verdict.AGAIN if tag == 3 else Verdict.DONE)
    assert window.orders() == (Acknowledge(2), Reject(3, requeue=True), Acknowledge(5))


def test_nothing_behind_an_open_message_is_acknowledged() -> None:
    window = Window()
    window.arrive(1)
    window.arrive(2)
    window.settle(2, Verdict.DONE)
    assert window.orders() == ()


@pytest.mark.parametrize("tag", [1, 9])
def test_a_message_is_settled_once_and_only_in_hand(tag: int) -> None:
    window = Window()
    window.arrive(1)
    window.settle(1, Verdict.DONE)
    with pytest.raises(ValueError, match="open message"):
        window.settle(tag, Verdict.DONE)


def test_a_tag_of_another_life_of_the_channel_is_noticed() -> None:
    window = Window()
    window.arrive(5)
    with pytest.raises(ValueError, match="rise"):
        window.arrive(5)
