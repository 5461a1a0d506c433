"""What statements say: one closed set of members for each type, read from the signed bytes.

This file reads the form. It refuses to know who signed, what came before, and whether a statement
counts; that is `contracts.register`'s.

    content = read_content(statement)            # Malformed, or Refused("unknown_type", "typ")
    match content: case FreezeContent(device=None): ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, TypeAlias

from contracts.codes import ORG_KINDS
from contracts.encoding import (
    JsonObject,
    JsonValue,
    b64decode,
    bytes_of,
    list_of,
    members,
    number_of,
    parse_object,
    text_of,
    texts_of,
)
from contracts.errors import Malformed, Refused
from contracts.identifiers import KeyId, country_of, parse_key_id
from contracts.routing import RouteState
from contracts.signing import PUBLIC_KEY_SIZE, SUITE, key_id
from contracts.statements import COMMON, MAX_BODY, Heading, Statement, hash_of, read_heading
from contracts.times import DAY, WEEK, monday

MAX_DEVICE_WINDOW: Final = 366 * DAY  # twelve months, the longest of them
WEEKS_AHEAD: Final = 13  # keys are published for one quarter: what a lost computer can still open
MAX_READS: Final = 64  # contract families times minors a client reads at once
RECOVERY_COUNTS: Final = (0, 2, 3)  # any two act; one alone never could


@unique
class Role(StrEnum):
    """What a device is for. Only an admin device may act for the organisation's listing."""

    ADMIN = "admin"
    CASEWORKER = "caseworker"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A published X25519 key and its week: `nbf` ≤ time < `naf`, Unix seconds."""

    key_id: KeyId
    public: bytes
    nbf: int
    naf: int


@dataclass(frozen=True, slots=True)
class OrgContent:
    """An organisation: its kind, its root key, and who may replace that key.

    The first of an id begins the organisation; a later one changes root or recovery keys.
    """

    heading: Heading
    country: str
    kind: str
    root: bytes
    recovery: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class VouchContent:
    """A coordinator's word for an organisation; `of` is the hash of its first statement."""

    heading: Heading
    of: str


@dataclass(frozen=True, slots=True)
class DeviceContent:
    """A computer that may sign for the organisation from `nbf` until `naf`, Unix seconds."""

    heading: Heading
    sign: bytes
    role: Role
    nbf: int
    naf: int


@dataclass(frozen=True, slots=True)
class KeysContent:
    """The weeks' keys that a device can open, and what it reads."""

    heading: Heading
    keys: tuple[EncryptionKey, ...]
    suites: tuple[int, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListingContent:
    """What the directory shows of an organisation from now on: the hash of the exact bytes."""

    heading: Heading
    entry: str


@dataclass(frozen=True, slots=True)
class ConfirmContent:
    """Somebody has checked that this entry is still true."""

    heading: Heading
    entry: str


@dataclass(frozen=True, slots=True)
class RouteContent:
    """How far two countries have come with each other; `contracts` may be carried between them."""

    heading: Heading
    pair: tuple[str, str]
    mou: RouteState
    contracts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FreezeContent:
    """A device, or without one the whole organisation, may not speak; nor what it said since."""

    heading: Heading
    device: KeyId | None
    suspected_since: int


@dataclass(frozen=True, slots=True)
class ThawContent:
    """An organisation's freeze ends."""

    heading: Heading


@dataclass(frozen=True, slots=True)
class RevokeContent:
    """A device is given up in good order."""

    heading: Heading
    device: KeyId


@dataclass(frozen=True, slots=True)
class RecoverContent:
    """A new root after total loss, and new recovery keys."""

    heading: Heading
    root: bytes
    recovery: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RootContent:
    """The network's next root file: the bytes that its coordinators sign (`contracts.root`)."""

    heading: Heading
    file: bytes


Content: TypeAlias = (
    OrgContent
    | VouchContent
    | DeviceContent
    | KeysContent
    | ListingContent
    | ConfirmContent
    | RouteContent
    | FreezeContent
    | ThawContent
    | RevokeContent
    | RecoverContent
    | RootContent
)


def read_content(statement: Statement) -> Content:
    """What a statement says.

    Raises `Malformed` where the form is wrong, `Refused("unknown_type", "typ")` where it is a
    kind of statement that these rules do not know.
    """
    body = parse_object(statement.body, limit=MAX_BODY)
    reader = _READERS.get(text_of(body, "typ"))
    if reader is None:
        raise Refused("unknown_type", "typ")
    return reader(body)


def week_key(public: bytes, *, at: int) -> EncryptionKey:
    """An encryption key for the week that `at` lies in."""
    begins = monday(at)
    return EncryptionKey(key_id(public), public, begins, begins + WEEK)


_MINOR: Final = re.compile(r"[a-z][a-z0-9-]{0,39}/[0-9]{1,3}\.[0-9]{1,3}")
_FAMILY: Final = re.compile(r"[a-z][a-z0-9-]{0,39}/[0-9]{1,3}")
_COUNTRY: Final = re.compile(r"[a-z]{2}")
_ROLES: Final = frozenset(Role)
_ROUTE_STATES: Final = frozenset(RouteState)

_FIELD: Final = 2**255 - 19
# Points of small order on Curve25519 (RFC 7748 §6.1 asks for the check): libsodium refuses to
# seal to them, so one such key in a list would stop every referral to its organisation.
_SMALL_ORDER: Final = frozenset(
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


def _members(body: JsonObject, *own: str, optional: frozenset[str] = frozenset()) -> None:
    members(body, required=COMMON | set(own), optional=optional)


def _read_org(body: JsonObject) -> OrgContent:
    _members(body, "country", "kind", "root", "recovery")
    heading, kind, country = read_heading(body), text_of(body, "kind"), text_of(body, "country")
    if kind not in ORG_KINDS:
        raise Malformed("unknown_kind", "kind")
    if country != country_of(heading.org):
        raise Malformed("wrong_country", "country")
    root = bytes_of(body, "root", size=PUBLIC_KEY_SIZE)
    return OrgContent(heading, country, kind, root, _recovery(body, root))


def _recovery(body: JsonObject, root: bytes) -> tuple[bytes, ...]:
    texts = texts_of(body, "recovery")
    if len(texts) not in RECOVERY_COUNTS:
        raise Malformed("wrong_count", "recovery")
    keys = tuple(b64decode(text, field="recovery", size=PUBLIC_KEY_SIZE) for text in texts)
    if len({root, *keys}) != len(keys) + 1:
        raise Malformed("key_repeated", "recovery")
    return keys


def _read_vouch(body: JsonObject) -> VouchContent:
    _members(body, "of")
    return VouchContent(read_heading(body), hash_of(body, "of"))


def _read_device(body: JsonObject) -> DeviceContent:
    _members(body, "sign", "role", "nbf", "naf")
    nbf, naf, role = number_of(body, "nbf"), number_of(body, "naf"), text_of(body, "role")
    if not 0 < naf - nbf <= MAX_DEVICE_WINDOW:
        raise Malformed("bad_window", "naf")
    if role not in _ROLES:
        raise Malformed("unknown_role", "role")
    sign = bytes_of(body, "sign", size=PUBLIC_KEY_SIZE)
    return DeviceContent(read_heading(body), sign, Role(role), nbf, naf)


def _read_keys(body: JsonObject) -> KeysContent:
    _members(body, "keys", "suites", "reads")
    keys = tuple([_week(item) for item in list_of(body, "keys")])
    if not 1 <= len(keys) <= WEEKS_AHEAD:
        raise Malformed("wrong_count", "keys")
    if len({key.public for key in keys}) != len(keys):
        raise Malformed("key_repeated", "keys")
    begins = keys[0].nbf
    if [key.nbf for key in keys] != list(range(begins, begins + len(keys) * WEEK, WEEK)):
        raise Malformed("weeks_not_in_order", "keys")
    return KeysContent(read_heading(body), keys, _suites(body), _reads(body))


def _week(item: JsonValue) -> EncryptionKey:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "keys")
    members(item, required=_WEEK_MEMBERS)
    public = b64decode(text_of(item, "pk"), field="pk", size=PUBLIC_KEY_SIZE)
    nbf = number_of(item, "nbf")
    if (nbf - _A_MONDAY) % WEEK or number_of(item, "naf") != nbf + WEEK:
        raise Malformed("not_a_key_week", "nbf")
    # RFC 7748 §5 lets a reader take numbers beyond the field: two spellings of one key.
    if public in _SMALL_ORDER or int.from_bytes(public, "little") >= _FIELD:
        raise Malformed("weak_key", "pk")
    return EncryptionKey(key_id(public), public, nbf, nbf + WEEK)


_A_MONDAY: Final = monday(0)
_WEEK_MEMBERS: Final = frozenset({"pk", "nbf", "naf"})


def _suites(body: JsonObject) -> tuple[int, ...]:
    listed = list_of(body, "suites")
    suites = tuple(s for s in listed if isinstance(s, int) and not isinstance(s, bool))
    if len(suites) != len(listed) or any(not 0 < suite < 256 for suite in suites):
        raise Malformed("wrong_type", "suites")
    # A device that cannot open suite 1 could take part in no envelope of version 1.
    if SUITE not in suites or list(suites) != sorted(set(suites)):
        raise Malformed("bad_suites", "suites")
    return suites


def _reads(body: JsonObject) -> tuple[str, ...]:
    return _ordered(body, "reads", _MINOR)


def _ordered(body: JsonObject, name: str, form: re.Pattern[str]) -> tuple[str, ...]:
    found = texts_of(body, name)
    if len(found) > MAX_READS or list(found) != sorted(set(found)):
        raise Malformed("not_in_order", name)
    if not all(form.fullmatch(one) for one in found):
        raise Malformed("bad_contract", name)
    return found


def _read_listing(body: JsonObject) -> ListingContent:
    _members(body, "entry")
    return ListingContent(read_heading(body), hash_of(body, "entry"))


def _read_confirm(body: JsonObject) -> ConfirmContent:
    _members(body, "entry")
    return ConfirmContent(read_heading(body), hash_of(body, "entry"))


def _read_route(body: JsonObject) -> RouteContent:
    _members(body, "pair", "mou", "contracts")
    pair, mou = texts_of(body, "pair"), text_of(body, "mou")
    if len(pair) != 2 or not all(_COUNTRY.fullmatch(country) for country in pair):
        raise Malformed("not_a_country", "pair")
    if pair[0] >= pair[1]:  # one pair, one byte form
        raise Malformed("not_in_order", "pair")
    if mou not in _ROUTE_STATES:
        raise Malformed("unknown_state", "mou")
    contracts = _ordered(body, "contracts", _FAMILY)
    return RouteContent(read_heading(body), (pair[0], pair[1]), RouteState(mou), contracts)


def _read_freeze(body: JsonObject) -> FreezeContent:
    _members(body, "suspected_since", optional=frozenset({"device"}))
    device = parse_key_id(text_of(body, "device"), field="device") if "device" in body else None
    return FreezeContent(read_heading(body), device, number_of(body, "suspected_since"))


def _read_thaw(body: JsonObject) -> ThawContent:
    _members(body)
    return ThawContent(read_heading(body))


def _read_revoke(body: JsonObject) -> RevokeContent:
    _members(body, "device")
    return RevokeContent(read_heading(body), parse_key_id(text_of(body, "device"), field="device"))


def _read_recover(body: JsonObject) -> RecoverContent:
    _members(body, "root", "recovery")
    root = bytes_of(body, "root", size=PUBLIC_KEY_SIZE)
    return RecoverContent(read_heading(body), root, _recovery(body, root))


def _read_root(body: JsonObject) -> RootContent:
    _members(body, "file")
    return RootContent(read_heading(body), bytes_of(body, "file"))


_READERS: Final[Mapping[str, Callable[[JsonObject], Content]]] = {
    "org": _read_org,
    "vouch": _read_vouch,
    "device": _read_device,
    "keys": _read_keys,
    "listing": _read_listing,
    "confirm": _read_confirm,
    "route": _read_route,
    "freeze": _read_freeze,
    "thaw": _read_thaw,
    "revoke": _read_revoke,
    "recover": _read_recover,
    "root": _read_root,
}
