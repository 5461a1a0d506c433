"""The table: nothing is unreachable, nobody takes another's step, nothing undoes a withdrawal."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product

import pytest

from contracts.codes import CANCEL_REASONS, STATUSES
from contracts.errors import Refused
from contracts.lifecycle import (
    ACTIVE,
    ALL,
    ENDED,
    ENDS_WITH_CONSENT,
    EVENT_TYPES,
    MOVES,
    ON_ITS_WAY,
    TABLE,
    UNTIL_STORED,
    WAIT_FOR_NOTHING,
    WAY,
    Author,
    Move,
    Need,
    Row,
    Side,
    State,
    Way,
    moves_from,
    on_its_way,
    step_for,
)
from contracts.messages import IN_A_CASE
from tests.unit.contracts.courses import AFTER_WITHDRAWAL

# The request begins a case and a problem is about one; neither moves it.
NOT_EVENTS = {"referral.requested", "message.problem"}


def allowed(row: Row, by: Side, lead: Side) -> bool:
    """A second reading of the authors."""
    return {
        Author.EITHER: True,
        Author.LEAD: by is lead,
        Author.REFERRER: by is Side.REFERRER,
        Author.RECEIVER: by is Side.RECEIVER,
    }[row.by]


def rows_of(move: Move, state: State) -> list[Row]:
    return [row for row in TABLE if row.move == move and state in row.moves]


def every_subset(needs: Iterable[Need]) -> Iterable[set[Need]]:
    listed = list(needs)
    return (set(some) for n in range(len(listed) + 1) for some in combinations(listed, n))


def refusal(move: Move, state: State, by: Side, lead: Side, missing: set[Need]) -> str:
    with pytest.raises(Refused) as caught:
        step_for(move, state=state, by=by, lead=lead, missing=missing)
    assert caught.value.field == "event"
    return caught.value.code


def test_a_state_that_nothing_leads_to() -> None:
    reached = {State.DRAFT, State.EXPIRED}  # EXPIRED: by the clock as well as by the way
    reached |= {target for moves in WAY.values() for target in moves.values()}
    reached |= {target for row in TABLE for target in row.moves.values()}
    assert reached == set(State)


def test_a_state_that_nothing_leads_out_of_but_the_last() -> None:
    left = {origin for row in TABLE for origin, target in row.moves.items() if origin != target}
    left |= {origin for moves in WAY.values() for origin in moves}
    assert set(State) - left == {State.ERASED}


def test_a_state_in_no_group_or_in_two() -> None:
    groups = (ON_ITS_WAY, ACTIVE, ENDED, (State.WITHDRAWN, State.ERASED))
    assert sorted(state for group in groups for state in group) == sorted(State)
    assert set(ALL) == set(State) - set(ON_ITS_WAY)
    assert set(ENDS_WITH_CONSENT) < set(ACTIVE)


def test_a_message_in_a_case_that_the_table_forgot() -> None:
    assert IN_A_CASE - EVENT_TYPES == NOT_EVENTS
    assert EVENT_TYPES <= IN_A_CASE


def test_a_word_that_no_message_has_or_the_table_forgot() -> None:
    words = {name: {move.word for move in MOVES if move.type == name} for name in EVENT_TYPES}
    assert words.pop("referral.status") == set(STATUSES)
    assert words.pop("erasure.confirmed") == {"erased", "held"}
    assert words.pop("referral.cancelled") == {"", "entered_in_error"}
    assert "entered_in_error" in CANCEL_REASONS
    assert all(word == {""} for word in words.values())


@pytest.mark.parametrize("kept", [WAIT_FOR_NOTHING, UNTIL_STORED])
def test_a_type_with_a_privilege_that_the_table_does_not_know(kept: frozenset[str]) -> None:
    assert kept <= EVENT_TYPES


def test_a_row_that_a_machine_s_state_is_an_origin_of() -> None:
    for row in TABLE:
        assert not set(row.moves) & set(ON_ITS_WAY), row.move
        assert not set(row.moves.values()) & {*ON_ITS_WAY, State.EXPIRED} - set(row.moves), row.move


@pytest.mark.parametrize("move", MOVES, ids=str)
@pytest.mark.parametrize("state", State)
def test_a_step_that_somebody_takes_for_somebody_else(move: Move, state: State) -> None:
    rows = rows_of(move, state)
    for by, lead in product(Side, Side):
        mine = [row for row in rows if allowed(row, by, lead)]
        if not rows:
            assert refusal(move, state, by, lead, set()) == "illegal_transition"
        elif not mine:
            assert refusal(move, state, by, lead, set()) == "wrong_author"
        else:
            after = step_for(move, state=state, by=by, lead=lead, missing=())
            assert after is mine[0].moves[state]


@pytest.mark.parametrize("move", MOVES, ids=str)
def test_a_step_without_what_it_needs(move: Move) -> None:
    for state, by, lead in product(State, Side, Side):
        mine = [row for row in rows_of(move, state) if allowed(row, by, lead)]
        for missing in every_subset({need for row in mine for need in row.needs}):
            possible = [row for row in mine if not missing & set(row.needs)]
            if possible:
                after = step_for(move, state=state, by=by, lead=lead, missing=missing)
                assert after is possible[0].moves[state]
            elif mine:
                code = refusal(move, state, by, lead, missing)
                assert code in {need.value for need in missing}


@pytest.mark.parametrize("need", Need)
def test_a_need_that_no_step_has(need: Need) -> None:
    assert any(need in row.needs for row in TABLE)


def test_two_needs_that_are_refused_with_one_code() -> None:
    codes = {*(need.value for need in Need), "wrong_author", "illegal_transition"}
    assert len(codes) == len(Need) + 2


@pytest.mark.parametrize("state", ALL)
@pytest.mark.parametrize(("by", "lead"), list(product(Side, Side)))
def test_a_withdrawal_that_is_refused(state: State, by: Side, lead: Side) -> None:
    for name in ("consent.withdrawn", "contact.safety_alert"):
        after = step_for(Move(name), state=state, by=by, lead=lead, missing=set(Need))
        if name == "consent.withdrawn":
            assert after is (State.ERASED if state is State.ERASED else State.WITHDRAWN)
        else:
            assert after is state


def test_a_step_that_leads_back_out_of_a_withdrawal() -> None:
    for row in TABLE:
        assert row.moves.get(State.ERASED, State.ERASED) is State.ERASED
        assert row.moves.get(State.WITHDRAWN, State.WITHDRAWN) in (State.WITHDRAWN, State.ERASED)
        if row.moves.get(State.WITHDRAWN) is State.ERASED:
            assert set(row.needs) == {Need.OWED, Need.LAST_OWED}


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.ERASED])
def test_something_else_is_said_after_a_withdrawal(state: State) -> None:
    for by, lead in product(Side, Side):
        moves = moves_from(state, by=by, lead=lead, missing=())
        assert {move.type for move in moves} <= AFTER_WITHDRAWAL


@pytest.mark.parametrize("state", [state for state in ENDED if state is not State.COMPLETED])
def test_an_ended_referral_that_goes_on(state: State) -> None:
    """Only as an error or by withdrawal, both of which say that it should not have been."""
    onward = {
        row.moves[state] for row in TABLE if state in row.moves and row.moves[state] is not state
    }
    assert onward <= {State.ENTERED_IN_ERROR, State.WITHDRAWN}


@pytest.mark.parametrize("lead", Side)
def test_only_who_leads_ends_it_or_widens_the_consent(lead: Side) -> None:
    for state, move in product(State, MOVES):
        if move.type not in ("referral.closed", "referral.cancelled", "consent.updated"):
            continue
        offered = moves_from(state, by=lead.other, lead=lead, missing=())
        assert move not in offered


@pytest.mark.parametrize("name", ["identity.released", "lead.offered", "referral.info_provided"])
def test_something_new_is_told_without_consent(name: str) -> None:
    rows = [row for row in TABLE if row.move.type == name]
    assert rows
    assert all(Need.CONSENT in row.needs for row in rows)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("by", Side)
def test_a_move_is_offered_twice_or_cannot_be_made(state: State, by: Side) -> None:
    for missing in ((), tuple(Need)):
        moves = list(moves_from(state, by=by, lead=Side.REFERRER, missing=missing))
        assert len(moves) == len(set(moves))
        for move in moves:
            step_for(move, state=state, by=by, lead=Side.REFERRER, missing=missing)


@pytest.mark.parametrize("said", [set(some) for n in range(5) for some in combinations(Way, n)])
def test_a_notice_that_undoes_what_is_known(said: set[Way]) -> None:
    state = on_its_way(said)
    if Way.STORED in said:
        assert state is State.DELIVERED
    elif Way.HUB_REFUSED in said:
        assert state is State.FAILED
    elif Way.LAPSED in said:
        assert state is State.EXPIRED
    else:
        assert state is (State.SENT if said else State.DRAFT)


def test_a_referral_that_is_delivered_and_then_lapses() -> None:
    assert all(State.DELIVERED not in moves for moves in WAY.values())
