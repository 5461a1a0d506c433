"""What organisations publish about themselves, as signed bytes: who they are, which computers
speak for them, which keys open their mail.

This file makes statements, carries them and reads their form. It refuses to know whether one
counts: that depends on every statement before it and stands in `contracts.register`. The signed
bytes are kept and carried as they are; nothing is written anew in order to be verified.

    heading = first_heading(net="demo.example", org=org, iat=now)
    admission = org_statement(heading, root=root, kind="ngo")
    heading = heading.following(admission, iat=now)
    admission_2 = device_statement(heading, root=root, device=device, role=Role.ADMIN,
                                   nbf=now, naf=now + MAX_DEVICE_WINDOW)
    content = read_content(admission_2)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from itertools import pairwise
from typing import Final, TypeAlias

from contracts.codes import ORG_KINDS
from contracts.encoding import (
    JsonInput,
    JsonObject,
    JsonValue,
    b64decode,
    b64encode,
    bytes_of,
    dump_json,
    h256,
    list_of,
    members,
    number_of,
    parse_object,
    text_of,
    texts_of,
)
from contracts.errors import Malformed, Refused
from contracts.identifiers import KeyId, OrgId, country_of, parse_key_id, parse_org_id
from contracts.signing import PUBLIC_KEY_SIZE, SIGNATURE_SIZE, SUITE, Label, SigningKey, key_id

VERSION: Final = 1
NO_PREVIOUS: Final = "0" * 64  # `prev` of an author's first statement
# The largest statement foreseen is a root file with eight coordinators and witnesses, about 3 KB.
MAX_BODY: Final = 8 * 1024
# Eight coordinators sign a root file; no rule asks for more signatures on anything.
MAX_SIGNATURES: Final = 16
MAX_CARRIED: Final = 2 * MAX_BODY

DAY: Final = 86_400
WEEK: Final = 7 * DAY
MAX_DEVICE_WINDOW: Final = 366 * DAY  # twelve months, the longest of them
WEEKS_AHEAD: Final = 13  # keys are published for one quarter: what a lost computer can still open
MAX_READS: Final = 64  # contract families times minors a client reads at once
RECOVERY_COUNTS: Final = (0, 2, 3)  # any two act; one alone never could


@unique
class Role(StrEnum):
    """What a device is for. Only an admin device may later act for the organisation's listing."""

    ADMIN = "admin"
    CASEWORKER = "caseworker"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature and the key id of who made it."""

    key_id: KeyId
    value: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """Signed bytes as they are carried: JSON `{"b","sigs"}`, signatures in the order of key ids."""

    body: bytes
    signatures: tuple[Signature, ...]

    @property
    def hash(self) -> str:
        """SHA-256 of the body, 64 hex digits: what the author's next statement names as `prev`."""
        return h256(self.body).hex()

    def render(self) -> bytes:
        """The JSON that `parse_statement` reads."""
        sigs: list[JsonInput] = [
            {"k": signature.key_id, "s": b64encode(signature.value)}
            for signature in self.signatures
        ]
        return dump_json({"b": b64encode(self.body), "sigs": sigs})


@dataclass(frozen=True, slots=True)
class Heading:
    """The members that every statement has: whose it is and where it stands in its author's chain.

    `iat` (Unix seconds) is only shown: every rule about time uses the log's own time.
    """

    net: str
    by: OrgId
    org: OrgId
    seq: int
    prev: str
    iat: int

    def following(self, statement: Statement, *, iat: int) -> Heading:
        """The heading of the same author's next statement, after `statement`."""
        return Heading(self.net, self.by, self.org, self.seq + 1, statement.hash, iat)


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A published X25519 key and its week: `nbf` ≤ time < `naf`, Unix seconds."""

    key_id: KeyId
    public: bytes
    nbf: int
    naf: int


@dataclass(frozen=True, slots=True)
class OrgContent:
    """An organisation's first word: its kind, its root key, and who may replace that key."""

    heading: Heading
    country: str
    kind: str
    root: bytes
    recovery: tuple[bytes, ...]


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


Content: TypeAlias = OrgContent | DeviceContent | KeysContent


def parse_statement(data: bytes) -> Statement:
    """A carried statement. Raises `Malformed`; says nothing of whether the signatures are good."""
    carried = parse_object(data, limit=MAX_CARRIED)
    members(carried, required={"b", "sigs"})
    body = bytes_of(carried, "b")
    check_size(body)
    return Statement(body, check_order(_signature(item) for item in list_of(carried, "sigs")))


def check_size(body: bytes) -> None:
    """A statement's body must be within its bound; the carried form and the log share the rule."""
    if not 0 < len(body) <= MAX_BODY:
        raise Malformed("too_large" if body else "empty", "b")


def check_order(found: Iterable[Signature]) -> tuple[Signature, ...]:
    """Signatures stand in ascending order of key id, each once: one statement, one byte form."""
    signatures = tuple(found)
    if len(signatures) > MAX_SIGNATURES:
        raise Malformed("too_many_signatures", "sigs")
    ids = [signature.key_id for signature in signatures]
    if any(first >= second for first, second in pairwise(ids)):
        raise Malformed("signatures_not_in_order", "sigs")
    return signatures


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


def first_heading(*, net: str, org: OrgId, iat: int) -> Heading:
    """The heading of an organisation's very first statement."""
    return Heading(net, org, org, 1, NO_PREVIOUS, iat)


def org_statement(
    heading: Heading, *, root: SigningKey, kind: str, recovery: Sequence[bytes] = ()
) -> Statement:
    """An organisation's first statement, signed by its root key. `recovery`: 0, 2 or 3 keys."""
    body = _body("org", heading) | {
        "country": country_of(heading.org),
        "kind": kind,
        "root": b64encode(root.public),
        "recovery": [b64encode(public) for public in recovery],
    }
    return signed_statement(body, root)


def device_statement(
    heading: Heading,
    *,
    root: SigningKey,
    device: SigningKey,
    role: Role,
    nbf: int,
    naf: int,
    admin: SigningKey | None = None,
) -> Statement:
    """A device's certificate, signed by the root and by the device's own key.

    With an `admin` device's signature too it counts at once; without, 24 hours later (the first
    device of an organisation counts at once in any case).
    """
    window: dict[str, JsonInput] = {"nbf": nbf, "naf": naf}
    body = _body("device", heading) | {"sign": b64encode(device.public), "role": role} | window
    return signed_statement(body, root, device, *([admin] if admin else []))


def keys_statement(
    heading: Heading,
    *,
    device: SigningKey,
    keys: Sequence[EncryptionKey],
    reads: Sequence[str],
    suites: Sequence[int] = (SUITE,),
) -> Statement:
    """The encryption keys a device can open, week by week; replaces what it published before.

    `reads` names the contract minors it understands, such as "case-referral/1.0".
    """
    weeks: list[JsonInput] = [
        {"pk": b64encode(key.public), "nbf": key.nbf, "naf": key.naf} for key in keys
    ]
    body = _body("keys", heading) | {"keys": weeks, "suites": list(suites), "reads": list(reads)}
    return signed_statement(body, device)


def signed_statement(body: Mapping[str, JsonInput], *signers: SigningKey) -> Statement:
    """The statement of these members, made into bytes once and signed by each signer."""
    data = dump_json(body)
    made = (Signature(key.key_id, key.sign(Label.STATEMENT, data)) for key in signers)
    return Statement(data, check_order(sorted(made, key=lambda signature: signature.key_id)))


def monday(at: int) -> int:
    """The Monday 00:00 UTC at or before a Unix time: when that time's key week began."""
    return at - (at - _FIRST_MONDAY) % WEEK


def week_key(public: bytes, *, at: int) -> EncryptionKey:
    """An encryption key for the week that `at` lies in."""
    begins = monday(at)
    return EncryptionKey(key_id(public), public, begins, begins + WEEK)


_FIRST_MONDAY: Final = 4 * DAY  # 1970-01-01 was a Thursday
_COMMON: Final = frozenset({"v", "net", "typ", "by", "org", "seq", "prev", "iat"})
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_MINOR: Final = re.compile(r"[a-z][a-z0-9-]{0,39}/[0-9]{1,3}\.[0-9]{1,3}")

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


def _body(typ: str, heading: Heading) -> dict[str, JsonInput]:
    return {
        "v": VERSION,
        "net": heading.net,
        "typ": typ,
        "by": heading.by,
        "org": heading.org,
        "seq": heading.seq,
        "prev": heading.prev,
        "iat": heading.iat,
    }


def _signature(item: JsonValue) -> Signature:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "sigs")
    members(item, required={"k", "s"})
    made_by = parse_key_id(text_of(item, "k"), field="k")
    return Signature(made_by, bytes_of(item, "s", size=SIGNATURE_SIZE))


def _heading(body: JsonObject) -> Heading:
    if number_of(body, "v") != VERSION:
        raise Malformed("unknown_version", "v")
    seq, prev = number_of(body, "seq"), text_of(body, "prev")
    if seq < 1:
        raise Malformed("bad_number", "seq")
    if not _HASH.fullmatch(prev):
        raise Malformed("bad_hash", "prev")
    by = parse_org_id(text_of(body, "by"), field="by")
    org = parse_org_id(text_of(body, "org"))
    return Heading(text_of(body, "net"), by, org, seq, prev, number_of(body, "iat"))


def _read_org(body: JsonObject) -> OrgContent:
    members(body, required=_COMMON | {"country", "kind", "root", "recovery"})
    heading, kind, country = _heading(body), text_of(body, "kind"), text_of(body, "country")
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


def _read_device(body: JsonObject) -> DeviceContent:
    members(body, required=_COMMON | {"sign", "role", "nbf", "naf"})
    nbf, naf, role = number_of(body, "nbf"), number_of(body, "naf"), text_of(body, "role")
    if not 0 < naf - nbf <= MAX_DEVICE_WINDOW:
        raise Malformed("bad_window", "naf")
    if role not in _ROLES:
        raise Malformed("unknown_role", "role")
    sign = bytes_of(body, "sign", size=PUBLIC_KEY_SIZE)
    return DeviceContent(_heading(body), sign, Role(role), nbf, naf)


_ROLES: Final = frozenset(Role)


def _read_keys(body: JsonObject) -> KeysContent:
    members(body, required=_COMMON | {"keys", "suites", "reads"})
    keys = tuple(_week(item) for item in list_of(body, "keys"))
    if not 1 <= len(keys) <= WEEKS_AHEAD:
        raise Malformed("wrong_count", "keys")
    if len({key.public for key in keys}) != len(keys):
        raise Malformed("key_repeated", "keys")
    if any(key.naf != after.nbf for key, after in pairwise(keys)):
        raise Malformed("weeks_not_in_order", "keys")
    return KeysContent(_heading(body), keys, _suites(body), _reads(body))


def _week(item: JsonValue) -> EncryptionKey:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "keys")
    members(item, required=_WEEK_MEMBERS)
    public = bytes_of(item, "pk", size=PUBLIC_KEY_SIZE)
    nbf, naf = number_of(item, "nbf"), number_of(item, "naf")
    if monday(nbf) != nbf or naf != nbf + WEEK:
        raise Malformed("not_a_key_week", "nbf")
    # RFC 7748 §5 lets a reader take numbers beyond the field: two spellings of one key.
    if public in _SMALL_ORDER or int.from_bytes(public, "little") >= _FIELD:
        raise Malformed("weak_key", "pk")
    return EncryptionKey(key_id(public), public, nbf, naf)


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
    reads = texts_of(body, "reads")
    if len(reads) > MAX_READS or list(reads) != sorted(set(reads)):
        raise Malformed("not_in_order", "reads")
    if not all(_MINOR.fullmatch(minor) for minor in reads):
        raise Malformed("bad_contract", "reads")
    return reads


_READERS: Final[Mapping[str, Callable[[JsonObject], Content]]] = {
    "org": _read_org,
    "device": _read_device,
    "keys": _read_keys,
}
