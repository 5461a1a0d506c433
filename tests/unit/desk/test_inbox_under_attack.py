"""What a certified peer that means harm sends, and what a lost computer of ours leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from broker.desk import inbox
from broker.desk.cases import Claim, claim_of
from broker.desk.courier import tick
from broker.desk.finding import org_of_listing
from broker.desk.inbox import WarningWaiting, warnings_waiting
from broker.desk.outbox import deliver
from broker.desk.receivers import receiver_of
from broker.desk.receiving import take
from broker.desk.records import Early
from broker.desk.saying import say, tell_colleagues
from broker.desk.sending import read_typed, send_referral
from broker.desk.shown_cases import without_note
from broker.desk.unlocking import Desk
from contracts.encoding import JsonObject
from contracts.envelope import CLOCK_SKEW
from contracts.identifiers import EventId, Ref
from contracts.lifecycle import Side, State
from contracts.messages import Message, new_message, parse_message, render_message
from contracts.times import utc_text
from tests.unit.desk.said import accepted, body, of_type, referred
from tests.unit.desk.simulated import Copy, World, cases, entries, only_case
from tests.unit.desk.test_receiving import (
    EVENT,
    REF,
    envelope,
    receipts_to,
    rejected,
    sealed,
)

EARLY = 10 * 365 * 86_400  # seconds


def written(kind: str, *, at: int, ref: Ref | None = REF, **changes: Any) -> Message:
    """A message that says of itself when it was written."""
    what = read_typed(kind, body(kind, **changes))
    return new_message(what, event_id=EVENT, referral_ref=ref, at=utc_text(at))


def conflicts(desk: Desk) -> list[bool]:
    """Whether each id that was used twice is an alarm."""
    return [one.alarm for one in rejected(desk) if one.code == "duplicate_conflict"]


@contextmanager
def held_back(world: World, desk: Desk) -> Iterator[list[Copy]]:
    """The hub keeps what it has for one desk, and gives it out afterwards."""
    held = [one for one in world.hub.copies if one.device == desk.ring.device]
    world.hub.copies[:] = [one for one in world.hub.copies if one not in held]
    yield held
    world.hub.copies += held


@pytest.fixture
def colleague(world: World, ours: Desk, theirs: Desk) -> Desk:
    """Our second computer, known to everybody."""
    desk = world.second_desk(ours)
    for one in (ours, theirs):
        one.log.sync()
    return desk


# What says that it was written in the future


@pytest.mark.parametrize(("ahead", "refused"), [(CLOCK_SKEW, False), (CLOCK_SKEW + 1, True)])
def test_a_message_from_the_future_is_refused(
    world: World, ours: Desk, theirs: Desk, ahead: int, refused: bool
) -> None:
    accepted(world, ours, theirs)
    late = written("consent.withdrawn", at=world.clock() + ahead, ref=only_case(ours).ref)
    sent = envelope(theirs, ours.org, render_message(late))
    assert take(ours, sent.body).rejected is refused
    assert ("time" in [one.code for one in rejected(ours)]) is refused
    assert bool(of_type(entries(ours), "consent.withdrawn")) is not refused
    tick(ours)
    told = {one.of_eid: one.code for one in receipts_to(world, theirs)}
    assert told[sent.eid] == ("time" if refused else None)


def test_a_message_from_the_future_does_not_wait_for_its_case(
    world: World, ours: Desk, theirs: Desk
) -> None:
    ours.log.sync()
    late = written("consent.withdrawn", at=world.clock() + EARLY)
    assert take(ours, envelope(theirs, ours.org, render_message(late)).body).rejected
    with ours.store.reading() as rows:
        assert rows.early_bytes() == 0


def test_a_colleagues_copy_from_the_future_is_refused_too(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    late = written("capacity.query", at=world.clock() + EARLY, ref=None)
    assert take(colleague, envelope(ours, theirs.org, render_message(late)).body).rejected


def test_what_was_written_long_ago_and_sealed_now_is_taken(
    world: World, ours: Desk, theirs: Desk
) -> None:
    ours.log.sync()
    old = written("capacity.query", at=world.clock() - EARLY, ref=None)
    assert not take(ours, envelope(theirs, ours.org, render_message(old)).body).rejected


# The same id twice


def test_the_same_id_with_other_words_is_an_alarm(world: World, ours: Desk, theirs: Desk) -> None:
    referred(world, ours, theirs)
    ref = only_case(ours).ref
    for kind in ("referral.accepted", "referral.declined"):
        what = body(kind)
        last = sealed(theirs, ours, kind, what, ref=ref, after=(entries(ours)[0].id,))
        take(ours, last.body)
    assert conflicts(ours) == [True]
    assert [one.type for one in entries(ours) if one.id == EVENT] == ["referral.accepted"]
    tick(ours)
    assert {one.of_eid: one.code for one in receipts_to(world, theirs)}[
        last.eid
    ] == "duplicate_conflict"


def test_the_same_words_sent_again_are_no_alarm(world: World, ours: Desk, theirs: Desk) -> None:
    referred(world, ours, theirs)
    first = sealed(theirs, ours, "referral.acknowledged", body("referral.acknowledged"),
                   ref=only_case(ours).ref)  # fmt: skip
    take(ours, first.body)
    [kept] = [one for one in entries(ours) if one.id == EVENT]
    with ours.store.reading() as rows:
        said = json.loads(rows.message(kept.row))
    again = dict(reversed(list((said | {"resend_of": first.mid}).items())))
    assert parse_message(json.dumps(again).encode()).resend_of == first.mid
    taken = take(ours, envelope(theirs, ours.org, json.dumps(again).encode()).body)
    assert not taken.rejected
    assert taken.entry is None
    assert not rejected(ours)


def test_a_problem_that_two_desks_found_is_no_alarm(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    """Each of our desks answers a void event by itself, under one id and at its own time."""
    referred(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    false = body("referral.cancelled")
    void = sealed(theirs, ours, "referral.cancelled", false, ref=only_case(ours).ref)
    theirs.hub.submit(void.body)
    tick(ours)
    world.clock.pass_(600)
    world.settle(ours, theirs, colleague)
    world.clock.pass_(600)
    world.settle(ours, theirs, colleague)
    assert of_type(entries(ours), "message.problem")
    for desk in (ours, theirs, colleague):
        assert not conflicts(desk)


def test_two_contents_of_one_id_that_waited_are_an_alarm(
    world: World, ours: Desk, theirs: Desk
) -> None:
    theirs.log.sync()
    for kind in ("referral.cancelled", "contact.safety_alert"):
        take(theirs, sealed(ours, theirs, kind, body(kind)).body)
    request = sealed(
        ours, theirs, "referral.requested", world.request(theirs), event=EventId("d" * 32)
    )
    assert take(theirs, request.body).entry is not None
    assert len(entries(theirs)) == 2
    assert conflicts(theirs) == [True]


def test_a_peer_that_takes_an_id_of_ours_first_hides_nothing_of_ours(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    accepted(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    say(ours, only_case(ours), "consent.withdrawn", body("consent.withdrawn"))
    [said] = of_type(entries(ours), "consent.withdrawn")
    tick(ours)
    with held_back(world, colleague):
        stolen = sealed(theirs, ours, "referral.status", body("referral.status"),
                        ref=only_case(ours).ref, event=said.id)  # fmt: skip
        assert not take(colleague, stolen.body).rejected
    tick(colleague)
    assert only_case(colleague).state is State.WITHDRAWN
    assert conflicts(colleague) == [True]


def test_a_peer_that_takes_an_id_of_ours_second_is_refused(
    world: World, ours: Desk, theirs: Desk
) -> None:
    accepted(world, ours, theirs)
    used = only_case(ours).ref
    own = next(one for one in entries(ours) if one.own)
    stolen = sealed(theirs, ours, "referral.status", body("referral.status"), ref=used,
                    event=own.id)  # fmt: skip
    assert take(ours, stolen.body).rejected
    assert conflicts(ours) == [True]


def test_a_peer_cannot_begin_a_case_under_a_reference_of_ours(
    world: World, ours: Desk, theirs: Desk
) -> None:
    referred(world, ours, theirs)
    before = only_case(ours)
    false = sealed(theirs, ours, "referral.requested", world.request(ours), ref=before.ref)
    assert take(ours, false.body).rejected
    assert conflicts(ours) == [True]
    assert only_case(ours) == before


def test_a_reference_that_a_peer_grabbed_before_our_copy_came_is_an_alarm(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    deliver(ours)
    with held_back(world, colleague):
        ref = only_case(ours).ref
        take(
            colleague,
            sealed(theirs, ours, "referral.requested", world.request(ours), ref=ref).body,
        )
    tick(colleague)
    assert conflicts(colleague) == [True]
    assert only_case(ours).side is Side.REFERRER


# What fills a case


def test_what_we_say_ourselves_leaves_the_peer_its_room(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    referred(world, ours, theirs)
    for _ in range(3):
        tell_colleagues(ours, only_case(ours), "claimed")
        world.clock.pass_(1)
        tell_colleagues(ours, only_case(ours), "released")
        world.clock.pass_(1)
    monkeypatch.setattr(inbox, "MOST_EVENTS", 3)
    say(theirs, only_case(theirs), "referral.accepted", body("referral.accepted"))
    world.settle(ours, theirs)
    assert only_case(ours).state is State.ACCEPTED


def test_what_colleagues_said_before_the_request_came_is_all_kept(
    world: World, ours: Desk, theirs: Desk, colleague: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST_EVENTS", 2)
    send_referral(ours, to=theirs.org, body=world.request(theirs))
    tick(ours)
    with held_back(world, colleague):
        for _ in range(3):
            tell_colleagues(ours, only_case(ours), "claimed")
            world.clock.pass_(1)
            tell_colleagues(ours, only_case(ours), "released")
            world.clock.pass_(1)
        tick(ours)
        tick(colleague)
        assert not cases(colleague)
    tick(colleague)
    assert len(of_type(entries(colleague), "org.event")) == 6


def test_a_peers_problems_have_a_limit_of_their_own(
    world: World, ours: Desk, theirs: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    referred(world, ours, theirs)
    monkeypatch.setattr(inbox, "MOST_EVENTS", 3)
    ref = only_case(ours).ref
    what = body("message.problem", about=entries(ours)[0].id)
    for number in range(6):
        event = EventId(f"{number:032x}")
        take(ours, sealed(theirs, ours, "message.problem", what, ref=ref, event=event).body)
    assert len(of_type(entries(ours), "message.problem")) == 3
    say(theirs, only_case(theirs), "referral.accepted", body("referral.accepted"))
    world.settle(ours, theirs)
    assert only_case(ours).state is State.ACCEPTED


# What waits for a case that nobody here knows


@pytest.mark.parametrize(
    ("kind", "listed"),
    [("consent.withdrawn", True), ("contact.safety_alert", True), ("erasure.requested", True),
     ("referral.acknowledged", False)],
)  # fmt: skip
def test_a_warning_about_an_unknown_case_can_be_listed(
    world: World, ours: Desk, theirs: Desk, kind: str, listed: bool
) -> None:
    theirs.log.sync()
    assert not take(theirs, sealed(ours, theirs, kind, body(kind)).body).rejected
    with theirs.store.writing() as rows:
        waiting = rows.take_early("case", ours.org, REF)
    expected = (WarningWaiting(ours.org, kind, world.clock()),) if listed else ()
    assert warnings_waiting(waiting) == expected


def test_what_waited_before_types_were_kept_is_read_and_not_listed(
    ours: Desk, theirs: Desk
) -> None:
    theirs.log.sync()
    take(theirs, sealed(ours, theirs, "consent.withdrawn", body("consent.withdrawn")).body)
    with theirs.store.writing() as rows:
        [one] = rows.take_early("case", ours.org, REF)
    old = Early(one.row, one.sender, one.to, one.mid, one.eid, one.re, one.exp, one.message)
    assert warnings_waiting([old]) == ()


# Claims of computers that are gone


def claimed(world: World, desk: Desk, **to: str) -> None:
    tell_colleagues(desk, only_case(desk), "reassigned" if to else "claimed", **to)
    world.clock.pass_(1)


def test_a_lost_computers_claim_holds_nothing(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    referred(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    claimed(world, ours)
    world.settle(ours, theirs, colleague)
    lost, own = ours.ring.device, colleague.ring.device
    found = entries(colleague)
    assert claim_of(found, device=own) == Claim(lost, ours=False)
    assert claim_of(found, device=own, in_force={lost, own}) == Claim(lost, ours=False)
    assert claim_of(found, device=own, in_force={own}) is None


def test_the_next_claim_counts_where_the_first_was_a_lost_computers(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    referred(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    claimed(world, ours)
    claimed(world, colleague)  # before it heard of the first
    world.settle(ours, theirs, colleague)
    lost, own = ours.ring.device, colleague.ring.device
    assert claim_of(entries(colleague), device=own, in_force={own}) == Claim(own, ours=True)
    assert claim_of(entries(colleague), device=own) == Claim(lost, ours=False)


def test_a_case_that_a_lost_computer_handed_on_stays_handed_on(
    world: World, ours: Desk, theirs: Desk, colleague: Desk
) -> None:
    referred(world, ours, theirs)
    world.settle(ours, theirs, colleague)
    claimed(world, ours)
    claimed(world, ours, to_device=colleague.ring.device)
    world.settle(ours, theirs, colleague)
    own = colleague.ring.device
    assert claim_of(entries(colleague), device=own, in_force={own}) == Claim(own, ours=True)


def test_a_case_handed_on_to_nobody_is_free(world: World, ours: Desk, theirs: Desk) -> None:
    referred(world, ours, theirs)
    own = ours.ring.device
    claimed(world, ours)
    [claim] = of_type(entries(ours), "org.event")
    handed = replace(claim, word="reassigned", to_device="0" * 32, at=utc_text(world.clock()))
    assert claim_of([claim, handed], device=own, in_force={own}) is None
    again = replace(claim, id=EVENT, at=utc_text(world.clock() + 1))
    assert claim_of([claim, handed, again], device=own, in_force={own}) == Claim(own, ours=True)


# What is believed of a listing


def test_what_another_organisations_service_takes_says_nothing_of_the_receiver(
    world: World, ours: Desk, theirs: Desk
) -> None:
    other = world.organisation("bd")
    service = world.list_service(other, "girls")
    ours.log.sync()
    assert receiver_of(ours, theirs.org, service, ask_listing=True).takes_children is None
    assert receiver_of(ours, other.org, service, ask_listing=True).takes_children is True


@pytest.mark.parametrize(
    "organisation",
    [None, 7, {}, {"organization_identifiers": 7}, {"organization_identifiers": [7, {}]},
     {"organization_identifiers": [{"identifier_scheme": "lei", "identifier": "bd-0"}]},
     {"organization_identifiers": [{"identifier_scheme": "rujukan", "identifier": "nobody"}]}],
)  # fmt: skip
def test_a_listing_that_names_no_organisation_of_ours_names_none(organisation: object) -> None:
    assert org_of_listing({"organization": organisation}) is None


# What is shown unasked


@pytest.mark.parametrize("kind", ["referral.accepted", "journey.met", "journey.not_met"])
def test_no_free_text_opens_without_being_asked_for(kind: str) -> None:
    secret = "14 Jalan Rahsia"
    note: JsonObject = {"text": secret, "language": "eng"}
    what = body(kind, note=note)
    if kind == "referral.accepted":
        what |= {"meeting_place": {"kind": "own_office", "text": secret, "zone": "Asia/Dhaka"}}
    read_typed(kind, what)
    shown = without_note({"type": kind, "body": what})
    assert secret not in json.dumps(shown)
    if kind == "referral.accepted":
        assert "own_office" in json.dumps(shown)
