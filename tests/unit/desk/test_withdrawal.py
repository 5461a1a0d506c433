"""What she takes back, and what keeps her safe: it arrives, it holds, and nothing overtakes it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from broker.desk import shown_cases
from broker.desk.cases import view
from broker.desk.courier import tick
from broker.desk.errors import DeskError
from broker.desk.inbox import WAITS, WAITS_FOR_HER
from broker.desk.outbox import deliver
from broker.desk.receiving import take
from broker.desk.records import Entry, Sending
from broker.desk.saying import say
from broker.desk.sending import send_referral
from broker.desk.standing import look
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.envelope import MAX_LIFETIME
from contracts.examples import example_body
from contracts.fold import Place
from contracts.identifiers import EventId
from contracts.lifecycle import UNTIL_STORED, WAIT_FOR_NOTHING, Side, State
from contracts.times import DAY, utc_text
from tests.unit.desk.said import (
    accepted,
    away,
    body,
    every_place,
    identity_with_contact,
    of_type,
    referred,
    renewed,
    speak,
    tell,
)
from tests.unit.desk.simulated import World, entries, mid_of, only_case
from tests.unit.desk.test_receiving import sealed

OPEN_TO_CONTACT: JsonObject = {"contact_mode": "direct", "channels": ["messenger"]}


def types(desk: Desk) -> list[str]:
    return [entry.type for entry in entries(desk)]


def sendings(desk: Desk, message_type: str) -> list[Sending]:
    return [entry.sending for entry in of_type(entries(desk), message_type)]


def agreed(desks: Sequence[Desk]) -> tuple[State, Side]:
    """The state and the lead that all have."""
    [agreed] = {(only_case(desk).state, only_case(desk).lead) for desk in desks}
    return agreed


# What came first


COMES_TO = {
    "consent.withdrawn": State.WITHDRAWN,
    "erasure.requested": State.WITHDRAWN,
    "referral.cancelled": State.CANCELLED,
}


@pytest.mark.parametrize("message_type", sorted(WAIT_FOR_NOTHING))
def test_what_she_said_before_the_request_arrived_applies_when_it_does(
    world: World, ours: Desk, theirs: Desk, message_type: str
) -> None:
    theirs.log.sync()
    first = sealed(ours, theirs, message_type, body(message_type), after=(EventId("a" * 32),))
    take(theirs, first.body)
    request = sealed(
        ours, theirs, "referral.requested", world.request(theirs), event=EventId("a" * 32)
    )
    take(theirs, request.body)
    with theirs.store.reading() as rows:
        course = view(rows, only_case(theirs), now=theirs.clock()).course
    assert Place.WAITING not in course.places.values()
    assert course.contact_stopped == (message_type == "contact.safety_alert")
    assert only_case(theirs).state is COMES_TO.get(message_type, State.DELIVERED)


@pytest.mark.parametrize(
    ("message_type", "waits"),
    [("consent.withdrawn", WAITS_FOR_HER), ("contact.safety_alert", WAITS_FOR_HER),
     ("referral.acknowledged", WAITS)],
)  # fmt: skip
def test_it_waits_for_its_request_longer_than_any_other_message(
    ours: Desk, theirs: Desk, message_type: str, waits: int
) -> None:
    assert (WAITS_FOR_HER, WAITS) == (400 * DAY, 14 * DAY)
    theirs.log.sync()
    take(theirs, sealed(ours, theirs, message_type, body(message_type)).body)
    now = theirs.clock()
    with theirs.store.writing() as rows:
        rows.sweep(now + waits - 1)
        assert rows.early_bytes() > 0
        rows.sweep(now + waits)
        assert rows.early_bytes() == 0


def test_a_withdrawal_is_taken_from_either_side_and_from_every_state(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    tell(world, ours, theirs, "referral.cancelled")
    tell(world, theirs, ours, "consent.withdrawn")
    assert agreed((ours, theirs))[0] is State.WITHDRAWN
    erased: JsonObject = {"place": "desk", "result": "erased"}
    tell(world, theirs, ours, "erasure.confirmed", places=every_place(erased))
    assert agreed((ours, theirs))[0] is State.ERASED
    tell(world, ours, theirs, "consent.withdrawn")
    assert agreed((ours, theirs))[0] is State.ERASED


# What has not left yet


def test_a_withdrawal_takes_back_what_the_hub_does_not_have(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    with away(world.hub):
        speak(ours, "identity.released")
        speak(ours, "referral.info_provided")
        speak(ours, "consent.withdrawn")
    sent = len(world.hub.taken)
    world.settle(ours, theirs)
    assert "identity.released" not in types(theirs)
    assert "referral.info_provided" not in types(theirs)
    assert "consent.withdrawn" in types(theirs)
    assert len(world.hub.taken) == sent + 2  # the withdrawal and its receipt
    assert sendings(ours, "identity.released") == [Sending.GIVEN_UP]
    assert agreed((ours, theirs))[0] is State.WITHDRAWN
    assert not [one for one in look(theirs).outstanding if one.kind == "gap"]
    with ours.store.reading() as rows:
        bodies = [rows.letter_body(one.row) for one in rows.letters() if one.exp > 0]
    assert bodies == [None] * len(bodies)


def test_a_cancellation_arrives_though_what_it_followed_was_taken_back(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    with away(world.hub):
        speak(ours, "identity.released")
        speak(ours, "referral.cancelled")
    world.settle(ours, theirs)
    assert agreed((ours, theirs))[0] is State.CANCELLED
    assert "identity.released" not in types(theirs)
    assert Place.WAITING not in {entry.place for entry in entries(theirs)}


def test_a_cancellation_by_the_new_lead_does_not_take_back_that_it_leads(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    tell(world, theirs, ours, "referral.status", status="started")
    tell(world, ours, theirs, "lead.offered")
    with away(world.hub):
        speak(theirs, "lead.taken")
        speak(theirs, "referral.cancelled")
    world.settle(theirs, ours)
    assert agreed((ours, theirs)) == (State.CANCELLED, Side.RECEIVER)


@pytest.mark.parametrize("ends", ["consent.withdrawn", "referral.cancelled"])
def test_a_warning_that_has_not_left_is_never_taken_back(
    world: World, ours: Desk, theirs: Desk, ends: str
) -> None:
    accepted(world, ours, theirs)
    with away(world.hub):
        speak(ours, "identity.released")
        speak(ours, "contact.safety_alert")
        speak(ours, ends)
    world.settle(ours, theirs)
    assert {"contact.safety_alert", ends} <= set(types(theirs))
    assert "identity.released" not in types(theirs)
    for desk in (ours, theirs):
        with desk.store.reading() as rows:
            assert view(rows, only_case(desk), now=desk.clock()).course.contact_stopped


@pytest.mark.parametrize("ends", ["consent.withdrawn", "erasure.requested"])
def test_what_the_other_side_withdraws_takes_back_what_we_have_not_sent(
    world: World, ours: Desk, theirs: Desk, ends: str
) -> None:
    accepted(world, ours, theirs)
    speak(theirs, ends)
    tick(theirs)
    speak(ours, "identity.released")
    tick(ours)  # fetches before it sends
    world.settle(ours, theirs)
    assert "identity.released" not in types(theirs)
    assert sendings(ours, "identity.released") == [Sending.GIVEN_UP]
    assert agreed((ours, theirs))[0] is State.WITHDRAWN


def test_what_a_colleague_withdraws_takes_back_what_we_have_not_sent(
    world: World, ours: Desk, theirs: Desk
) -> None:
    colleague = world.second_desk(ours)
    for desk in (ours, theirs, colleague):
        desk.log.sync()
    accepted(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    speak(ours, "identity.released")
    speak(colleague, "consent.withdrawn")
    tick(colleague)
    world.settle(ours, theirs, colleague)
    assert "identity.released" not in types(theirs)
    assert agreed((ours, theirs, colleague))[0] is State.WITHDRAWN


def test_what_had_left_all_the_same_is_void_on_both_sides(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    world.hub.lose_answers = True
    speak(ours, "identity.released")
    deliver(ours, eager=True)
    speak(ours, "consent.withdrawn")
    world.hub.lose_answers = False
    world.settle(ours, theirs)
    for desk in (ours, theirs):
        [told] = of_type(entries(desk), "identity.released")
        assert told.place is Place.VOID
    assert sendings(ours, "identity.released") == [Sending.STORED]
    assert agreed((ours, theirs))[0] is State.WITHDRAWN
    [problem] = of_type(entries(ours), "message.problem")
    assert problem.word == of_type(entries(ours), "identity.released")[0].id


def test_what_the_hub_lost_is_not_handed_to_it_again_after_a_withdrawal(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    speak(ours, "identity.released")
    deliver(ours)
    world.hub.forget_everything()
    speak(ours, "consent.withdrawn")
    world.clock.pass_(2 * DAY)
    world.settle(ours, theirs)
    world.clock.pass_(2 * DAY)
    world.settle(ours, theirs)
    assert "identity.released" not in types(theirs)
    assert "consent.withdrawn" in types(theirs)


@pytest.mark.parametrize("message_type", ["identity.released", "journey.planned"])
def test_what_tells_of_her_never_travels_longer_than_her_consent(
    world: World, ours: Desk, theirs: Desk, message_type: str
) -> None:
    accepted(world, ours, theirs)
    tell(world, ours, theirs, "identity.released")
    ends = world.clock() + 3600
    soon = renewed(ours, only_case(ours), expires_at=utc_text(ends))
    say(ours, only_case(ours), "consent.updated", soon)
    world.settle(ours, theirs)
    with away(world.hub):
        speak(ours, message_type)
        world.clock.now = ends
    sent = len(world.hub.taken)
    tick(ours, eager=True)
    assert len(world.hub.taken) == sent
    assert Sending.EXPIRED in sendings(ours, message_type)


# What must arrive


def must_arrive(world: World, ours: Desk, theirs: Desk, message_type: str) -> tuple[Desk, Desk]:
    """Who says it, and who stores it; said, and taken by the hub."""
    accepted(world, ours, theirs)
    tell(world, ours, theirs, "identity.released")
    tell(world, ours, theirs, "journey.planned")
    by, to = (theirs, ours) if message_type == "journey.not_met" else (ours, theirs)
    speak(by, message_type)
    deliver(by)
    return by, to


@pytest.mark.parametrize("message_type", sorted(UNTIL_STORED))
def test_what_must_arrive_is_sealed_again_until_it_is_stored(
    world: World, ours: Desk, theirs: Desk, message_type: str
) -> None:
    by, to = must_arrive(world, ours, theirs, message_type)
    [said] = of_type(entries(by), message_type)
    for _ in range(3):
        world.hub.copies.clear()  # the hub forgets what is past its time
        before = {mid_of(one) for one in world.hub.taken}
        world.clock.pass_(MAX_LIFETIME - DAY)
        tick(by)
        assert len({mid_of(one) for one in world.hub.taken} - before) == 1
        phone = [one for one in look(by).outstanding if one.kind == "not_stored"]
        assert [(one.type, one.peer) for one in phone] == [(message_type, to.org)]
    world.settle(to, by)
    [arrived] = of_type(entries(to), message_type)
    assert arrived.id == said.id
    assert [one.sending for one in of_type(entries(by), message_type)] == [Sending.STORED]
    assert not {"not_stored", "failed"} & {one.kind for one in look(by).outstanding}
    before = {mid_of(one) for one in world.hub.taken}
    world.clock.pass_(MAX_LIFETIME)
    deliver(by)
    assert {mid_of(one) for one in world.hub.taken} == before


@pytest.mark.parametrize("message_type", sorted(UNTIL_STORED))
def test_what_must_arrive_says_phone_them_from_the_first_minute(
    world: World, ours: Desk, theirs: Desk, message_type: str
) -> None:
    by, _ = must_arrive(world, ours, theirs, message_type)
    assert message_type in {one.type for one in look(by).outstanding if one.kind == "not_stored"}


def test_what_must_arrive_survives_a_hub_that_stays_away(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    with away(world.hub):
        speak(ours, "consent.withdrawn")
        for _ in range(3):
            world.clock.pass_(MAX_LIFETIME)
            deliver(ours)
            assert "consent.withdrawn" in {one.type for one in look(ours).outstanding}
    world.settle(ours, theirs)
    assert agreed((ours, theirs))[0] is State.WITHDRAWN


def test_an_old_number_refused_later_does_not_undo_that_a_new_one_was_stored(
    world: World, ours: Desk, theirs: Desk
) -> None:
    """The hub may hand over what is past its time before it forgets it."""
    by, to = must_arrive(world, ours, theirs, "consent.withdrawn")
    world.clock.pass_(MAX_LIFETIME - DAY)
    deliver(by)
    world.clock.pass_(2 * DAY)
    world.settle(to, by)
    assert sendings(by, "consent.withdrawn") == [Sending.STORED]
    assert not {"not_stored", "failed"} & {one.kind for one in look(by).outstanding}


# Safe contact


def test_a_safety_alert_is_shown_and_no_contact_leaves_any_more(
    world: World, ours: Desk, theirs: Desk
) -> None:
    safety = dict(example_body("referral.requested")["safety"])  # type: ignore[arg-type]  # an object
    accepted(world, ours, theirs, safety=safety | OPEN_TO_CONTACT)
    tell(world, theirs, ours, "contact.safety_alert")
    for desk in (ours, theirs):
        with desk.store.reading() as rows:
            seen = view(rows, only_case(desk), now=desk.clock())
        assert "STOP" in shown_cases.case_text(seen, _nothing(seen.entries), note=False)
        assert json.dumps(shown_cases.course_json(seen)["contact_stopped"]) == "true"
    with pytest.raises(DeskError) as caught:
        say(ours, only_case(ours), "identity.released", identity_with_contact())
    assert caught.value.code == "contact_stopped"
    tell(world, ours, theirs, "identity.released")  # without a contact it may go
    assert agreed((ours, theirs))[0] is State.ACCEPTED


def test_without_an_alert_the_contact_she_opted_in_to_is_told(
    world: World, ours: Desk, theirs: Desk
) -> None:
    safety = dict(example_body("referral.requested")["safety"])  # type: ignore[arg-type]  # an object
    accepted(world, ours, theirs, safety=safety | OPEN_TO_CONTACT)
    say(ours, only_case(ours), "identity.released", identity_with_contact())
    world.settle(ours, theirs)
    assert "identity.released" in types(theirs)


# What nobody took up in time


def test_a_case_nobody_took_up_ends_with_its_consent_on_both_desks(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    tell(world, theirs, ours, "referral.acknowledged")
    world.clock.now = only_case(ours).until - 1
    world.settle(ours, theirs)
    assert agreed((ours, theirs))[0] is State.ACKNOWLEDGED
    world.clock.pass_(1)
    world.settle(ours, theirs)
    assert agreed((ours, theirs))[0] is State.EXPIRED
    for desk in (ours, theirs):
        assert only_case(desk).why == "consent_ran_out"
    with pytest.raises(DeskError) as caught:
        speak(theirs, "referral.accepted")
    assert caught.value.code == "illegal_transition"


def test_an_answer_made_before_the_end_counts_though_it_arrives_after_it(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    world.clock.now = only_case(ours).until - 60
    for desk in (ours, theirs):
        desk.log.sync()
    with away(world.hub):
        speak(theirs, "referral.accepted")
        world.clock.pass_(3600)
        world.settle(ours)
        assert (only_case(ours).state, only_case(ours).why) == (State.EXPIRED, "consent_ran_out")
    world.settle(theirs, ours)
    assert agreed((ours, theirs))[0] is State.ACCEPTED
    assert only_case(ours).why == ""


def test_a_case_that_was_taken_up_does_not_end_with_its_consent(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    world.clock.now = only_case(ours).until + DAY
    world.settle(ours, theirs)
    assert agreed((ours, theirs))[0] is State.ACCEPTED
    with pytest.raises(DeskError) as caught:
        speak(ours, "identity.released")
    assert caught.value.code == "consent_not_standing"


def test_a_request_that_never_left_ends_with_its_consent_too(
    world: World, ours: Desk, theirs: Desk
) -> None:
    with away(world.hub):
        send_referral(ours, to=theirs.org, body=world.request(theirs))
        world.clock.now = only_case(ours).until
        tick(ours)
        assert only_case(ours).state is State.EXPIRED


def _nothing(entries: Sequence[Entry]) -> dict[str, JsonObject]:
    return {entry.row: {"type": entry.type, "body": {}} for entry in entries}
