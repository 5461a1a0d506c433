"""A signature serves one purpose, one key and one text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding import h256
from contracts.errors import BadSignature, Malformed
from contracts.signing import (
    Label,
    SigningKey,
    key_id,
    parse_signed,
    render_signed,
    signed_bytes,
    verify,
    verify_bytes,
)

KEY = SigningKey.from_seed(h256(b"a key"))
OTHER = SigningKey.from_seed(h256(b"another key"))
SMALL_ORDER = bytes([1]) + bytes(31)  # the neutral element, as a public key


def refused(public: bytes, signature: bytes, label: Label, *parts: bytes) -> bool:
    try:
        verify(public, signature, label, *parts)
    except BadSignature:
        return True
    return False


@given(st.sampled_from(Label), st.sampled_from(Label), st.binary())
def test_a_signature_made_for_one_purpose_serves_no_other(
    made: Label, asked: Label, data: bytes
) -> None:
    assert refused(KEY.public, KEY.sign(made, data), asked, data) == (made != asked)


@given(st.lists(st.binary(max_size=4)), st.lists(st.binary(max_size=4)))
def test_parts_cannot_be_shifted_into_each_other(a: list[bytes], b: list[bytes]) -> None:
    signature = KEY.sign(Label.LOGIN, *a)
    assert refused(KEY.public, signature, Label.LOGIN, *b) == (a != b)


@given(st.binary(min_size=64, max_size=64))
def test_a_made_up_signature_is_refused(signature: bytes) -> None:
    assert refused(KEY.public, signature, Label.LOGIN, b"x")


@pytest.mark.parametrize(
    "public", [b"", bytes(31), bytes(32), bytes(33), SMALL_ORDER, b"\xff" * 32]
)
@pytest.mark.parametrize(
    "signature", [b"", bytes(63), bytes(64), bytes(65), SMALL_ORDER + bytes(32)]
)
def test_a_key_or_signature_of_no_use_is_refused_alike(public: bytes, signature: bytes) -> None:
    assert refused(public, signature, Label.LOGIN, b"x")


def test_a_key_with_a_byte_too_many_is_refused() -> None:
    # libsodium would read the first 32 bytes and not look at the rest.
    signature = KEY.sign(Label.LOGIN, b"x")
    assert refused(KEY.public + b"\0", signature, Label.LOGIN, b"x")


def test_a_signature_cannot_take_over_the_first_bytes_of_its_text() -> None:
    signed = signed_bytes(Label.LOGIN, b"x")
    signature = KEY.sign_bytes(signed)
    verify_bytes(KEY.public, signature, signed)
    with pytest.raises(BadSignature):
        verify_bytes(KEY.public, signature + signed[:1], signed[1:])


def test_another_key_is_refused() -> None:
    assert refused(OTHER.public, KEY.sign(Label.LOGIN, b"x"), Label.LOGIN, b"x")


def test_a_secret_key_does_not_print_itself() -> None:
    assert repr(KEY) == f"SigningKey({KEY.key_id})"
    assert KEY.seed.hex() not in f"{KEY!r} {KEY!s}"


def test_a_seed_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(Malformed, match="seed"):
        SigningKey.from_seed(bytes(31))


def test_a_stored_seed_gives_the_key_again() -> None:
    made = SigningKey.generate()
    assert SigningKey.from_seed(made.seed).key_id == made.key_id
    assert made.key_id != SigningKey.generate().key_id


def test_the_label_is_the_first_thing_signed() -> None:
    assert signed_bytes(Label.LOGIN, b"ab") == (
        b"\0\0\0\0\0\0\0\x0frujukan-login/1" + b"\0\0\0\0\0\0\0\x02ab"
    )


def test_a_key_id_names_the_suite_too() -> None:
    expected = h256(b"rujukan-kid/1\0\x01" + KEY.public).hex()[:32]
    assert KEY.key_id == expected
    assert key_id(KEY.public, suite=2) != expected


def test_a_signed_text_is_carried_and_read_unchanged() -> None:
    carried = render_signed(b'{ "v" : 1 }', KEY.sign(Label.LOGIN, b"x"))
    assert parse_signed(carried, limit=400) == (b'{ "v" : 1 }', KEY.sign(Label.LOGIN, b"x"))


@pytest.mark.parametrize("data", [b'{"b":""}', b'{"b":"","s":"QQ=="}', b'{"b":"","s":"","k":""}'])
def test_another_carrier_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_signed(data, limit=400)
