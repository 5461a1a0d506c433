"""Making a desk: the organisation's root key on a stick, the desk's keys here, and the admission
file that says so to the network.

The root key is written to its own file and forgotten; nothing on this computer can read it again.
The admission file holds public keys and signatures only. Who may really be admitted is decided by
people elsewhere, who compare the fingerprint by phone.

    made = enrol(home, root, who, passphrases, root_key_file=stick)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nacl.utils import random

from broker.desk.errors import DeskError
from broker.desk.keyfile import Cost, new_wrapping, write_key_file
from broker.desk.keyring import FILE_NAME, KeyRing, KeyRingFile, new_ring, published_weeks
from broker.desk.weeks import READS
from contracts.codes import ORG_KINDS
from contracts.encoding import JsonInput, b64encode, dump_json, parse_object
from contracts.fingerprint import fingerprint
from contracts.identifiers import OrgId
from contracts.root import RootFile
from contracts.signing import SigningKey
from contracts.statements import (
    DAY,
    MAX_CARRIED,
    Role,
    Statement,
    device_statement,
    first_heading,
    keys_statement,
    org_statement,
)

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
    content = render_root_key(root.net, org, org_root)
    wrapping = new_wrapping(passphrases.root_key, cost)
    write_key_file(root_key_file, content, wrapping, new=True)
    _write(admission_file, admission)
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
    heading = first_heading(net=ring.net, org=ring.org, iat=now)
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
    """The file that the directory's operator imports."""
    carried: list[JsonInput] = [parse_object(one.render(), limit=MAX_CARRIED) for one in statements]
    return dump_json({"statements": carried})


def render_root_key(net: str, org: OrgId, key: SigningKey) -> bytes:
    """The plaintext of the root key's file."""
    return dump_json({"v": 1, "net": net, "org": org, "root": b64encode(key.seed)})


def _check(newcomer: Newcomer, home: Path) -> None:
    if newcomer.kind not in ORG_KINDS:
        raise DeskError("unknown_kind", kinds=", ".join(ORG_KINDS))
    plain = newcomer.country.isascii() and newcomer.country.isalpha()
    if len(newcomer.country) != 2 or not plain or not newcomer.country.islower():
        raise DeskError("unknown_country")
    if (home / FILE_NAME).exists():
        raise DeskError("desk_exists", home=str(home))


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError:
        raise DeskError("key_file_folder", path=str(path)) from None
