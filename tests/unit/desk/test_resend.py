"""What a desk sends again, by itself or for a person, and what nobody gets out of it by asking."""

from __future__ import annotations

from dataclasses import replace

import pytest

from broker.desk.answering import ASK_AFTER, RESENT_BY_ITSELF_FOR
from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.outbox import MOST_BACK_OFF, deliver
from broker.desk.receiving import take
from broker.desk.records import Entry, Letter, Sending
from broker.desk.saying import say, send_again, write
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from contracts.bodies import ResendRequest
from contracts.envelope import MAX_LIFETIME
from contracts.fold import Place
from contracts.identifiers import EventId
from contracts.lifecycle import State
from contracts.messages import parse_message
from contracts.times import DAY
from tests.unit.desk.said import accepted, body, forge, of_type, referred, renewed, tell
from tests.unit.desk.simulated import World, entries, mid_of, only_case
from tests.unit.desk.test_receiving import sealed


def letters(desk: Desk, entry: Entry) -> list[Letter]:
    with desk.store.reading() as rows:
        return sorted(rows.letters_of(entry.row), key=lambda one: one.resealed)


def lost(world: World, ours: Desk, theirs: Desk, message_type: str) -> Entry:
    """An event of ours that the hub took and then lost."""
    accepted(world, ours, theirs)
    what = (
        renewed(ours, only_case(ours)) if message_type == "consent.updated" else body(message_type)
    )
    say(ours, only_case(ours), message_type, what)
    deliver(ours)
    world.hub.copies.clear()
    return of_type(entries(ours), message_type)[-1]


def ask(world: World, desk: Desk, to: Desk, *ids: str) -> None:
    write(desk, to=to.org, message_type="resend_request", body={"ids": list(ids)})
    world.settle(desk, to)


@pytest.mark.parametrize("named", ["mid", "event"])
def test_what_was_never_stored_is_sealed_again_when_asked_for(
    world: World, ours: Desk, theirs: Desk, named: str
) -> None:
    entry = lost(world, ours, theirs, "identity.released")
    [letter] = letters(ours, entry)
    ask(world, theirs, ours, letter.mid if named == "mid" else entry.id)
    [arrived] = of_type(entries(theirs), "identity.released")
    assert arrived.id == entry.id
    assert [one.state for one in letters(ours, entry)] == [Sending.SUPERSEDED, Sending.STORED]


def test_what_was_stored_is_never_sent_again_by_asking(
    world: World, ours: Desk, theirs: Desk
) -> None:
    """A computer that was stolen could have the keys' deletion undone."""
    accepted(world, ours, theirs)
    tell(world, ours, theirs, "identity.released")
    [entry] = of_type(entries(ours), "identity.released")
    [letter] = letters(ours, entry)
    before = {mid_of(one) for one in world.hub.taken}
    ask(world, theirs, ours, entry.id, letter.mid)
    assert letters(ours, entry) == [letter]
    assert len({mid_of(one) for one in world.hub.taken} - before) == 2  # the question, its receipt


def test_one_stored_copy_is_enough_to_refuse_another(
    world: World, ours: Desk, theirs: Desk
) -> None:
    entry = lost(world, ours, theirs, "identity.released")
    [first] = letters(ours, entry)
    with ours.store.writing() as rows:  # a colleague's desk has sealed it too, and that is stored
        rows.update_entry(replace(entry, sending=Sending.STORED))
    ask(world, theirs, ours, first.mid)
    assert letters(ours, entry)[0].mid == first.mid
    assert len(letters(ours, entry)) == 1


def test_what_is_old_waits_for_a_person(world: World, ours: Desk, theirs: Desk) -> None:
    entry = lost(world, ours, theirs, "consent.updated")
    world.clock.pass_(RESENT_BY_ITSELF_FOR)
    with ours.store.writing() as rows:  # as a hub that never answers leaves it
        [letter] = rows.letters_of(entry.row)
        rows.update_letter(letter, due_at=None)
    ask(world, theirs, ours, entry.id)
    assert len(letters(ours, entry)) == 1
    send_again(ours, only_case(ours), entry.id)
    world.settle(ours, theirs)
    assert of_type(entries(theirs), "consent.updated")


def test_nobody_is_given_what_was_meant_for_another(world: World, ours: Desk, theirs: Desk) -> None:
    meddler = world.organisation("bd")
    entry = lost(world, ours, theirs, "identity.released")
    [letter] = letters(ours, entry)
    ask(world, meddler, ours, letter.mid, entry.id)
    assert letters(ours, entry) == [letter]


@pytest.mark.parametrize("ends", ["consent.withdrawn", "referral.cancelled"])
def test_what_tells_of_her_is_not_sent_again_once_she_took_it_back(
    world: World, ours: Desk, theirs: Desk, ends: str
) -> None:
    entry = lost(world, ours, theirs, "identity.released")
    tell(world, ours, theirs, ends)
    ask(world, theirs, ours, entry.id)
    with pytest.raises(DeskError) as caught:
        send_again(ours, only_case(ours), entry.id)
    assert caught.value.code == "not_said_again"
    world.settle(ours, theirs)
    assert not of_type(entries(theirs), "identity.released")


def test_a_request_is_not_sent_again_when_its_consent_has_run_out(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    [request] = entries(ours)
    world.clock.now = only_case(ours).until
    tick(ours)
    with pytest.raises(DeskError) as caught:
        send_again(ours, only_case(ours), request.id)
    assert caught.value.code == "not_said_again"


def test_a_person_who_has_telephoned_sends_again_even_what_failed(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    say(theirs, only_case(theirs), "referral.status", body("referral.status", status="started"))
    deliver(theirs)
    world.hub.copies.clear()
    world.clock.pass_(MAX_LIFETIME)
    tick(theirs)
    [entry] = of_type(entries(theirs), "referral.status")
    assert entry.sending is Sending.EXPIRED
    assert "failed" in {one.kind for one in look(theirs).outstanding}
    send_again(theirs, only_case(theirs), entry.id)
    world.settle(theirs, ours)
    assert only_case(ours).state is State.IN_PROGRESS
    assert of_type(entries(theirs), "referral.status")[0].sending is Sending.STORED
    assert "failed" not in {one.kind for one in look(theirs).outstanding}


def test_a_person_can_send_again_only_what_was_ours(world: World, ours: Desk, theirs: Desk) -> None:
    accepted(world, ours, theirs)
    for number in ("", "e" * 32, of_type(entries(ours), "referral.accepted")[0].id):
        with pytest.raises(DeskError) as caught:
            send_again(ours, only_case(ours), number)
        assert caught.value.code == "no_message"


def missing(world: World, ours: Desk, theirs: Desk) -> EventId:
    """An answer of theirs arrives; the one that it follows was lost."""
    referred(world, ours, theirs)
    say(theirs, only_case(theirs), "referral.accepted", body("referral.accepted"))
    deliver(theirs)
    first, second = (one for one in world.hub.copies if one.device == ours.ring.device)
    world.hub.copies.remove(first)
    take(ours, second.body)
    world.hub.copies.remove(second)
    return of_type(entries(theirs), "referral.acknowledged")[0].id


def asked(desk: Desk) -> list[ResendRequest]:
    with desk.store.reading() as rows:
        bodies = [parse_message(rows.message(one.row)).body for one in rows.apart() if one.own]
    return [one for one in bodies if isinstance(one, ResendRequest)]


def test_a_missing_cause_is_asked_for_once_after_an_hour(
    world: World, ours: Desk, theirs: Desk
) -> None:
    cause = missing(world, ours, theirs)
    world.hub.reachable = False
    world.clock.pass_(ASK_AFTER - 1)
    tick(ours)
    assert not asked(ours)
    assert "gap" not in {one.kind for one in look(ours).outstanding}
    for _ in range(3):
        world.clock.pass_(ASK_AFTER)
        tick(ours)
    assert [one.ids for one in asked(ours)] == [(cause,)]
    assert [one.overdue for one in look(ours).outstanding if one.kind == "gap"] == [True]
    world.hub.reachable = True
    world.clock.pass_(MOST_BACK_OFF)
    world.settle(ours, theirs)
    assert only_case(ours).state is State.ACCEPTED
    assert "gap" not in {one.kind for one in look(ours).outstanding}
    assert len(asked(ours)) == 1


def test_a_missing_cause_that_came_by_itself_is_not_asked_for(
    world: World, ours: Desk, theirs: Desk
) -> None:
    missing(world, ours, theirs)
    world.hub.forget_everything()
    world.clock.pass_(ASK_AFTER - 1)
    send_again(theirs, only_case(theirs), of_type(entries(theirs), "referral.acknowledged")[0].id)
    world.settle(theirs, ours)
    world.clock.pass_(DAY)
    world.settle(theirs, ours)
    assert only_case(ours).state is State.ACCEPTED
    assert not asked(ours)


# An event without effect


def test_an_event_without_effect_is_answered_with_one_problem(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    event = forge(theirs, only_case(theirs), "referral.outcome", body("referral.outcome"))
    for _ in range(3):
        world.settle(theirs, ours)
        world.clock.pass_(DAY)
    for desk in (ours, theirs):
        [problem] = of_type(entries(desk), "message.problem")
        assert (problem.word, problem.own) == (event, desk is ours)
        [void] = of_type(entries(desk), "referral.outcome")
        assert (void.place, void.code) == (Place.VOID, "illegal_transition")


@pytest.mark.parametrize("desks", [1, 2])
def test_a_repeat_under_another_number_gets_the_same_problem_again(
    world: World, ours: Desk, theirs: Desk, desks: int
) -> None:
    everybody = [ours, theirs, *([world.second_desk(ours)] if desks == 2 else [])]
    for desk in everybody:
        desk.log.sync()
    referred(world, ours, theirs)
    world.settle(*everybody)
    forge(theirs, only_case(theirs), "referral.outcome", body("referral.outcome"))
    world.settle(*everybody)
    [problem] = of_type(entries(theirs), "message.problem")
    [void] = of_type(entries(theirs), "referral.outcome")
    before = {mid_of(one) for one in world.hub.taken}
    for _ in range(2):
        again = sealed(
            theirs, ours, "referral.outcome", body("referral.outcome"), event=void.id,
            ref=only_case(ours).ref, after=void.after,
        )  # fmt: skip
        take(ours, again.body)
        world.settle(*everybody)
    assert len({mid_of(one) for one in world.hub.taken} - before) >= 4  # receipts and problems
    for desk in everybody:
        assert [one.id for one in of_type(entries(desk), "message.problem")] == [problem.id]
