"""Making a desk: the organisation's root key on a stick, the desk's keys here, and the admission
file that says so to the network.

The root key is written to its own file and forgotten; nothing on this computer can read it again.
The admission file holds public keys and signatures only: it goes to two coordinators, who compare
the fingerprint by phone and vouch for it. A copy stays with the desk, which publishes it once both
have (`broker.desk.joining`). A further computer of an organisation makes a request instead, which
its stick signs.

    made = enrol(home, root, who, passphrases, root_key_file=stick, admission_file=file, now=now)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nacl.utils import random

from broker.desk.errors import DeskError
from broker.desk.keyfile import Cost
from broker.desk.keyring import KeyRing, KeyRingFile, key_file, new_ring, published_weeks
from broker.desk.secretfile import Kind, Secret, write_secret_file
from broker.desk.weeks import READS
from contracts.codes import ORG_KINDS
from contracts.contents import DeviceContent, Role, read_content
from contracts.drafting import device_draft, device_statement, keys_statement, org_statement
from contracts.encoding import JsonInput, dump_json, list_of, members, parse_object
from contracts.errors import ContractError, Malformed
from contracts.fingerprint import fingerprint
from contracts.identifiers import KeyId, OrgId
from contracts.register import Register
from contracts.root import RootFile
from contracts.signing import SigningKey, key_id
from contracts.statements import (
    MAX_CARRIED,
    Statement,
    countersigned,
    first_heading,
    parse_statement,
)
from contracts.times import DAY

ADMISSION: Final = "admission.json"  # the desk's own copy
# The window begins a day ago, so that a directory whose clock is behind ours takes it too.
CLOCK_ROOM: Final = DAY
DEVICE_WINDOW: Final = 365 * DAY


@dataclass(frozen=True, slots=True)
class Passphrases:
    """One for this computer, one for the stick; they may be the same."""

    desk: bytes = field(repr=False)
    root_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An organisation that joins: country (ISO 3166-1 alpha-2, lower case) and kind."""

    country: str
    kind: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What was made. `fingerprint` is compared by phone, `root_hash` with what was published."""

    org: OrgId
    device: str
    fingerprint: str
    root_hash: str
    admission: bytes


def enrol(
    home: Path,
    root: RootFile,
    newcomer: Newcomer,
    passphrases: Passphrases,
    *,
    root_key_file: Path,
    admission_file: Path,
    now: int,
    cost: Cost | None = None,
) -> Enrolled:
    """Make the keys and write the three files. Raises `DeskError`; a desk there stays untouched.

    The desk's own key file comes last: where anything fails before it, there is no desk yet, and
    `init` can be run again with another name for the stick's file.
    """
    _check(newcomer, home)
    cost = cost or Cost()
    org_root, org = SigningKey.generate(), new_org_id(newcomer.country)
    ring = new_ring(net=root.net, org=org, now=now)
    admission = render_admission(first_statements(org_root, ring, newcomer, now=now))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    secret = Secret(Kind.ROOT, root.net, org, org_root)
    write_secret_file(root_key_file, secret, passphrases.root_key, cost=cost)
    write_file(admission_file, admission)
    write_file(home / ADMISSION, admission)
    KeyRingFile.create(home, passphrases.desk, ring, cost=cost)
    digits = fingerprint(org, root=org_root.public)
    return Enrolled(org, ring.device, digits, root.hash, admission)


def new_org_id(country: str) -> OrgId:
    """A random id; never derived from a name."""
    return OrgId(f"{country}-{random(8).hex()}")


def first_statements(
    org_root: SigningKey, ring: KeyRing, newcomer: Newcomer, *, now: int
) -> tuple[Statement, ...]:
    """The organisation, its first device, that device's keys: one chain, in order."""
    heading = first_heading(net=ring.net, by=ring.org, iat=now)
    organisation = org_statement(heading, root=org_root, kind=newcomer.kind)
    heading = heading.following(organisation, iat=now)
    begins = now - CLOCK_ROOM
    device = device_statement(
        heading,
        root=org_root,
        device=ring.signing,
        role=Role.ADMIN,
        nbf=begins,
        naf=begins + DEVICE_WINDOW,
    )
    heading = heading.following(device, iat=now)
    weeks = published_weeks(ring, now=now)
    keys = keys_statement(heading, device=ring.signing, keys=weeks, reads=READS)
    return organisation, device, keys


def render_admission(statements: tuple[Statement, ...]) -> bytes:
    """What coordinators read and the desk publishes."""
    carried: list[JsonInput] = [parse_object(one.render(), limit=MAX_CARRIED) for one in statements]
    return dump_json({"statements": carried})


def read_admission(path: Path) -> tuple[Statement, ...]:
    """The statements of an admission file. Raises `DeskError("admission_missing")`."""
    try:
        fields = parse_object(path.read_bytes(), limit=_MOST_STATEMENTS * MAX_CARRIED)
        members(fields, required={"statements"})
        items = list_of(fields, "statements")
        if not 0 < len(items) <= _MOST_STATEMENTS:
            raise Malformed("wrong_count", "statements")
        return tuple(parse_statement(dump_json(item)) for item in items)
    except (OSError, ContractError):
        raise DeskError("admission_missing", path=str(path)) from None


def request_device(ring: KeyRing, register: Register, *, role: Role, now: int) -> Statement:
    """A new computer's certificate, signed by itself alone; it fits one place in the chain."""
    begins = now - CLOCK_ROOM
    heading = register.next_heading(ring.org, iat=now)
    return device_draft(
        heading,
        ring.signing,
        device=ring.signing.public,
        role=role,
        nbf=begins,
        naf=begins + DEVICE_WINDOW,
    )


@dataclass(frozen=True, slots=True)
class Request:
    """A new computer's certificate that its organisation's stick has not signed yet."""

    statement: Statement
    content: DeviceContent

    @property
    def org(self) -> OrgId:
        """The organisation that it wants to belong to."""
        return self.content.heading.org

    @property
    def device(self) -> KeyId:
        """The new computer's key id."""
        return key_id(self.content.sign)

    @property
    def digits(self) -> str:
        """What the person at that computer reads out."""
        return fingerprint(self.org, root=self.content.sign)


def read_request(path: Path) -> Request:
    """What a new computer asks for. Raises `DeskError("not_a_request")`."""
    try:
        with path.open("rb") as file:
            statement = parse_statement(file.read(MAX_CARRIED + 1))
        content = read_content(statement)
    except (OSError, ContractError):
        raise DeskError("not_a_request", path=str(path)) from None
    if not isinstance(content, DeviceContent):
        raise DeskError("not_a_request", path=str(path))
    return Request(statement, content)


def check_place(request: Request, register: Register, *, path: Path) -> None:
    """Refuse a request that no longer fits where the organisation's chain stands."""
    heading = request.content.heading
    if heading != register.next_heading(request.org, iat=heading.iat):
        raise DeskError("request_outdated", path=str(path))


def certified(request: Statement, root: SigningKey, *, admin: SigningKey | None) -> Statement:
    """The request with the stick's signature, and an admin desk's where there is one."""
    signed = countersigned(request, root)
    return signed if admin is None else countersigned(signed, admin)


def write_file(path: Path, data: bytes) -> None:
    """A file that holds nothing secret. Raises `DeskError("key_file_folder")`."""
    try:
        path.write_bytes(data)
    except OSError:
        raise DeskError("key_file_folder", path=str(path)) from None


def check_home(home: Path) -> None:
    """Refuse where a desk is already."""
    if key_file(home).exists():
        raise DeskError("desk_exists", home=str(home))


_MOST_STATEMENTS: Final = 3


def _check(newcomer: Newcomer, home: Path) -> None:
    if newcomer.kind not in ORG_KINDS:
        raise DeskError("unknown_kind", kinds=", ".join(ORG_KINDS))
    plain = newcomer.country.isascii() and newcomer.country.isalpha()
    if len(newcomer.country) != 2 or not plain or not newcomer.country.islower():
        raise DeskError("unknown_country")
    check_home(home)
