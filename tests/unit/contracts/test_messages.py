"""Plaintext messages: read strictly, written as read, and silent about what they hold."""

import traceback
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.bodies import Note, Receipt, ReferralDeclined
from contracts.encoding import JsonObject, dump_json
from contracts.errors import ContractError, Malformed, Rejected
from contracts.examples import example_body, example_request
from contracts.identifiers import EventId, Mid, OrgId, Ref
from contracts.messages import (
    APART,
    BODIES,
    IN_A_CASE,
    Message,
    new_message,
    parse_message,
    parse_receipt,
    read_body,
    render_body,
    render_message,
    render_receipt,
)
from contracts.times import Utc, parse_day, unix_seconds, utc_text
from tests.unit.contracts.generated import bodies
from tests.unit.contracts.test_message_rules import changed

NOW = 1_795_249_800
CANARY = "zq7canary7qz"
BANGLADESHI = OrgId("bd-0123456789abcdef")
SERVICE = "00000000-0000-5000-8000-000000000001"
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def a_request(text: str = "DEMO.") -> Message:
    body = example_request(recipient=BANGLADESHI, service_id=SERVICE, now=NOW, text=text)
    return an_event(body)


def an_event(body: Any) -> Message:
    return new_message(
        body, event_id=EventId("a" * 32), referral_ref=Ref("b" * 32), at=utc_text(NOW)
    )


def raw(message_type: str = "referral.requested", **changes: Any) -> JsonObject:
    message: JsonObject = {
        "type": message_type,
        "v": "1.0",
        "id": "a" * 32,
        "at": "2026-11-21T08:30:00Z",
        "body": example_body(message_type),
    }
    case: JsonObject = {"referral_ref": "b" * 32, "after": []} if message_type in IN_A_CASE else {}
    return message | case | changes


def rejected(data: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        parse_message(data)
    assert caught.value.signed
    return caught.value


@pytest.mark.parametrize("message_type", sorted(BODIES))
@given(data=st.data())
@settings(relaxed, max_examples=25)
def test_a_message_that_changes_on_its_way(message_type: str, data: st.DataObject) -> None:
    body = data.draw(bodies(message_type))
    message = parse_message(dump_json(raw(message_type, body=body)))
    assert parse_message(render_message(message)) == message
    assert read_body(message_type, render_body_as_json(message)) == message.body


def render_body_as_json(message: Message) -> JsonObject:
    body: Any = render_body(message.body)
    return body if isinstance(body, dict) else {}


def test_a_resend_that_loses_what_it_repeats() -> None:
    message = replace(a_request(), resend_of=Mid("c" * 32), after=(EventId("d" * 32),))
    assert parse_message(render_message(message)) == message


def test_an_answer_not_given_and_a_question_not_asked_differ() -> None:
    body: Any = example_body("referral.requested")
    body["person"] = {"age_band": "20_24", "languages": ["ben"], "access_needs": []}
    asked: Any = read_body("referral.requested", body)
    del body["person"]["access_needs"]
    unasked: Any = read_body("referral.requested", body)
    assert asked.person.access_needs == ()
    assert unasked.person.access_needs == "not_asked"
    body["person"]["access_needs"] = "declined_to_say"
    declined: Any = read_body("referral.requested", body)
    assert declined.person.access_needs == "declined_to_say"


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_an_example_that_changes_on_its_way(message_type: str) -> None:
    message = parse_message(dump_json(raw(message_type)))
    case = {"referral_ref": Ref("b" * 32)} if message_type in IN_A_CASE else {}
    again = new_message(message.body, event_id=message.id, at=message.at, **case)  # type: ignore[arg-type]  # one optional member
    assert parse_message(render_message(again)) == message == again


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_a_case_named_where_there_is_none_and_none_where_there_must_be(message_type: str) -> None:
    message = parse_message(dump_json(raw(message_type)))
    if message_type not in APART:
        with pytest.raises(Malformed):
            render_message(replace(message, referral_ref=None))
    if message_type not in IN_A_CASE:
        with pytest.raises(Malformed):
            render_message(replace(message, referral_ref=Ref("b" * 32)))


def test_a_problem_belongs_to_a_case_or_to_none_and_not_to_half_a_case() -> None:
    whole = parse_message(dump_json(raw("message.problem")))
    alone = replace(whole, referral_ref=None)
    assert parse_message(render_message(alone)) == alone
    halves: list[JsonObject] = [{"referral_ref": "b" * 32}, {"after": ["d" * 32]}]
    for half in halves:
        message = raw("message.problem")
        del message["referral_ref"], message["after"]
        assert rejected(dump_json(message | half)).code == "schema"
    with pytest.raises(Malformed) as caught:
        render_message(replace(alone, after=(EventId("d" * 32),)))
    assert caught.value.field == "/after"


def test_another_reason_without_words() -> None:
    declined = ReferralDeclined(reason="other", next_step="phone_us")
    with pytest.raises(Malformed):
        render_message(an_event(declined))
    explained = replace(declined, note=Note(text="DEMO", language="eng"))
    assert parse_message(render_message(an_event(explained))).body == explained


@pytest.mark.parametrize(
    "change", [{"v": "1.1"}, {"v": "0.1"}, {"v": "2.0"}, {"v": "1"}, {"type": "referral.invented"}]
)
def test_a_message_of_another_version(change: JsonObject) -> None:
    """A newer minor too: the objects are closed, so its receiver has to upgrade first."""
    fault = rejected(dump_json(raw(new_member=1) | change))
    assert (fault.code, fault.field) == ("version_unsupported", "v")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xef\xbb\xbf{}",
        b"[]",
        b'{"type":"referral.requested","type":"referral.requested"}',
        b'{"type":"referral.requested","v":0.1}',
        b'{"type":5,"v":"1.0"}',
        b'{"v":"1.0"}',
        b"{" * 3000,
    ],
)
def test_bytes_that_are_no_message(data: bytes) -> None:
    assert rejected(data).code == "schema"


def test_a_message_larger_than_an_envelope_may_carry() -> None:
    assert rejected(b" " * 300_000).code == "schema"


@pytest.mark.parametrize("change", [{"at": "2026-02-30T00:00:00Z"}, {"extra": 1}, {"after": [1]}])
def test_an_event_that_breaks_its_form(change: JsonObject) -> None:
    assert rejected(dump_json(raw() | change)).code == "schema"


@pytest.mark.parametrize(
    ("message_type", "path"),
    [
        ("referral.requested", ("handling", "purge_after")),
        ("referral.requested", ("safety", "verified_on")),
        ("referral.status", ("next_date",)),
        ("erasure.confirmed", ("places", 1, "hold", "until")),
        ("capacity.query", ("from_date",)),
    ],
)
def test_a_day_that_no_calendar_has(message_type: str, path: tuple[str | int, ...]) -> None:
    body = changed(message_type, path, "2027-02-30")
    assert rejected(dump_json(raw(message_type, body=body))).field == path[-1]


@pytest.mark.parametrize("control", ["\n", "\x00", "\x7f", "\x85"])
def test_a_control_character_at_the_end_of_a_coded_word(control: str) -> None:
    body = example_body("referral.accepted")
    body["own_case"] = f"DEMO-1{control}"
    assert rejected(dump_json(raw("referral.accepted", body=body))).field == "/body/own_case"


def test_a_control_character_in_free_text_other_than_a_line_break() -> None:
    lines = render_message(a_request("DEMO\r\n\tone line and another"))
    assert parse_message(lines) == a_request("DEMO\r\n\tone line and another")
    with pytest.raises(Malformed):
        render_message(a_request("DEMO \x1b[2J"))


def test_a_type_of_body_nobody_declared() -> None:
    with pytest.raises(Malformed) as caught:
        read_body(CANARY, {})
    assert CANARY not in f"{caught.value!r}{caught.value}"


def test_plaintext_in_a_repr() -> None:
    message = a_request(CANARY)
    for thing in (message, message.body, message.body.consent, message.body.note):  # type: ignore[union-attr]  # a request
        assert CANARY not in f"{thing}{thing!r}{thing!s}{[thing]}{(thing,)}"
        assert BANGLADESHI not in repr(thing)
    assert "referral.requested" in repr(message)


@pytest.mark.parametrize("message_type", sorted(BODIES))
def test_a_repr_of_a_body_that_says_more_than_its_type(message_type: str) -> None:
    message = parse_message(dump_json(raw(message_type)))
    for thing in _things(message.body):
        assert repr(thing) == str(thing) == f"{thing}" == f"<{type(thing).__name__}>"
    assert repr(message) == f"<Message {message_type} {'a' * 32}>"


def _things(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _things(item)
    elif is_dataclass(value):
        yield value
        for spec in fields(value):
            yield from _things(getattr(value, spec.name))


def test_plaintext_in_the_traceback_of_a_refusal() -> None:
    body = example_body("referral.requested") | {"urgency": CANARY, CANARY: CANARY}
    for failing in (
        lambda: parse_message(dump_json(raw(body=body))),
        lambda: read_body("referral.requested", body),
        lambda: render_message(replace(a_request(), at=Utc(CANARY))),
    ):
        with pytest.raises(ContractError) as caught:
            failing()
        assert CANARY not in "".join(traceback.format_exception(caught.value, chain=True))


@given(
    status=st.sampled_from(["stored", "rejected"]),
    code=st.sampled_from([None, "schema", "consent"]),
)
def test_a_receipt_that_gives_a_reason_without_rejecting(status: str, code: str | None) -> None:
    receipt = Receipt(of_eid="0" * 64, status=status, at=utc_text(NOW), code=code)
    if (status == "rejected") == (code is not None):
        assert parse_receipt(render_receipt(receipt)) == receipt
    else:
        with pytest.raises(Malformed):
            render_receipt(receipt)


def test_a_receipt_has_exactly_the_agreed_members() -> None:
    receipt = Receipt(of_eid="0" * 64, status="rejected", at=utc_text(NOW), code="time")
    assert render_receipt(receipt) == (
        b'{"v":"1.0","of_eid":"' + b"0" * 64 + b'","status":"rejected","code":"time",'
        b'"at":"' + utc_text(NOW).encode() + b'"}'
    )
    for spoilt in (b'{"v":"1.1"', b'{"x":1,"v":"1.0"'):
        with pytest.raises(Rejected):
            parse_receipt(render_receipt(receipt).replace(b'{"v":"1.0"', spoilt))


@given(st.integers(946_684_800, 4_102_444_799))
def test_a_time_that_is_another_when_read_back(seconds: int) -> None:
    assert unix_seconds(utc_text(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T08:30:00",
        "2026-11-21 08:30:00Z",
        "2026-11-21T08:30:00+08:00",
        "2026-11-21T08:30:00.5Z",
        "2026-13-21T08:30:00Z",
        "2026-11-21T24:30:00Z",
        "2026-11-21T08:30:00Z\n",
        "٢026-11-21T08:30:00Z",
    ],
)
def test_a_time_in_another_form(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        unix_seconds(text)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["20261121", "2026-W47-6", "2026-11-31", "2026-11-21\n"])
def test_a_day_in_another_form(text: str) -> None:
    with pytest.raises(Malformed):
        parse_day(text)
