"""A small world for the tests of contracts: organisations with desks in a real register.

Statements are truly made, signed and applied: a test that passes here has passed the register's
rules too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.contents import Role, week_key
from contracts.drafting import device_statement, keys_statement, org_statement
from contracts.encoding import h256
from contracts.identifiers import Mid, OrgId
from contracts.log import Leaf
from contracts.register import EncryptionKey, Register
from contracts.root import parse_root
from contracts.routing import RouteState, RouteTable
from contracts.sealing import (
    EncryptionKeyPair,
    NotForThisDevice,
    Opened,
    Plaintext,
    Sealed,
    open_envelope,
    seal,
)
from contracts.signing import SigningKey
from contracts.times import monday
from tests.vouching import Vouchers, demo_root

NOW: Final = 1795564800  # 2026-11-25 00:00 UTC, a Wednesday
DAY: Final = 86400
NET: Final = "demo.test.example"
MY: Final = OrgId("my-0a1b2c3d4e5f6071")
BD: Final = OrgId("bd-1021324354657687")
TH: Final = OrgId("th-2031425364758697")
CONTRACTS: Final = frozenset(("case-referral/1", "receipt/1"))
ROUTES: Final = RouteTable.of({("my", "bd"): RouteState.SIGNED})
MID: Final = Mid("00112233445566778899aabbccddeeff")


@dataclass(frozen=True)
class Desk:
    """A device with its secrets."""

    org: OrgId
    key: SigningKey
    pair: EncryptionKeyPair
    week: int = monday(NOW)

    @property
    def published(self) -> EncryptionKey:
        return EncryptionKey(self.pair.key_id, self.pair.public, self.week, self.week + 7 * DAY)


@dataclass(frozen=True)
class DeviceFacts:
    """What a register shall say of a device."""

    desk: Desk
    nbf: int
    naf: int


@dataclass
class World:
    """Five desks of three organisations, and everything that everyone knows of them."""

    register: Register
    my_1: Desk
    my_2: Desk
    bd_1: Desk
    bd_2: Desk
    th_1: Desk
    routes: RouteTable = field(default=ROUTES)

    def sealed(
        self, message: bytes = b'{"v":"0.1"}', *, sender: Desk | None = None, to: OrgId = BD,
        recipients: Sequence[Desk] | None = None, mid: Mid = MID, iat: int = NOW,
        life: int = DAY, contract: str = "case-referral/1",
    ) -> Sealed:  # fmt: skip
        sender = sender or self.my_1
        return seal(
            Plaintext(message), key=sender.key, sender=sender.org, to=to,
            recipients=[one.published for one in recipients or (self.bd_1,)],
            contract=contract, mid=mid, iat=iat, exp=iat + life,
        )  # fmt: skip

    def opened(
        self, body: bytes, *, by: Desk | None = None, now: int = NOW
    ) -> Opened | NotForThisDevice:
        by = by or self.bd_1
        return open_envelope(
            body, org=by.org, secrets={by.pair.key_id: by.pair}, register=self.register, now=now,
            contracts=CONTRACTS,
        )  # fmt: skip


def desk(org: OrgId, name: str) -> Desk:
    """A desk whose keys come from its name."""
    signs, opens = h256(f"{name} signs".encode()), h256(f"{name} opens".encode())
    return Desk(org, SigningKey.from_seed(signs), EncryptionKeyPair.from_secret(opens))


def world() -> World:
    """The usual one."""
    my = desk(MY, "my 1"), desk(MY, "my 2")
    bd = desk(BD, "bd 1"), desk(BD, "bd 2")
    th = desk(TH, "th 1")
    return World(register_of(usual_facts((*my, *bd, th))), *my, *bd, th)


def usual_facts(desks: Iterable[Desk]) -> list[DeviceFacts]:
    """The usual windows."""
    return [DeviceFacts(one, NOW - 30 * DAY, NOW + 300 * DAY) for one in desks]


def register_of(facts: Iterable[DeviceFacts]) -> Register:
    """The register that says exactly this, made of signed statements."""
    register, vouchers = Register(parse_root(demo_root(net=NET))), Vouchers(NET)
    admins: dict[OrgId, SigningKey] = {}
    for fact in sorted(facts, key=lambda fact: fact.nbf):
        _add(register, fact, admins, vouchers)
    return register


def root_of(org: OrgId) -> SigningKey:
    """An organisation's root key."""
    return SigningKey.from_seed(h256(f"root of {org}".encode()))


def _add(
    register: Register, fact: DeviceFacts, admins: dict[OrgId, SigningKey], vouchers: Vouchers
) -> None:
    org, root, t = fact.desk.org, root_of(fact.desk.org), fact.nbf
    if org not in admins:
        heading = register.next_heading(org, iat=t)
        first = org_statement(heading, root=root, kind="ngo")
        for statement in vouchers.admitted(first, iat=t):
            register.apply(Leaf(statement, t))
    certificate = device_statement(
        register.next_heading(org, iat=t), root=root, device=fact.desk.key, role=Role.ADMIN,
        nbf=t, naf=fact.naf, admin=admins.get(org),
    )  # fmt: skip
    register.apply(Leaf(certificate, t))
    admins.setdefault(org, fact.desk.key)
    keys = keys_statement(
        register.next_heading(org, iat=t), device=fact.desk.key,
        keys=[week_key(fact.desk.pair.public, at=fact.desk.week)], reads=["case-referral/1.0"],
    )  # fmt: skip
    register.apply(Leaf(keys, t))
