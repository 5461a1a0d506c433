"""The one byte form, the limits, and what a hub refuses without holding a secret."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import b64encode, h256
from contracts.envelope import (
    CLOCK_SKEW,
    MAX_BODY,
    MAX_CIPHERTEXT,
    MAX_HEADER,
    MAX_LIFETIME,
    MAX_MESSAGE,
    MAX_WRAPS,
    NO_CHECKPOINT,
    Checkpoint,
    Envelope,
    Header,
    check_for_hub,
    padded_size,
    parse_envelope,
    parse_header,
    render_header,
)
from contracts.errors import Malformed, Refused
from contracts.identifiers import Mid, OrgId
from contracts.register import Register
from contracts.routing import RouteState, RouteTable
from contracts.signing import SigningKey
from contracts.vectors import draft
from tests.unit.contracts.world import (
    BD,
    DAY,
    MID,
    MY,
    NOW,
    TH,
    Desk,
    DeviceFacts,
    World,
    desk,
    register_of,
    usual_facts,
    world,
)

HERE = world()
BODY = HERE.sealed().body
NOBODY = cast(Register, None)  # a check that reached it would fail with AttributeError
KEY = SigningKey.from_seed(h256(b"header"))
HEADER = Header(
    suite=1, typ="msg", mid=MID, sender=MY, device=KEY.key_id, to=BD, keys=(KEY.key_id,),
    contract="case-referral/1", iat=NOW, exp=NOW + DAY, dir=NO_CHECKPOINT,
)  # fmt: skip


def hub(
    body: bytes,
    *,
    here: World = HERE,
    login: Desk | None = None,
    routes: RouteTable = HERE.routes,
    now: int = NOW,
) -> Envelope:
    login = login or here.my_1
    return check_for_hub(
        body, org=login.org, device=login.key.key_id, register=here.register, routes=routes, now=now
    )


def refusal(body: bytes, **changes: object) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        hub(body, **changes)  # type: ignore[arg-type] # each test names what hub() takes
    return caught.value.code, caught.value.field


# --- the form


def test_a_sealed_envelope_is_read_back_byte_for_byte() -> None:
    sealed = HERE.sealed(recipients=(HERE.bd_1, HERE.bd_2, HERE.my_2))
    envelope = parse_envelope(sealed.body)
    assert envelope.raw == sealed.body
    assert (envelope.eid, envelope.header.mid) == (sealed.eid, sealed.mid)
    assert len(envelope.wraps) == 3


def test_an_envelope_does_not_print_its_content() -> None:
    envelope = parse_envelope(HERE.sealed().body)
    assert repr(envelope) == f"Envelope({envelope.eid})"


headers = st.builds(
    replace,
    st.just(HEADER),
    suite=st.integers(0, 2**53 - 1),
    mid=st.binary(min_size=16, max_size=16).map(lambda data: Mid(data.hex())),
    iat=st.integers(0, 2**52),
    dir=st.builds(
        Checkpoint,
        size=st.integers(1, 2**53 - 1),
        root=st.binary(min_size=32, max_size=32),
        sig=st.binary(min_size=64, max_size=64),
    )
    | st.just(NO_CHECKPOINT),
).map(lambda header: replace(header, exp=header.iat + 1))


@given(headers)
def test_a_header_comes_back(header: Header) -> None:
    assert parse_header(render_header(header)) == header


def test_a_receipts_header_comes_back() -> None:
    receipt = replace(HEADER, typ="rcpt", re=Mid("ab" * 16), contract="receipt/1")
    assert parse_header(render_header(receipt)) == receipt


@given(st.data())
def test_no_inserted_byte_is_overlooked(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(BODY)))
    inserted = data.draw(st.binary(min_size=1, max_size=5) | st.sampled_from((b"AAAA", b"=", b'"')))
    with pytest.raises(Refused):
        hub(BODY[:at] + inserted + BODY[at:])


@given(st.data())
def test_no_cut_is_overlooked(data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(BODY) - 1))
    end = data.draw(st.integers(begin + 1, len(BODY)) | st.just(min(begin + 4, len(BODY))))
    with pytest.raises(Refused):
        hub(BODY[:begin] + BODY[end:])


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_foreign_bytes_are_malformed_and_nothing_else(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_envelope(data)
    with pytest.raises(Malformed):
        parse_header(data)


# --- the limits, all before any cryptography


def oversize_bodies() -> list[tuple[str, bytes]]:
    parts = draft.Draft().parts()
    too_long = render_header(HEADER)
    too_long += b" " * (MAX_HEADER + 1 - len(too_long))
    return [
        ("body", b'"' * (MAX_BODY + 1)),
        ("header", draft.render(parts | {"h": too_long})),
        ("ciphertext", draft.render(parts | {"c": bytes(MAX_CIPHERTEXT + 1)})),
    ]


@pytest.mark.parametrize("body", [body for _, body in oversize_bodies()], ids=["b", "h", "c"])
def test_everything_oversize_is_refused_before_a_key_is_looked_up(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        check_for_hub(body, org=MY, device=KEY.key_id, register=NOBODY, routes=HERE.routes, now=NOW)
    assert caught.value.code == "too_large"


def test_a_body_of_quotation_marks_alone_costs_nothing() -> None:
    with pytest.raises(Malformed, match="not the one form"):
        parse_envelope(b'"' * MAX_BODY)


@pytest.mark.parametrize("count", [0, MAX_WRAPS + 1])
def test_a_header_names_1_to_64_keys(count: int) -> None:
    keys = tuple(SigningKey.from_seed(h256(bytes([n]))).key_id for n in range(count))
    with pytest.raises(Malformed, match="wrong number of keys"):
        parse_header(render_header(replace(HEADER, keys=keys)))


def test_a_key_stands_once() -> None:
    with pytest.raises(Malformed, match="repeated key"):
        parse_header(render_header(replace(HEADER, keys=(KEY.key_id, KEY.key_id))))


@pytest.mark.parametrize("life", [-1, 0, MAX_LIFETIME + 1])
def test_an_envelope_lives_more_than_nothing_and_at_most_14_days(life: int) -> None:
    with pytest.raises(Malformed, match="bad lifetime"):
        parse_header(render_header(replace(HEADER, exp=NOW + life)))
    parse_header(render_header(replace(HEADER, exp=NOW + MAX_LIFETIME)))


def test_a_full_envelope_fits_into_its_limits() -> None:
    crowd = [desk(BD, f"desk {n}") for n in range(MAX_WRAPS)]
    body = HERE.sealed(b"x" * MAX_MESSAGE, recipients=crowd).body
    assert len(body) < MAX_BODY
    assert parse_envelope(body).raw == body


@pytest.mark.parametrize(
    "contract", ["", "case-referral", "case-referral/", "case-referral/0.1", "case-referral/01",
                 "Case/1", "trafficking of minors/1", "case--referral/1", "a/1\n", "a/99999"],
)  # fmt: skip
def test_a_contract_is_a_coarse_family_and_a_major_version(contract: str) -> None:
    with pytest.raises(Malformed, match="bad contract"):
        parse_header(render_header(replace(HEADER, contract=contract)))


# --- padding sizes


@given(st.integers(0, MAX_MESSAGE))
def test_a_bucket_holds_its_message_and_wastes_little(length: int) -> None:
    size = padded_size(length)
    assert size >= max(4096, length + 1)
    assert size <= max(4096, math.ceil((length + 1) * 1.12))
    assert padded_size(size - 1) == size


@pytest.mark.parametrize(
    ("length", "size"),
    [(0, 4096), (4095, 4096), (4096, 4352), (4351, 4352), (8191, 8192), (8192, 8704),
     (10240, 10752), (65535, 65536), (65536, 67584), (MAX_MESSAGE, 270336)],
)  # fmt: skip
def test_buckets_are_those_of_padme(length: int, size: int) -> None:
    assert padded_size(length) == size


# --- the hub


def test_the_hub_takes_what_is_in_order() -> None:
    sealed = HERE.sealed(recipients=(HERE.bd_1, HERE.bd_2, HERE.my_2))
    assert hub(sealed.body).eid == sealed.eid


def test_the_hub_takes_an_identical_retry() -> None:
    body = HERE.sealed().body
    assert hub(body).eid == hub(body, now=NOW + 3600).eid


def test_a_new_sealing_is_another_envelope() -> None:
    # Same mid, other eid: this is what lets the store tell a replay from a conflict.
    assert HERE.sealed().mid == HERE.sealed().mid
    assert HERE.sealed().eid != HERE.sealed().eid


def test_a_desk_cannot_send_as_its_colleague() -> None:
    body = HERE.sealed().body
    assert refusal(body, login=HERE.my_2) == ("not_your_device", "sk")


def test_a_desk_cannot_send_as_another_organisation() -> None:
    body = HERE.sealed().body
    assert refusal(body, login=replace(HERE.my_1, org=TH)) == ("not_your_device", "sk")


def test_a_device_whose_window_has_ended_is_refused() -> None:
    body = HERE.sealed(iat=NOW + 300 * DAY - 1).body
    assert refusal(body, now=NOW + 300 * DAY) == ("device_not_certified", "sk")


def test_a_device_that_does_not_count_yet_is_refused() -> None:
    late = DeviceFacts(HERE.my_1, NOW + 1, NOW + DAY)
    rest = usual_facts((HERE.my_2, HERE.bd_1))
    here = replace(HERE, register=register_of((*rest, late)))
    assert refusal(HERE.sealed().body, here=here) == ("device_not_certified", "sk")


def test_an_unknown_device_is_refused() -> None:
    stranger = desk(MY, "stranger")
    body = HERE.sealed(sender=stranger).body
    assert refusal(body, login=stranger) == ("device_not_certified", "sk")


def test_an_unknown_recipient_is_refused() -> None:
    body = HERE.sealed(to=OrgId("bd-0000000000000000")).body
    assert refusal(body) == ("unknown_recipient", "to")


def test_a_closed_route_is_used() -> None:
    routes = RouteTable.of({("my", "bd"): RouteState.CLOSED})
    assert refusal(HERE.sealed().body, routes=routes) == ("no_route", "to")


def test_a_suspended_route_still_carries() -> None:
    # The hub cannot tell a withdrawn consent from a referral.
    hub(HERE.sealed().body, routes=RouteTable.of({("my", "bd"): RouteState.SUSPENDED}))


def test_within_a_country_no_route_is_needed() -> None:
    body = HERE.sealed(to=MY, recipients=(HERE.my_2,)).body
    hub(body, routes=RouteTable.of({}))


@pytest.mark.parametrize("other", ["th_1", "my_1"])
def test_a_key_of_anybody_uninvolved_is_refused(other: str) -> None:
    body = HERE.sealed(recipients=(HERE.bd_1, getattr(HERE, other))).body
    assert refusal(body) == ("keys_changed", "keys")


def test_keys_nobody_published_are_refused() -> None:
    body = HERE.sealed(recipients=(desk(BD, "stranger"),)).body
    assert refusal(body) == ("keys_changed", "keys")


def test_an_expired_envelope_is_refused() -> None:
    body = HERE.sealed(life=60).body
    hub(body, now=NOW + 59)
    assert refusal(body, now=NOW + 60) == ("expired", "exp")


def test_an_envelope_from_the_future_is_refused() -> None:
    body = HERE.sealed(iat=NOW + CLOCK_SKEW + 1).body
    assert refusal(body) == ("from_the_future", "iat")
    hub(body, now=NOW + 1)


def test_the_signature_is_checked_before_the_rules_that_tell_something() -> None:
    # Otherwise a thief of a session could ask the hub who has which keys.
    envelope = parse_envelope(HERE.sealed(to=OrgId("bd-0000000000000000")).body)
    forged = replace(envelope, signature=bytes(64)).raw
    assert refusal(forged) == ("bad_signature", "s")


def test_a_refusal_names_a_rule_and_no_value() -> None:
    with pytest.raises(Refused) as caught:
        hub(HERE.sealed(recipients=(HERE.th_1,)).body)
    text = f"{caught.value} {caught.value!r}"
    assert HERE.th_1.pair.key_id not in text
    assert b64encode(HERE.th_1.pair.public) not in text
    assert caught.value.__cause__ is None
