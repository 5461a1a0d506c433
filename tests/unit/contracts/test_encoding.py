"""One reading for every byte string: what lax decoders would let through."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.encoding import (
    MAX_NUMBER,
    JsonValue,
    b64decode,
    b64encode,
    bytes_of,
    dump_json,
    list_of,
    lp,
    members,
    number_of,
    object_of,
    parse_json,
    parse_object,
    text_of,
    texts_of,
)
from contracts.errors import ContractError, Malformed, Refused, Rejected

LIMIT = 1_000_000
CANARY = "Nirmala"

texts = st.text(st.characters(exclude_categories=["Cs"]))
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, MAX_NUMBER) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def code_of(data: bytes, limit: int = LIMIT) -> str:
    with pytest.raises(Malformed) as caught:
        parse_json(data, limit=limit)
    return caught.value.code


@given(st.binary())
def test_base64_comes_back(data: bytes) -> None:
    assert b64decode(b64encode(data), field="x") == data


@given(st.text(alphabet="QRqr+/-_=09 \n\u00e9"))
@example("QR==")
@example("QQ==QQ==")
@example("====")
def test_base64_has_one_spelling(text: str) -> None:
    try:
        data = b64decode(text, field="x")
    except Malformed:
        lax = binascii.a2b_base64(text) if _decodable(text) else b""
        assert base64.b64encode(lax).decode() != text
    else:
        assert base64.b64encode(data).decode() == text


def _decodable(text: str) -> bool:
    try:
        binascii.a2b_base64(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    ["QR==", "QUJ=", "QQ", "QQ=", "QQ==\n", " QQ==", "Q Q==", "QQ==QQ==", "Q-==", "QQ\u00e9="],
)
def test_lax_base64_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        b64decode(text, field="com")
    assert (caught.value.code, caught.value.field) == ("not_base64", "com")


def test_base64_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(Malformed, match="wrong length"):
        b64decode("QUJD", field="n", size=4)


@given(values)
def test_json_comes_back(value: JsonValue) -> None:
    assert parse_json(dump_json(value), limit=LIMIT) == value


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_is_accepted_means_the_same_to_another_reader(data: bytes) -> None:
    try:
        value = parse_json(data, limit=LIMIT)
    except Malformed:
        return
    assert json.loads(data) == value


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'\xef\xbb\xbf{"a":1}', "not_json"),
        (b'{"a":1}\x00', "not_json"),
        (b'{"a":1} {"a":1}', "not_json"),
        (b'"\xed\xa0\x80"', "not_json"),
        (b'"\xff"', "not_json"),
        (b'"\xc0\xaf"', "not_json"),
        (b'"a\nb"', "not_json"),
        (b'"\\ud800"', "lone_surrogate"),
        (b'"\\udc00\\ud800"', "lone_surrogate"),
        (b'{"\\ud83d":1}', "lone_surrogate"),
        (b'{"a":1,"a":1}', "duplicate_name"),
        (b'{"a":1,"\\u0061":1}', "duplicate_name"),
        (b'[{"b":{"a":1,"a":2}}]', "duplicate_name"),
        (b"NaN", "bad_number"),
        (b"[Infinity]", "bad_number"),
        (b"[-Infinity]", "bad_number"),
        (b"1.0", "bad_number"),
        (b"1e3", "bad_number"),
        (b"1E400", "bad_number"),
        (b"-1", "bad_number"),
        (b"-0", "bad_number"),
        (b"9007199254740992", "bad_number"),
        (b"9" * 100_000, "bad_number"),
        (b"01", "not_json"),
        (b"+1", "not_json"),
        ("\u0661".encode(), "not_json"),
        (b"[" * 17 + b"]" * 17, "too_deep"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "too_deep"),
        (b"[" * 200_000, "too_deep"),
        (b"", "not_json"),
        (b"{'a':1}", "not_json"),
        (b"[1,]", "not_json"),
        (b"// no\n1", "not_json"),
    ],
)
def test_json_that_two_readers_could_take_differently_is_refused(data: bytes, code: str) -> None:
    assert code_of(data) == code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"9007199254740991", MAX_NUMBER),
        (b"0", 0),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\\\ud800"', "\\ud800"),
        (b" [ 1 ] ", [1]),
    ],
)
def test_json_at_the_edge_is_accepted(data: bytes, value: JsonValue) -> None:
    assert parse_json(data, limit=LIMIT) == value


def test_sixteen_levels_are_accepted() -> None:
    parse_json(b"[" * 16 + b"]" * 16, limit=LIMIT)


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    assert code_of(b"\xff" * 11, limit=10) == "too_large"
    assert code_of(b"\xff" * 10, limit=10) == "not_json"


def test_a_lone_surrogate_is_never_written() -> None:
    with pytest.raises(Malformed, match="lone surrogate"):
        dump_json({"a": "\ud800"})


def test_an_array_is_no_object() -> None:
    with pytest.raises(Malformed, match="not an object"):
        parse_object(b"[]", limit=LIMIT)


@pytest.mark.parametrize(
    "data",
    [
        f'{{"{CANARY}":1,"{CANARY}":2}}',
        f'"{CANARY}',
        f'{{"a":"{CANARY}",}}',
        f'["{CANARY}\\ud800"]',
        f'["{CANARY}",-1]',
    ],
)
def test_an_error_never_quotes_what_was_read(data: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_json(data.encode(), limit=LIMIT)
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.args}"
    assert caught.value.__cause__ is None


def test_a_name_that_a_peer_made_up_is_never_named() -> None:
    with pytest.raises(Malformed) as caught:
        members({"a": 1, CANARY: 2}, required={"a"})
    assert (caught.value.code, caught.value.field) == ("unknown_member", "")


def test_a_missing_member_is_named() -> None:
    with pytest.raises(Malformed) as caught:
        members({"b": 1}, required={"a", "b"})
    assert (caught.value.code, caught.value.field) == ("missing_member", "a")


def test_optional_members_may_stand() -> None:
    members({"a": 1, "b": 1}, required={"a"}, optional={"b"})
    members({"a": 1}, required={"a"}, optional={"b"})


@pytest.mark.parametrize("value", [True, "1", None, [1]])
def test_only_a_number_is_a_number(value: JsonValue) -> None:
    with pytest.raises(Malformed, match="wrong type"):
        number_of({"a": value}, "a")


def test_members_are_read_by_their_type() -> None:
    obj: dict[str, JsonValue] = {"t": "x", "n": 3, "l": ["a"], "o": {"b": 1}, "b": "QQ=="}
    assert text_of(obj, "t") == "x"
    assert number_of(obj, "n") == 3
    assert list_of(obj, "l") == ["a"]
    assert texts_of(obj, "l") == ("a",)
    assert object_of(obj, "o") == {"b": 1}
    assert bytes_of(obj, "b", size=1) == b"A"
    with pytest.raises(Malformed, match="missing member, in z"):
        text_of(obj, "z")
    with pytest.raises(Malformed, match="wrong type, in l"):
        texts_of({"l": ["a", 1]}, "l")


@given(st.lists(st.binary()), st.lists(st.binary()))
def test_length_prefixes_keep_parts_apart(first: list[bytes], second: list[bytes]) -> None:
    joined = b"".join(map(lp, first)), b"".join(map(lp, second))
    assert (joined[0] == joined[1]) == (first == second)


def test_an_error_is_a_sentence_of_code_and_field() -> None:
    assert str(Refused("keys_changed", "keys")) == (
        "This was refused, because a rule forbids it (keys changed, in keys)."
    )
    assert not Rejected("time").signed
    assert isinstance(Rejected("time", signed=True), ContractError)
