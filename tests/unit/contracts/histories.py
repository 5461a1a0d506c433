"""A network's history, told statement by statement, for the tests of the rules.

Every statement is truly made and signed and goes through the register; `refused` says which rule
it broke and that nothing has changed.

    history = History()
    org = history.enrol("my")
    history.later(DAY)
    history.add(history.freeze(by=MY, about=org))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from contracts.contents import MAX_DEVICE_WINDOW, Role
from contracts.drafting import (
    confirm_statement,
    device_statement,
    freeze_statement,
    keys_statement,
    listing_statement,
    org_statement,
    recover_statement,
    revoke_statement,
    route_statement,
    thaw_statement,
    vouch_statement,
)
from contracts.encoding import h256
from contracts.errors import Refused
from contracts.identifiers import KeyId, OrgId
from contracts.log import Leaf
from contracts.register import Register
from contracts.routing import RouteState
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement
from contracts.times import DAY
from tests.unit.contracts.authors import NOW, READS, ROOT, public_key, signing_key, weeks
from tests.vouching import COORDINATORS, Signer, apply_all

MY, BD, ID, TH = COORDINATORS
ENTRY, OTHER_ENTRY = h256(b"entry").hex(), h256(b"another entry").hex()


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation and all its secret keys."""

    id: OrgId
    root: SigningKey
    admin: SigningKey
    recovery: tuple[SigningKey, ...]

    @property
    def device(self) -> KeyId:
        return self.admin.key_id


@dataclass
class History:
    """A register, and the log's time."""

    t: int = NOW
    register: Register = field(default_factory=lambda: Register(ROOT))

    def later(self, seconds: int) -> None:
        self.t += seconds

    def enrol(self, country: str = "my", name: str = "a", *, recovery: int = 3) -> Member:
        """An admitted organisation with an admin device that has keys."""
        org = OrgId(f"{country}-{h256(name.encode()).hex()[:16]}")
        keys = tuple(signing_key(f"recovery {number} of {org}") for number in range(recovery))
        member = Member(org, signing_key(f"root {org}"), signing_key(f"admin {org}"), keys)
        apply_all(self.register, self.first(member), t=self.t)
        self.add(self.certify(member, member.admin))
        self.add(self.publish(member, member.admin))
        return member

    def first(self, member: Member) -> Statement:
        publics = [key.public for key in member.recovery]
        heading = self.heading(member.id)
        return org_statement(heading, root=member.root, kind="ngo", recovery=publics)

    def heading(self, by: OrgId, about: OrgId | None = None) -> Heading:
        return self.register.next_heading(by, iat=self.t, org=about)

    def add(self, statement: Statement) -> None:
        self.register.apply(Leaf(statement, self.t))

    def refused(self, statement: Statement) -> str:
        """The broken rule; and that the statement changed nothing at all but the log's time."""
        register = self.register
        with pytest.raises(Refused):
            self.add(Statement(b"{}", ()))
        before = register.organisations, register.listings, register.routes, register.root
        with pytest.raises(Refused) as caught:
            self.add(statement)
        assert before == (
            register.organisations,
            register.listings,
            register.routes,
            register.root,
        )
        return caught.value.code

    def vouch(self, by: Signer, about: OrgId, of: str) -> Statement:
        return vouch_statement(self.heading(by.id, about), by.key, of=of)

    def certify(
        self, member: Member, device: SigningKey, *, admin: SigningKey | None = None,
        role: Role = Role.ADMIN, root: SigningKey | None = None,
    ) -> Statement:  # fmt: skip
        return device_statement(
            self.heading(member.id), root=root or member.root, device=device, role=role,
            nbf=self.t, naf=self.t + MAX_DEVICE_WINDOW, admin=admin,
        )  # fmt: skip

    def publish(self, member: Member, device: SigningKey) -> Statement:
        keys = weeks(f"{device.key_id} {self.t}", 13, at=self.t)
        return keys_statement(self.heading(member.id), device=device, keys=keys, reads=READS)

    def freeze(
        self, member: Member, *signers: SigningKey, by: Signer | None = None,
        device: KeyId | None = None, since: int | None = None,
    ) -> Statement:  # fmt: skip
        author = member.id if by is None else by.id
        keys = signers if by is None else (by.key,)
        suspected = self.t - DAY if since is None else since
        heading = self.heading(author, member.id)
        return freeze_statement(heading, *keys, suspected_since=suspected, device=device)

    def thaw(self, member: Member, *signers: SigningKey) -> Statement:
        return thaw_statement(self.heading(member.id), *signers)

    def revoke(self, member: Member, *signers: SigningKey, device: KeyId) -> Statement:
        return revoke_statement(self.heading(member.id), *signers, device=device)

    def recover(self, member: Member, *signers: SigningKey, new: SigningKey) -> Statement:
        recovery = [key.public for key in member.recovery]
        heading = self.heading(member.id)
        return recover_statement(heading, *signers, root=new.public, recovery=recovery)

    def change_root(
        self, member: Member, new: SigningKey, *, root: SigningKey | None = None,
        recovery: Sequence[SigningKey] | None = None, kind: str = "ngo",
    ) -> Statement:  # fmt: skip
        keys = member.recovery if recovery is None else recovery
        return org_statement(
            self.heading(member.id), root=root or member.root, kind=kind,
            recovery=[key.public for key in keys], new_root=new.public,
        )  # fmt: skip

    def list_entry(
        self, by: OrgId, about: OrgId, *signers: SigningKey, entry: str = ENTRY
    ) -> Statement:
        return listing_statement(self.heading(by, about), *signers, entry=entry)

    def confirm(
        self, by: OrgId, about: OrgId, *signers: SigningKey, entry: str = ENTRY
    ) -> Statement:
        return confirm_statement(self.heading(by, about), *signers, entry=entry)

    def route(
        self, by: Signer, *signers: Signer, pair: tuple[str, str], state: RouteState
    ) -> Statement:
        keys = [one.key for one in signers]
        heading = self.heading(by.id)
        return route_statement(heading, *keys, pair=pair, mou=state, contracts=["case-referral/1"])

    def in_force(self, member: Member, device: SigningKey | None = None) -> bool:
        """Whether a device may speak at the log's time."""
        found = self.register.device(member.id, (device or member.admin).key_id)
        return found is not None and found.in_force(self.t)

    def root_of(self, member: Member) -> bytes:
        found = self.register.organisation(member.id)
        assert found is not None
        return found.root_at(self.t)

    def frozen(self, member: Member) -> bool:
        found = self.register.organisation(member.id)
        assert found is not None
        return found.frozen(self.t)


__all__ = ["BD", "ENTRY", "ID", "MY", "OTHER_ENTRY", "TH", "History", "Member", "public_key"]
