"""Signed bytes as organisations and coordinators publish them, one chain for each author.

This file carries statements and knows their common members. It refuses to know what a statement
says (`contracts.contents`), how one is made (`contracts.drafting`) and whether one counts: that
depends on every statement before it and stands in `contracts.register`. The signed bytes are kept
and carried as they are; nothing is written anew in order to be verified.

    statement = parse_statement(data)
    statement.hash                               # what the author's next statement names as `prev`
    statement = countersigned(draft, key)        # a draft carried on a stick, signed where a key is
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from contracts.encoding import (
    JsonInput,
    JsonObject,
    JsonValue,
    b64encode,
    bytes_of,
    dump_json,
    h256,
    list_of,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import Malformed
from contracts.identifiers import KeyId, OrgId, parse_key_id, parse_org_id
from contracts.signing import SIGNATURE_SIZE, Label, SigningKey

VERSION: Final = 1
NO_PREVIOUS: Final = "0" * 64  # `prev` of an author's first statement
# The largest statement holds a root file with eight coordinators and witnesses, about 3 KB, in
# Base64.
MAX_BODY: Final = 8 * 1024
# Eight coordinators sign a root file; no rule asks for more signatures on anything.
MAX_SIGNATURES: Final = 16
MAX_CARRIED: Final = 2 * MAX_BODY
COMMON: Final = frozenset({"v", "net", "typ", "by", "org", "seq", "prev", "iat"})

_HASH: Final = re.compile(r"[0-9a-f]{64}")


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

    `by` is the author, an organisation or a coordinator; `org` is whom it concerns. `iat` (Unix
    seconds) is only shown: every rule about time uses the log's own time.
    """

    net: str
    by: OrgId
    org: OrgId
    seq: int
    prev: str
    iat: int

    def following(self, statement: Statement, *, iat: int, org: OrgId | None = None) -> Heading:
        """The heading of the same author's next statement, after `statement`."""
        about = self.org if org is None else org
        return Heading(self.net, self.by, about, self.seq + 1, statement.hash, iat)


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


def first_heading(*, net: str, by: OrgId, iat: int, org: OrgId | None = None) -> Heading:
    """The heading of an author's very first statement; about itself unless `org` is given."""
    return Heading(net, by, by if org is None else org, 1, NO_PREVIOUS, iat)


def signed_statement(body: Mapping[str, JsonInput], *signers: SigningKey) -> Statement:
    """The statement of these members, made into bytes once and signed by each signer."""
    data = dump_json(body)
    check_size(data)
    statement = Statement(data, ())
    for key in signers:
        statement = countersigned(statement, key)
    return statement


def countersigned(statement: Statement, key: SigningKey) -> Statement:
    """The same statement with one signature more; signing twice with one key changes nothing."""
    others = [one for one in statement.signatures if one.key_id != key.key_id]
    made = Signature(key.key_id, key.sign(Label.STATEMENT, statement.body))
    ordered = sorted((*others, made), key=lambda signature: signature.key_id)
    return replace(statement, signatures=check_order(ordered))


def render_heading(typ: str, heading: Heading) -> dict[str, JsonInput]:
    """The common members, in the order in which this program writes them."""
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


def read_heading(body: JsonObject) -> Heading:
    """The common members of a statement's body. Raises `Malformed`."""
    if number_of(body, "v") != VERSION:
        raise Malformed("unknown_version", "v")
    seq = number_of(body, "seq")
    if seq < 1:
        raise Malformed("bad_number", "seq")
    by = parse_org_id(text_of(body, "by"), field="by")
    org = parse_org_id(text_of(body, "org"))
    prev = hash_of(body, "prev")
    return Heading(text_of(body, "net"), by, org, seq, prev, number_of(body, "iat"))


def hash_of(body: JsonObject, name: str) -> str:
    """The member `name`, 64 lower-case hex digits, or `Malformed("bad_hash", name)`."""
    text = text_of(body, name)
    if not _HASH.fullmatch(text):
        raise Malformed("bad_hash", name)
    return text


def _signature(item: JsonValue) -> Signature:
    if not isinstance(item, dict):
        raise Malformed("wrong_type", "sigs")
    members(item, required={"k", "s"})
    made_by = parse_key_id(text_of(item, "k"), field="k")
    return Signature(made_by, bytes_of(item, "s", size=SIGNATURE_SIZE))
