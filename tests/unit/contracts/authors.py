"""Fictional organisations that write their own chains, for every test of statements and the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nacl.bindings import crypto_scalarmult_base

from contracts.contents import MAX_DEVICE_WINDOW, EncryptionKey, Role, week_key
from contracts.drafting import device_statement, keys_statement, org_statement
from contracts.encoding import h256
from contracts.identifiers import OrgId
from contracts.log import Leaf
from contracts.root import parse_root
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement, first_heading
from contracts.times import WEEK
from tests.vouching import demo_root

NET = "demo.example"
NOW = 1_795_200_000
ROOT = parse_root(demo_root(net=NET))
MALAYSIA = OrgId("my-00000000000000aa")
BANGLADESH = OrgId("bd-00000000000000bb")
READS = ("case-referral/1.0",)


def signing_key(name: str) -> SigningKey:
    """The same key for the same name, every time."""
    return SigningKey.from_seed(h256(name.encode()))


def public_key(name: str) -> bytes:
    """The public half of an encryption key named so."""
    return crypto_scalarmult_base(h256(b"encryption " + name.encode()))


def weeks(name: str, count: int = 2, *, at: int = NOW) -> tuple[EncryptionKey, ...]:
    """Keys of consecutive weeks from the one of `at` on."""
    starts = (at + number * WEEK for number in range(count))
    return tuple(week_key(public_key(f"{name} {start // WEEK}"), at=start) for start in starts)


@dataclass
class Author:
    """One organisation, its root key and the heading of its next statement."""

    org: OrgId = MALAYSIA
    net: str = NET
    name: str = "honest"
    heading: Heading = field(init=False)

    def __post_init__(self) -> None:
        self.heading = first_heading(net=self.net, by=self.org, iat=NOW)

    @property
    def root(self) -> SigningKey:
        return signing_key(f"root of {self.name} {self.org}")

    def device_key(self, device: str = "first") -> SigningKey:
        return signing_key(f"device {device} of {self.name} {self.org}")

    def enrol(self, *, kind: str = "ngo", recovery: Sequence[bytes] = ()) -> Statement:
        return self._next(org_statement(self.heading, root=self.root, kind=kind, recovery=recovery))

    def certify(
        self,
        device: str = "first",
        *,
        role: Role = Role.ADMIN,
        nbf: int = NOW,
        naf: int = NOW + MAX_DEVICE_WINDOW,
        admin: SigningKey | None = None,
    ) -> Statement:
        return self._next(
            device_statement(
                self.heading,
                root=self.root,
                device=self.device_key(device),
                role=role,
                nbf=nbf,
                naf=naf,
                admin=admin,
            )
        )

    def publish(
        self, device: str = "first", *, keys: Sequence[EncryptionKey] | None = None
    ) -> Statement:
        made = weeks(f"{device} {self.org}") if keys is None else keys
        key = self.device_key(device)
        return self._next(keys_statement(self.heading, device=key, keys=made, reads=READS))

    def admission(self) -> tuple[Statement, ...]:
        """Organisation, first device and its keys: what an admission file holds."""
        return (self.enrol(), self.certify(), self.publish())

    def _next(self, statement: Statement) -> Statement:
        self.heading = self.heading.following(statement, iat=NOW)
        return statement


def leaves(*statements: Statement, t: int = NOW) -> tuple[Leaf, ...]:
    """The statements as leaves, all at one time."""
    return tuple(Leaf(statement, t) for statement in statements)
