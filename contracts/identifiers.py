"""Names of things as types, so that one is never taken for another.

An identifier says nothing about whom it names: organisations are never named after their
name, messages never after a person. Only parsers here turn foreign text into an identifier.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from contracts.encoding import h256
from contracts.errors import Malformed

OrgId = NewType("OrgId", str)  # country and 8 random bytes: "my-0123456789abcdef"
KeyId = NewType("KeyId", str)  # 32 hex digits, a hash of suite and public key
Mid = NewType("Mid", str)  # 32 random hex digits: one envelope of one sender
Eid = NewType("Eid", str)  # 64 hex digits, the hash of all that the sender signed
Ref = NewType("Ref", str)  # the referral's reference, made by the referrer
EventId = NewType("EventId", str)  # the message's own id, the same in a resend

_ORG_ID: Final = re.compile(r"[a-z]{2}-[0-9a-f]{16}")
_HEX_32: Final = re.compile(r"[0-9a-f]{32}")
_HEX_64: Final = re.compile(r"[0-9a-f]{64}")
# Douglas Crockford's base 32: no I, L, O, U, so nothing is misheard or misread.
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SPOKEN_LENGTH: Final = 6


def parse_org_id(text: str, *, field: str = "org") -> OrgId:
    """An organisation's id, or `Malformed("bad_identifier", field)`; so too the three below."""
    return OrgId(_matching(_ORG_ID, text, field))


def parse_key_id(text: str, *, field: str = "sk") -> KeyId:
    """A key id: 32 lower-case hex digits."""
    return KeyId(_matching(_HEX_32, text, field))


def parse_mid(text: str, *, field: str = "mid") -> Mid:
    """A message envelope's id: 32 lower-case hex digits."""
    return Mid(_matching(_HEX_32, text, field))


def parse_eid(text: str, *, field: str = "eid") -> Eid:
    """The id of an envelope's exact bytes: 64 lower-case hex digits."""
    return Eid(_matching(_HEX_64, text, field))


def country_of(org: OrgId) -> str:
    """The ISO 3166-1 alpha-2 code, lower case, that an organisation's id begins with."""
    return org[:2]


def spoken_reference(ref: Ref) -> str:
    """Six characters that two desks read to each other over the phone.

    The first 30 bits of SHA-256 of the reference in Crockford's base 32. For people to find
    the same case; no program may trust it.
    """
    bits = int.from_bytes(h256(ref.encode("utf-8"))[:4], "big") >> 2
    places = range(5 * (_SPOKEN_LENGTH - 1), -1, -5)
    return "".join(_CROCKFORD[(bits >> place) & 31] for place in places)


def _matching(pattern: re.Pattern[str], text: str, field: str) -> str:
    if not pattern.fullmatch(text):
        raise Malformed("bad_identifier", field)
    return text
