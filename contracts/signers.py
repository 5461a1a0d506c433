"""Whether those signed a statement who had to, and nobody besides.

Which keys those are is for `contracts.rules`. A signature too many is refused like one too few:
nobody's key may stand under a statement that the rules do not ask it for.

    check_signed(claim, by_id([root, device]))
    check_signed_by(claim, by_id(recovery), at_least=2)

How a signature is checked is the caller's to say (`Check`), because a mirror that reads ten
thousand statements has a second processor to do it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from contracts.errors import Refused
from contracts.identifiers import KeyId
from contracts.signing import Label, key_id, signed_bytes, verify_bytes
from contracts.statements import Statement

Keys: TypeAlias = dict[KeyId, bytes]
# Public key, signature, signed bytes; raises `BadSignature`.
Check: TypeAlias = Callable[[bytes, bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement in the log, the log's time for it, and how its signatures are checked."""

    statement: Statement
    t: int
    check: Check = verify_bytes


def by_id(keys: Iterable[bytes]) -> Keys:
    """Public keys under their key ids."""
    return {key_id(key): key for key in keys}


def signers(statement: Statement) -> set[KeyId]:
    """Whose signatures the statement carries, good or not."""
    return {signature.key_id for signature in statement.signatures}


def check_signed(claim: Claim, keys: Keys) -> None:
    """Exactly these keys signed the statement: none missing, none besides, all good.

    Raises `Refused("wrong_signers", "sigs")` or `BadSignature`; so too the one below.
    """
    if not keys or signers(claim.statement) != keys.keys():
        raise Refused("wrong_signers", "sigs")
    _check(claim, keys)


def check_signed_by(claim: Claim, allowed: Keys, *, at_least: int) -> None:
    """At least so many of these keys signed the statement and nobody besides, all good."""
    found = signers(claim.statement)
    if len(found) < at_least or found - allowed.keys():
        raise Refused("wrong_signers", "sigs")
    _check(claim, allowed)


def _check(claim: Claim, keys: Keys) -> None:
    signed = signed_bytes(Label.STATEMENT, claim.statement.body)
    for signature in claim.statement.signatures:
        claim.check(keys[signature.key_id], signature.value, signed)
