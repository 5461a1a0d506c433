"""The table: illegal events change nothing, machines never undo people, and both ends agree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.errors import Refused
from contracts.lifecycle import (
    ANSWERS,
    EVENT_OF_MESSAGE,
    FIRST_STATE,
    TABLE,
    Event,
    Side,
    State,
    allowed_answers,
    check_author,
    may_come_later,
    messages_for,
    next_state,
)
from contracts.messages import BODIES

events = st.sampled_from(Event)
ENVELOPE = (Event.HUB_ACCEPTED, Event.HUB_REFUSED, Event.STORED, Event.REJECTED)
ENDS = (State.ACCEPTED, State.DECLINED, State.EXPIRED)


class ReferralMachine(RuleBasedStateMachine):
    """Any events in any order on either side."""

    state = State.DRAFT
    passed: tuple[State, ...] = ()

    @initialize(side=st.sampled_from(Side))
    def begin(self, side: Side) -> None:
        self.state = FIRST_STATE[side]

    @rule(event=events)
    def happen(self, event: Event) -> None:
        if event in TABLE[self.state]:
            self.state = next_state(self.state, event)
            return
        with pytest.raises(Refused, match="illegal transition"):
            self.state = next_state(self.state, event)

    @invariant()
    def stands_in_the_table(self) -> None:
        assert self.state in TABLE

    @invariant()
    def never_leaves_an_end(self) -> None:
        self.passed = (*self.passed, self.state)
        ended = [state for state in self.passed if state in ENDS]
        assert len(set(ended)) <= 1
        assert not ended or self.state is ended[0]


TestReferralMachine = ReferralMachine.TestCase
TestReferralMachine.settings = settings(max_examples=100, deadline=None)


def test_a_state_without_a_row() -> None:
    assert TABLE.keys() == set(State)


@pytest.mark.parametrize("state", ENDS)
@given(sequence=st.lists(events, max_size=20))
def test_an_end_that_something_leads_out_of(state: State, sequence: list[Event]) -> None:
    for event in sequence:
        if event in ENVELOPE:
            assert next_state(state, event) is state
        else:
            with pytest.raises(Refused):
                next_state(state, event)


@pytest.mark.parametrize("answered", [State.DELIVERED, State.ACKNOWLEDGED, *ENDS])
@pytest.mark.parametrize("event", ENVELOPE)
def test_a_late_notice_or_receipt_undoes_what_is_known(answered: State, event: Event) -> None:
    assert next_state(answered, event) is answered


def test_one_device_rejects_and_another_stores() -> None:
    failed = next_state(State.SENT, Event.REJECTED)
    assert failed is State.FAILED
    assert next_state(failed, Event.STORED) is State.DELIVERED


def test_the_recipient_is_faster_than_the_hubs_notice() -> None:
    assert next_state(State.DRAFT, Event.STORED) is State.DELIVERED


def test_an_acceptance_that_nobody_acknowledged() -> None:
    for state in (State.DRAFT, State.SENT, State.DELIVERED):
        with pytest.raises(Refused):
            next_state(state, Event.ACCEPTED)
        assert may_come_later(state, Event.ACCEPTED)
    assert messages_for(State.DELIVERED, Event.ACCEPTED) == (Event.ACKNOWLEDGED, Event.ACCEPTED)


@pytest.mark.parametrize("state", ENDS)
@pytest.mark.parametrize("event", Event)
def test_an_event_waits_for_a_cause_that_cannot_come(state: State, event: Event) -> None:
    assert not may_come_later(state, event)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("answer", Event)
def test_an_offered_answer_that_the_table_does_not_allow(state: State, answer: Event) -> None:
    steps = messages_for(state, answer)
    for step in steps:
        state = next_state(state, step)
    assert not steps or steps[-1] is answer
    assert (answer in allowed_answers(state)) == bool(messages_for(state, answer))


@pytest.mark.parametrize("state", [State.DRAFT, State.SENT, State.FAILED, *ENDS])
def test_an_answer_is_offered_where_there_is_nothing_to_answer(state: State) -> None:
    assert allowed_answers(state) == ()


def test_the_answers_to_a_new_referral() -> None:
    assert allowed_answers(State.DELIVERED) == ANSWERS
    assert allowed_answers(State.ACKNOWLEDGED) == (Event.ACCEPTED, Event.DECLINED)


@pytest.mark.parametrize("event", ANSWERS)
def test_a_referrer_who_answers_for_the_receiver(event: Event) -> None:
    check_author(event, Side.RECEIVER)
    with pytest.raises(Refused) as caught:
        check_author(event, Side.REFERRER)
    assert caught.value.code == "wrong_author"


def test_an_answering_message_without_an_event() -> None:
    assert EVENT_OF_MESSAGE.keys() == BODIES.keys() - {"referral.requested"}


@given(data=st.data())
def test_both_ends_disagree_after_loss_repetition_and_reordering(data: st.DataObject) -> None:
    receiver = State.DELIVERED
    sent: list[Event] = []
    while (choice := data.draw(st.sampled_from((None, *allowed_answers(receiver))))) is not None:
        for step in messages_for(receiver, choice):
            receiver = next_state(receiver, step)
            sent.append(step)
    noise = data.draw(st.lists(st.sampled_from(ENVELOPE), max_size=6))
    arriving = data.draw(st.permutations([*sent, Event.STORED, *noise]))
    assert _fold(State.DRAFT, arriving) is receiver


def _fold(state: State, arriving: list[Event]) -> State:
    """The referrer's desk: what is illegal now and can come later waits."""
    waiting: list[Event] = []
    for event in arriving:
        waiting.append(event)
        progress = True
        while progress:
            progress = False
            for one in list(waiting):
                if one in TABLE[state]:
                    state = next_state(state, one)
                    waiting.remove(one)
                    progress = True
    return state
