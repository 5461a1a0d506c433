"""Strict Base64, strict JSON and length-prefixed bytes: one reading for every byte string.

Two readers that disagree about what bytes mean can be played against each other, so every
leniency of Python's decoders is closed here (RFC 4648 §3.5 trailing bits, RFC 8259 duplicate
names, RFC 7493 numbers). This file knows no message and no member name but those it is given,
and its errors never quote what was read.

    fields = parse_object(data, limit=8192)
    members(fields, required={"v", "org"})
    org = text_of(fields, "org")
"""

from __future__ import annotations

import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence, Set
from typing import Final, NoReturn, TypeAlias

from contracts.errors import Malformed

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
# What may be written: read-only, so that a `dict[str, str]` is taken as it is.
JsonInput: TypeAlias = "bool | int | str | Sequence[JsonInput] | Mapping[str, JsonInput] | None"

MAX_NUMBER: Final = 2**53 - 1  # what a JavaScript reader holds exactly (RFC 7493 §2.2)
MAX_DEPTH: Final = 16  # no agreed form is deeper than 8; a bound keeps parsers off the stack's end

_MAX_DIGITS: Final = len(str(MAX_NUMBER))


def b64encode(data: bytes) -> str:
    """RFC 4648 §4: the standard alphabet, padded, no line breaks."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def b64decode(text: str, *, field: str, size: int | None = None) -> bytes:
    """The bytes of canonical Base64; with `size`, exactly that many bytes.

    Python's strict mode still takes non-zero trailing bits (`QR==`), hence the comparison of the
    last four letters with their one canonical spelling. Raises
    `Malformed("not_base64" | "wrong_length", field)`.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one; so is what text beyond ASCII raises
        raise Malformed("not_base64", field) from None
    if b64encode(data[-(len(data) % 3 or 3) :]) != text[-4:]:
        raise Malformed("not_base64", field)
    if size is not None and len(data) != size:
        raise Malformed("wrong_length", field)
    return data


def parse_json(data: bytes, *, limit: int) -> JsonValue:
    """The value of strict JSON in at most `limit` bytes.

    Refused: more than `limit` bytes, a byte order mark, invalid UTF-8, lone surrogates,
    duplicate names, NaN and Infinity, floats, numbers other than digits 0…2⁵³−1, more than
    16 levels. Raises `Malformed`, with the rule as its code.
    """
    if len(data) > limit:
        raise Malformed("too_large")
    try:
        text = data.decode("utf-8")  # strict: raw surrogates are refused here already
        value: JsonValue = _DECODER.decode(text)
    except RecursionError:
        raise Malformed("too_deep") from None
    except ValueError:  # UnicodeDecodeError, JSONDecodeError; both hold the text
        raise Malformed("not_json") from None
    # No value is deeper than it has brackets; most are small, and then nothing need be walked.
    if text.count("{") + text.count("[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise Malformed("too_deep")
    if "\\u" in text:  # only an escape can still have made a lone surrogate
        dump_json(value)
    return value


def parse_object(data: bytes, *, limit: int) -> JsonObject:
    """Like `parse_json`, where the outermost value must be an object."""
    value = parse_json(data, limit=limit)
    if not isinstance(value, dict):
        raise Malformed("not_an_object")
    return value


def dump_json(value: JsonInput) -> bytes:
    """Compact UTF-8 JSON, members in the order of insertion.

    Raises `Malformed("lone_surrogate")`: such text has no UTF-8 form.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("lone_surrogate") from None


def lp(data: bytes) -> bytes:
    """Length-prefixed: 8 bytes big-endian, then the bytes; makes a concatenation unambiguous."""
    return len(data).to_bytes(8, "big") + data


def h256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def members(
    obj: Mapping[str, object], *, required: Set[str], optional: Set[str] = frozenset()
) -> None:
    """Check that an object is closed: every required member, nothing undeclared.

    An undeclared name is the peer's invention and may carry a value: it is not named.
    """
    present = obj.keys()
    if present == required:
        return
    missing = required - present
    if missing:
        raise Malformed("missing_member", min(missing))
    if present - required - optional:
        raise Malformed("unknown_member")


def text_of(obj: Mapping[str, JsonValue], name: str) -> str:
    """The string `name`, or `Malformed("wrong_type", name)`; so too the three below."""
    value = obj.get(name)
    if isinstance(value, str):
        return value
    raise _not_there(obj, name)


def number_of(obj: Mapping[str, JsonValue], name: str) -> int:
    """The whole number `name`; `true` is none, though Python calls it an int."""
    value = obj.get(name)
    if isinstance(value, int) and value is not True and value is not False:
        return value
    raise _not_there(obj, name)


def list_of(obj: Mapping[str, JsonValue], name: str) -> list[JsonValue]:
    """The array `name`."""
    value = obj.get(name)
    if isinstance(value, list):
        return value
    raise _not_there(obj, name)


def object_of(obj: Mapping[str, JsonValue], name: str) -> JsonObject:
    """The object `name`."""
    value = obj.get(name)
    if isinstance(value, dict):
        return value
    raise _not_there(obj, name)


def texts_of(obj: Mapping[str, JsonValue], name: str) -> tuple[str, ...]:
    """The array `name`, all of whose items are strings."""
    items = list_of(obj, name)
    found = tuple(item for item in items if isinstance(item, str))
    if len(found) != len(items):
        raise Malformed("wrong_type", name)
    return found


def bytes_of(obj: Mapping[str, JsonValue], name: str, *, size: int | None = None) -> bytes:
    """The Base64 member `name` as bytes."""
    return b64decode(text_of(obj, name), field=name, size=size)


def _not_there(obj: Mapping[str, JsonValue], name: str) -> Malformed:
    return Malformed("wrong_type" if name in obj else "missing_member", name)


def _deeper_than(value: JsonValue, levels: int) -> bool:
    """Level by level, containers only: this runs on everything that comes in."""
    level = [value] if isinstance(value, (dict, list)) else []
    while level and levels:
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        levels -= 1
    return bool(level)


def _unique(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("duplicate_name")
    return found


def _whole_number(digits: str) -> int:
    # The length first: converting a hundred thousand digits costs seconds.
    if len(digits) > _MAX_DIGITS or not digits.isdigit() or (number := int(digits)) > MAX_NUMBER:
        raise Malformed("bad_number")
    return number


def _no_number(_text: str) -> NoReturn:
    raise Malformed("bad_number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_whole_number,
    parse_float=_no_number,
    parse_constant=_no_number,
)
