"""One secret key in a file of its own, on a stick: root, recovery or coordinator.

The file is a key file under a passphrase (`broker.desk.keyfile`). This file does not know what a
key may do, and it never replaces a file that is there.

    write_secret_file(path, Secret(Kind.ROOT, net, org, key), passphrase)
    secret = open_secret_file(path, passphrase, kind=Kind.ROOT, net=root.net)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from pathlib import Path
from typing import Final

from broker.desk.errors import DeskError
from broker.desk.keyfile import Cost, new_wrapping, open_key_file, write_key_file
from contracts.encoding import (
    b64encode,
    bytes_of,
    dump_json,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import ContractError, Malformed
from contracts.identifiers import OrgId, parse_org_id
from contracts.signing import SEED_SIZE, SigningKey

VERSION: Final = 1
_MAX_SECRET: Final = 1024


@unique
class Kind(StrEnum):
    """What a key on a stick is for. The value names its member in the file."""

    ROOT = "root"
    RECOVERY = "recovery"
    COORDINATOR = "coordinator"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret key and whose it is: `org` is the organisation's or the coordinator's id.

    Prints the key's id only.
    """

    kind: Kind
    net: str
    org: OrgId
    key: SigningKey


def write_secret_file(
    path: Path, secret: Secret, passphrase: bytes, *, cost: Cost | None = None
) -> None:
    """A new file, mode 0600. Raises `DeskError("key_file_exists")` and leaves it untouched."""
    wrapping = new_wrapping(passphrase, cost or Cost())
    write_key_file(path, render_secret(secret), wrapping, new=True)


def open_secret_file(
    path: Path, passphrase: bytes, *, kind: Kind, net: str, org: OrgId | None = None
) -> Secret:
    """The key, if it is of this kind, this network and (where given) this organisation."""
    if not path.exists():
        raise DeskError("secret_file_missing", path=str(path))
    secret = opened_secret(open_key_file(path, passphrase).content, path=path)
    check_secret(secret, path=path, kind=kind, net=net, org=org)
    return secret


def opened_secret(content: bytes, *, path: Path) -> Secret:
    """The key of an opened file, of whatever kind; `path` names it in a refusal."""
    try:
        return parse_secret(content)
    except ContractError:
        raise DeskError("key_file_unreadable", path=str(path)) from None


def check_secret(
    secret: Secret, *, path: Path, kind: Kind, net: str, org: OrgId | None = None
) -> None:
    """Refuse, in a sentence, a key that is meant for something else."""
    if secret.kind is not kind:
        raise DeskError("other_kind_of_key", path=str(path), found=secret.kind, wanted=kind)
    if secret.net != net:
        raise DeskError("other_network", net=secret.net, other=net)
    if org is not None and secret.org != org:
        raise DeskError("key_of_another", path=str(path), org=secret.org)


def render_secret(secret: Secret) -> bytes:
    """The plaintext of the file."""
    return dump_json(
        {
            "v": VERSION,
            "net": secret.net,
            "org": secret.org,
            secret.kind.value: b64encode(secret.key.seed),
        }
    )


def parse_secret(content: bytes) -> Secret:
    """The key of a file's plaintext. Raises `Malformed`."""
    fields = parse_object(content, limit=_MAX_SECRET)
    found = [kind for kind in Kind if kind.value in fields]
    if len(found) != 1:
        raise Malformed("unknown_kind", "key")
    [kind] = found
    members(fields, required={"v", "net", "org", kind.value})
    if number_of(fields, "v") != VERSION:
        raise Malformed("unknown_version", "v")
    key = SigningKey.from_seed(bytes_of(fields, kind.value, size=SEED_SIZE))
    return Secret(kind, text_of(fields, "net"), parse_org_id(text_of(fields, "org")), key)
