"""What the fold takes from a message: a word, two moments, and nothing that anybody wrote."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from contracts.bodies import (
    Basis,
    ConsentUpdated,
    ErasureConfirmed,
    JourneyPlanned,
    ReferralCancelled,
    ReferralRequested,
    ReferralStatus,
)
from contracts.codes import CANCEL_REASONS, ERASURE_RESULTS, FEEDBACK, STATUSES
from contracts.examples import example_body
from contracts.fold import SECOND_PERSON_WITHIN, Told, fold, told
from contracts.identifiers import EventId, Ref
from contracts.lifecycle import EVENT_TYPES, MOVES, Side, State
from contracts.messages import BODIES, IN_A_CASE, Body, Message, new_message, read_body
from contracts.schema import schema_document, schema_names
from contracts.times import Utc, unix_seconds

AT = Utc("2026-11-21T08:30:00Z")
DECIDED = Utc("2026-11-21T06:00:00Z")
EXPIRES = Utc("2026-12-01T06:00:00Z")
ID = EventId("a" * 32)
BEFORE = (EventId("b" * 32), EventId("c" * 32))


def example(name: str) -> Body:
    return read_body(name, example_body(name))


def about(body: Body) -> Message:
    return new_message(body, event_id=ID, referral_ref=Ref("d" * 32), at=AT, after=BEFORE)


def seen_by_the_fold(body: Body) -> Told:
    return told(about(body), by=Side.RECEIVER)


def basis(*, second_person: str | None = None) -> Basis:
    return Basis(
        ground="vital_interest",
        code="life_at_risk",
        recipients=("bd-0000000000000000",),
        fields=("where",),
        decided_by="caseworker",
        decided_at=DECIDED,
        expires_at=EXPIRES,
        second_person=second_person,
        alone_on_shift="no" if second_person else "yes",
    )


def request(carried: Basis) -> ReferralRequested:
    body = example("referral.requested")
    assert isinstance(body, ReferralRequested)
    return replace(body, consent=None, basis=carried)


@pytest.mark.parametrize("name", sorted(IN_A_CASE))
def test_a_message_that_the_fold_misreads(name: str) -> None:
    event = seen_by_the_fold(example(name))
    assert (event.id, event.type, event.by, event.after) == (ID, name, Side.RECEIVER, BEFORE)
    assert event.at == unix_seconds(AT)
    assert (event.move in MOVES) == (name in EVENT_TYPES)


@pytest.mark.parametrize("name", sorted(BODIES))
def test_something_that_somebody_wrote_reaches_the_fold(name: str) -> None:
    if name in IN_A_CASE:
        kept = [getattr(seen_by_the_fold(example(name)), spec.name) for spec in fields(Told)]
        known = {ID, name, Side.RECEIVER, BEFORE, *(move.word for move in MOVES), *FEEDBACK, None}
        assert all(value in known for value in kept if not isinstance(value, int))


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_without_its_word(status: str) -> None:
    assert seen_by_the_fold(ReferralStatus(status=status)).word == status


@pytest.mark.parametrize("reason", CANCEL_REASONS)
def test_a_cancellation_that_reads_as_an_error(reason: str) -> None:
    expected = reason if reason == "entered_in_error" else ""
    assert seen_by_the_fold(ReferralCancelled(reason=reason)).word == expected


@pytest.mark.parametrize("first", ERASURE_RESULTS)
@pytest.mark.parametrize("second", ERASURE_RESULTS)
def test_a_hold_in_one_place_that_reads_as_erased(first: str, second: str) -> None:
    body = example("erasure.confirmed")
    assert isinstance(body, ErasureConfirmed)
    places = tuple(replace(body.places[0], result=result) for result in (first, second))
    word = seen_by_the_fold(replace(body, places=places)).word
    assert word == ("held" if "held" in (first, second) else "erased")


@pytest.mark.parametrize("name", ["journey.planned", "journey.changed"])
def test_a_journey_that_arrives_at_no_time(name: str) -> None:
    body = example(name)
    assert isinstance(body, JourneyPlanned) or name == "journey.changed"
    assert seen_by_the_fold(body).moment == unix_seconds(getattr(body, "arriving").at)  # noqa: B009


@pytest.mark.parametrize("name", ["referral.requested", "consent.updated"])
def test_a_consent_that_never_ends(name: str) -> None:
    body = example(name)
    assert isinstance(body, ReferralRequested | ConsentUpdated)
    assert body.consent is not None
    event = seen_by_the_fold(body)
    assert event.moment == unix_seconds(body.consent.expires_at)
    assert event.second_by is None
    assert event.feedback == body.consent.feedback


@pytest.mark.parametrize("updated", [False, True])
def test_somebody_alone_on_shift_whom_nobody_looks_after(updated: bool) -> None:
    alone, two = basis(), basis(second_person="coordinator")
    bodies = [ConsentUpdated(basis=b) if updated else request(b) for b in (alone, two)]
    events = [seen_by_the_fold(body) for body in bodies]
    assert [event.moment for event in events] == [unix_seconds(EXPIRES)] * 2
    assert events[0].second_by == unix_seconds(DECIDED) + SECOND_PERSON_WITHIN
    assert events[1].second_by is None


def test_a_basis_that_reads_as_a_wish_to_tell_more() -> None:
    assert seen_by_the_fold(request(basis())).feedback == "received"


def test_a_request_that_begins_its_case_wrongly() -> None:
    course = fold(seen_by_the_fold(request(basis())), [])
    assert course.state is State.DELIVERED
    assert course.lead is Side.REFERRER
    assert course.consent_until == unix_seconds(EXPIRES)
    assert course.second_by == unix_seconds(DECIDED) + SECOND_PERSON_WITHIN


@pytest.mark.parametrize("name", sorted(set(BODIES) - IN_A_CASE))
def test_a_message_apart_from_every_case(name: str) -> None:
    assert not [known for known in schema_names() if known == f"case-referral/1/{name}#after"]
    document = schema_document(f"case-referral/1/{name}")
    properties = document["properties"]
    assert isinstance(properties, dict)
    assert "after" not in properties
