"""A small network made of real statements, keys and envelopes, with a clock the test moves.

    network = Network()
    shelter = network.organisation("my")
    clinic = network.organisation("bd", devices=2)
    sealed = shelter.desk.seal(b"...", to=clinic)

Only the directory's server is left out: `network.log` is what it would serve.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from contracts.contents import Role, week_key
from contracts.drafting import device_statement, keys_statement, org_statement
from contracts.encoding import b64encode, dump_json
from contracts.envelope import Typ
from contracts.identifiers import KeyId, Mid, OrgId
from contracts.log import Leaf, encode_leaf
from contracts.login import LoginProof, sign_login
from contracts.register import Register
from contracts.root import Hub, RootFile, parse_root
from contracts.routing import RouteState, RouteTable
from contracts.sealing import EncryptionKeyPair, Plaintext, Sealed, seal
from contracts.signing import SigningKey
from contracts.statements import Heading, Statement, first_heading
from contracts.times import monday
from tests.vouching import Vouchers, demo_root

NET: Final = "demo.tests"
DAY: Final = 24 * 3600
WEEK: Final = 7 * DAY
# A Wednesday, so that a test of minutes never crosses a week of keys.
START: Final = monday(1_795_200_000) + 2 * DAY


class Clock:
    """The network's time; stands still until moved."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@dataclass(slots=True)
class Desk:
    """One computer of an organisation."""

    network: Network
    org: OrgId
    key: SigningKey
    pairs: tuple[EncryptionKeyPair, ...] = field(repr=False)

    @property
    def key_id(self) -> KeyId:
        return self.key.key_id

    def seal(
        self,
        message: bytes = b"{}",
        *,
        to: Organisation,
        lifetime: int = 3 * DAY,
        mid: Mid | None = None,
        iat: int | None = None,
        typ: Typ = "msg",
        re: Mid | None = None,
    ) -> Sealed:
        """An envelope as this desk would seal it now."""
        now = self.network.clock.now if iat is None else iat
        recipients = self.network.register.recipients(
            to=to.id, sender=self.org, sender_device=self.key_id, now=self.network.clock.now
        )
        return seal(
            Plaintext(message),
            key=self.key,
            sender=self.org,
            to=to.id,
            recipients=recipients,
            contract="receipt/1" if typ == "rcpt" else "case-referral/1",
            mid=mid or new_mid(),
            iat=now,
            exp=now + lifetime,
            typ=typ,
            re=re,
        )

    def proof(self, nonce: bytes, *, server: KeyId | None = None, iat: int | None = None) -> bytes:
        """A login proof for the network's hub, or for `server`."""
        at = self.network.clock.now if iat is None else iat
        hub = self.network.hub_key.key_id
        return sign_login(LoginProof(server or hub, self.org, self.key_id, nonce, at), self.key)


@dataclass(slots=True)
class Organisation:
    """An organisation in the directory, with its desks."""

    network: Network
    id: OrgId
    root: SigningKey
    heading: Heading
    desks: list[Desk] = field(default_factory=list)

    @property
    def desk(self) -> Desk:
        """Its first desk, an administrator's."""
        return self.desks[0]

    def add_desk(self, *, days: int = 300) -> Desk:
        """Certify one more computer, with keys for thirteen weeks; counts at once."""
        key, now = SigningKey.generate(), self.network.clock.now
        admin = self.desk.key if self.desks else None
        role = Role.CASEWORKER if self.desks else Role.ADMIN
        self._publish(
            device_statement(
                self.heading,
                root=self.root,
                device=key,
                role=role,
                nbf=now,
                naf=now + days * DAY,
                admin=admin,
            )
        )
        pairs = tuple(EncryptionKeyPair.generate() for _ in range(13))
        weeks = [week_key(pair.public, at=now + n * WEEK) for n, pair in enumerate(pairs)]
        self._publish(
            keys_statement(self.heading, device=key, keys=weeks, reads=("case-referral/1.0",))
        )
        desk = Desk(self.network, self.id, key, pairs)
        self.desks.append(desk)
        return desk

    def _publish(self, statement: Statement) -> None:
        now = self.network.clock.now
        self.network.append(statement)
        self.heading = self.heading.following(statement, iat=now)


class Network:
    """Log, register, routes and the hub's key."""

    def __init__(self, *, now: int = START) -> None:
        self.clock = Clock(now)
        self.register = Register(parse_root(demo_root(net=NET)))
        self.vouchers = Vouchers(NET)
        self.log: list[bytes] = []
        self.hub_key = SigningKey.generate()
        self.log_key = SigningKey.generate()
        self.routes = RouteTable.of(
            {("my", "bd"): RouteState.SIGNED, ("my", "pk"): RouteState.PROPOSED}
        )

    def organisation(self, country: str, *, devices: int = 1, kind: str = "ngo") -> Organisation:
        """Admit an organisation with so many desks."""
        org, root = OrgId(f"{country}-{secrets.token_hex(8)}"), SigningKey.generate()
        heading = first_heading(net=NET, by=org, iat=self.clock.now)
        admitted = org_statement(heading, root=root, kind=kind)
        for statement in self.vouchers.admitted(admitted, iat=self.clock.now):
            self.append(statement)
        organisation = Organisation(
            self, org, root, heading.following(admitted, iat=self.clock.now)
        )
        for _ in range(devices):
            organisation.add_desk()
        return organisation

    def append(self, statement: Statement) -> None:
        """What the directory does with a statement."""
        leaf = Leaf(statement, self.clock.now)
        register = self.register.copy()
        register.apply(leaf)
        self.register = register
        self.log.append(encode_leaf(leaf))

    def root_file(self, *, hub_url: str = "https://hub.example") -> bytes:
        """The root file, as its operator hands it out."""
        return demo_root(
            net=NET,
            hubs=[Hub.of(url=hub_url, key=self.hub_key.public)],
            log=self.log_key.public,
        )

    @property
    def root(self) -> RootFile:
        return parse_root(self.root_file())


ROUTES_FILE: Final = (
    b'{"demo": true, "routes": [{"pair": ["my", "bd"], "state": "signed", "note": "DEMO"},'
    b' {"pair": ["my", "pk"], "state": "proposed", "note": "DEMO"}]}'
)


def write_key(network: Network, path: Path) -> Path:
    """The hub's key file."""
    path.write_bytes(dump_json({"v": 1, "seed": b64encode(network.hub_key.seed)}))
    path.chmod(0o600)
    return path


def new_mid() -> Mid:
    """A fresh message id."""
    return Mid(secrets.token_hex(16))
