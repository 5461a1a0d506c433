"""The hub's one signing key, in a file that only the hub's user may read.

Made by `rujukan-hub key` before the network's root file is written, because the root file names
the public half. Unlike a desk's key it has no passphrase: a hub must start again by itself after
a power cut, and its key can sign notices and nothing of a case.

    key = read_or_make_key(path)
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from broker.service.failures import Failure
from contracts.encoding import b64encode, bytes_of, dump_json, members, number_of, parse_object
from contracts.errors import ContractError
from contracts.signing import SEED_SIZE, SigningKey

MAX_KEY_FILE: Final = 1024


def make_key(path: Path) -> SigningKey:
    """A new key in a new file, mode 0600, on the disk when this returns.

    Raises `Failure` where the file is there already or cannot be written.
    """
    key = SigningKey.generate()
    content = dump_json({"v": 1, "seed": b64encode(key.seed)}) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _flush_folder(path.parent)
    except OSError:
        raise Failure(
            "The hub's key could not be written to the file RUJUKAN_HUB_KEY_FILE names. No key was"
            " changed. Check that its folder may be written by this user."
        ) from None
    return key


def read_key(path: Path) -> SigningKey:
    """The key in the file. Raises `Failure` in a sentence, never with the content."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes()
    except OSError:
        raise Failure(
            "The hub's key file cannot be read. `rujukan-hub key` makes one; after a loss, put it"
            " back from the operator's backup, for the root file names its public half."
        ) from None
    if mode & 0o077:
        raise Failure(
            "Other users of this computer may read the hub's key file. Nothing was started."
            " Allow its owner alone (chmod 600), and think about who could have read it."
        )
    return _parsed(content)


def read_or_make_key(path: Path) -> SigningKey:
    """The key in the file; a new one where there is no file."""
    return read_key(path) if path.exists() else make_key(path)


def _parsed(content: bytes) -> SigningKey:
    try:
        fields = parse_object(content, limit=MAX_KEY_FILE)
        members(fields, required={"v", "seed"})
        if number_of(fields, "v") == 1:
            return SigningKey.from_seed(bytes_of(fields, "seed", size=SEED_SIZE))
    except ContractError:
        pass
    raise Failure(
        "The hub's key file is not one that `rujukan-hub key` made. Nothing was started."
        " Put it back from the operator's backup."
    )


def _flush_folder(folder: Path) -> None:
    """The name of a new file is on the disk only with its folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
