"""Recovery keys, and drafts: statements whose keys are in several places.

A recovery key is made by its holder, who hands over the public file only. A draft is the statement
itself, in a file, with the signatures it has so far; it is carried from one holder to the next and
fits one place in the organisation's chain. Whether its signatures suffice is asked of the network's
own rules. Nothing here publishes.

    draft = read_draft(path, register)
    signed = sign_draft(draft, secret, register, now=now)
    still = missing(signed, register, now=now)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from broker.desk.errors import DeskError
from broker.desk.secretfile import Kind, Secret
from contracts.contents import (
    FreezeContent,
    RecoverContent,
    RevokeContent,
    ThawContent,
    read_content,
)
from contracts.drafting import recover_statement
from contracts.encoding import (
    b64encode,
    bytes_of,
    dump_json,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import ContractError, Malformed, Refused
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf
from contracts.register import Register
from contracts.signing import PUBLIC_KEY_SIZE, SigningKey, key_id
from contracts.standing import Organisation
from contracts.statements import MAX_CARRIED, Statement, countersigned, parse_statement

Drafted: TypeAlias = FreezeContent | RecoverContent | RevokeContent | ThawContent

_MAX_PUBLIC: Final = 1024


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement on its way from one signer to the next."""

    statement: Statement
    content: Drafted

    @property
    def org(self) -> OrgId:
        """The organisation that it concerns."""
        return self.content.heading.org

    @property
    def signers(self) -> tuple[KeyId, ...]:
        """Who has signed so far, by key id."""
        return tuple(signature.key_id for signature in self.statement.signatures)


def render_public(secret: Secret) -> bytes:
    """The public file of a recovery key: what the organisation names in the log."""
    public = b64encode(secret.key.public)
    return dump_json({"v": 1, "net": secret.net, "org": secret.org, "recovery": public})


def read_public(path: Path, *, net: str, org: OrgId) -> bytes:
    """The public key of such a file. Raises `DeskError("not_a_public_key")`."""
    try:
        fields = parse_object(path.read_bytes(), limit=_MAX_PUBLIC)
        members(fields, required={"v", "net", "org", "recovery"})
        if (number_of(fields, "v"), text_of(fields, "net"), text_of(fields, "org")) != (
            1,
            net,
            org,
        ):
            raise Malformed("other_organisation", "org")
        return bytes_of(fields, "recovery", size=PUBLIC_KEY_SIZE)
    except (OSError, ContractError):
        raise DeskError("not_a_public_key", path=str(path)) from None


def check_count(keys: int) -> None:
    """Two or three recovery keys, or none: any two act, and one alone never could."""
    if keys not in (0, 2, 3):
        raise DeskError("recovery_count")


def known(register: Register, org: OrgId) -> Organisation:
    """An organisation of the log. Raises `DeskError("unknown_organisation")`."""
    found = register.organisation(org)
    if found is None:
        raise DeskError("unknown_organisation", org=org)
    return found


def draft_recovery(
    register: Register, org: OrgId, *, new: SigningKey, recovery: tuple[bytes, ...], now: int
) -> Draft:
    """A recovery as its first signer makes it: signed by the new root alone.

    Without new recovery keys the ones in force stay.
    """
    organisation = known(register, org)
    if not organisation.recovery_at(now):
        raise DeskError("no_recovery", org=org)
    heading = register.next_heading(org, iat=now)
    keys = recovery or organisation.recovery_at(now)
    return drafted(recover_statement(heading, new, root=new.public, recovery=keys))


def drafted(statement: Statement) -> Draft:
    """The draft of a statement that was just made or read. Raises `Malformed`."""
    content = read_content(statement)
    if not isinstance(content, FreezeContent | RecoverContent | RevokeContent | ThawContent):
        raise Malformed("not_a_draft", "typ")
    return Draft(statement, content)


def read_draft(path: Path, register: Register) -> Draft:
    """The draft in a file, if it still fits where the organisation's chain stands."""
    try:
        with path.open("rb") as file:
            draft = drafted(parse_statement(file.read(MAX_CARRIED + 1)))
    except (OSError, ContractError):
        raise DeskError("not_a_draft", path=str(path)) from None
    heading = draft.content.heading
    place = register.next_heading(heading.by, iat=heading.iat, org=heading.org)
    if heading != place:
        raise DeskError("chain_taken")
    return draft


def sign_draft(draft: Draft, secret: Secret, register: Register, *, path: Path, now: int) -> Draft:
    """The draft with a recovery key's signature more; `path` names the key's file in a refusal."""
    check_recovery_key(secret, known(register, draft.org), path=path, now=now)
    return replace(draft, statement=countersigned(draft.statement, secret.key))


def check_recovery_key(secret: Secret, organisation: Organisation, *, path: Path, now: int) -> None:
    """Refuse a key that is none of the organisation's recovery keys today."""
    in_force = organisation.recovery_at(now)
    if secret.kind is not Kind.RECOVERY or secret.key.public not in in_force:
        raise DeskError("not_a_recovery_key", path=str(path), org=organisation.id)


def missing(draft: Draft, register: Register, *, now: int) -> str:
    """The rule that the log would refuse it by today, "" where it would take it."""
    twin = register.copy()
    try:
        twin.apply(Leaf(draft.statement, max(now, register.time)))
    except Refused as refused:
        return refused.code
    return ""


def recovery_signers(draft: Draft, register: Register, *, now: int) -> int:
    """How many of the organisation's recovery keys have signed."""
    in_force = {key_id(public) for public in known(register, draft.org).recovery_at(now)}
    return len(in_force & set(draft.signers))
