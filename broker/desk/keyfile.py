"""A file that holds secrets under a passphrase: the desk's keys, the organisation's root key.

Form: `{"h":"B64(header JSON)","c":"B64"}`. The header `{v, kdf, ops, mem, salt, nonce}` is the
additional data of XChaCha20-Poly1305, so a changed bound or salt is noticed; the key is Argon2id
of the passphrase (RFC 9106). This file does not know what the secrets are for. It never prints
one, and it takes no passphrase from a command line.

    opened = open_key_file(path, passphrase)
    write_key_file(path, content, opened.wrapping)
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nacl import bindings
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.utils import random

from broker.desk.errors import DeskError
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

MIB: Final = 1024 * 1024
KEY_SIZE: Final = 32
SALT_SIZE: Final = argon2id.SALTBYTES
NONCE_SIZE: Final = 24
# A reader's bounds: below, a stolen file is guessed too fast; above, a forged file would take
# the computer's memory or minutes of its time before the passphrase is found wrong.
LEAST_OPS: Final = 3
MOST_OPS: Final = 10
LEAST_MEM: Final = 64 * MIB
MOST_MEM: Final = 1024 * MIB
MAX_FILE: Final = 256 * 1024  # a year of weekly keys is under 10 KiB


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id's work: passes, and memory in bytes."""

    ops: int = LEAST_OPS
    mem: int = 256 * MIB

    def __post_init__(self) -> None:
        if not (LEAST_OPS <= self.ops <= MOST_OPS and LEAST_MEM <= self.mem <= MOST_MEM):
            raise Malformed("out_of_bounds", "ops" if self.mem >= LEAST_MEM else "mem")


@dataclass(frozen=True, slots=True)
class Wrapping:
    """A passphrase's key with the salt and cost it was made with.

    An unlocked desk keeps it to rewrite its key file every week without asking again; every
    writing takes a fresh 192-bit nonce.
    """

    cost: Cost
    salt: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The secrets of a key file, and what it takes to write it again."""

    content: bytes = field(repr=False)
    wrapping: Wrapping


def new_wrapping(passphrase: bytes, cost: Cost) -> Wrapping:
    """A key for a new file; takes about half a second with the default cost."""
    return _wrapping(passphrase, cost, random(SALT_SIZE))


def open_key_file(path: Path, passphrase: bytes) -> OpenedFile:
    """Check the file's mode and bounds, then open it. Raises `DeskError`."""
    header, sealed, nonce, cost, salt = _read(path)
    wrapping = _wrapping(passphrase, cost, salt)
    return OpenedFile(_open(path, header, sealed, nonce, wrapping.key), wrapping)


def reopen_key_file(path: Path, wrapping: Wrapping) -> bytes:
    """The content again, as another process may have rewritten it since."""
    header, sealed, nonce, cost, salt = _read(path)
    if (cost, salt) != (wrapping.cost, wrapping.salt):
        raise DeskError("passphrase_changed")
    return _open(path, header, sealed, nonce, wrapping.key)


def write_key_file(path: Path, content: bytes, wrapping: Wrapping, *, new: bool = False) -> None:
    """Replace the file at once and for good: after a crash there is the old one or the new one.

    `new` refuses to replace anything.
    """
    nonce = random(NONCE_SIZE)
    header = dump_json(
        {
            "v": 1,
            "kdf": "argon2id",
            "ops": wrapping.cost.ops,
            "mem": wrapping.cost.mem,
            "salt": b64encode(wrapping.salt),
            "nonce": b64encode(nonce),
        }
    )
    sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        content, header, nonce, wrapping.key
    )
    _replace(path, dump_json({"h": b64encode(header), "c": b64encode(sealed)}), new=new)


def _wrapping(passphrase: bytes, cost: Cost, salt: bytes) -> Wrapping:
    key = argon2id.kdf(KEY_SIZE, passphrase, salt, opslimit=cost.ops, memlimit=cost.mem)
    return Wrapping(cost, salt, key)


def _read(path: Path) -> tuple[bytes, bytes, bytes, Cost, bytes]:
    try:
        with path.open("rb") as file:
            _check_mode(path, os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_FILE + 1)
        outer = parse_object(data, limit=MAX_FILE)
        members(outer, required={"h", "c"})
        header = bytes_of(outer, "h")
        return header, bytes_of(outer, "c"), *_read_header(header)
    except OSError:
        raise DeskError("key_file_unreadable", path=str(path)) from None
    except ContractError:
        raise DeskError("key_file_unreadable", path=str(path)) from None


def _read_header(header: bytes) -> tuple[bytes, Cost, bytes]:
    fields = parse_object(header, limit=1024)
    members(fields, required={"v", "kdf", "ops", "mem", "salt", "nonce"})
    if number_of(fields, "v") != 1 or text_of(fields, "kdf") != "argon2id":
        raise Malformed("unknown_version", "v")
    cost = Cost(ops=number_of(fields, "ops"), mem=number_of(fields, "mem"))
    salt = bytes_of(fields, "salt", size=SALT_SIZE)
    return bytes_of(fields, "nonce", size=NONCE_SIZE), cost, salt


def _check_mode(path: Path, mode: int) -> None:
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DeskError("key_file_open_to_others", path=str(path))


def _open(path: Path, header: bytes, sealed: bytes, nonce: bytes, key: bytes) -> bytes:
    try:
        return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, header, nonce, key)
    except (CryptoError, TypeError, ValueError, RuntimeError):
        raise DeskError("wrong_passphrase", path=str(path)) from None


def _replace(path: Path, data: bytes, *, new: bool) -> None:
    if new and path.exists():
        raise DeskError("key_file_exists", path=str(path))
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError:
        raise DeskError("key_file_folder", path=str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:  # mkstemp made it 0600
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise DeskError("key_file_folder", path=str(path)) from None
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Some sticks' file systems (FAT) refuse to sync a folder; the file itself is on disk.
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)
