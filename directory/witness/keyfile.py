"""The witness's signing key, a file that only its operator reads, and beside it what it has signed.

The key has no passphrase: a witness starts again by itself after a power cut.

The marks, one small file a log in the folder `<key file>.signed`, say which tree this key signed
last, and when. They lie outside the database on purpose: a database that was lost, or put back
from an old backup, then signs nothing that does not continue what the key has signed since. Keep
key and marks together, and never put old marks back.

    key, marks = witness_key(path), Marks.beside(path)
    marks.raise_to(net, Mark(size, root, at))          # on the disk when it returns
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from broker.service.failures import Failure
from contracts.encoding import (
    b64decode,
    b64encode,
    bytes_of,
    dump_json,
    h256,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import Malformed
from contracts.signing import SEED_SIZE, SigningKey
from contracts.tree import HASH_SIZE
from directory.witness.rules import Mark

_LONGEST: Final = 1024


class Marks:
    """The marks of one key. Who raises one holds the lock of its log, so one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def beside(cls, key_file: Path) -> Marks:
        """The marks of the key in this file."""
        return cls(key_file.with_name(f"{key_file.name}.signed"))

    def read(self, net: str) -> Mark | None:
        """What the key signed last of this log; None before anything.

        Raises `Failure` where the file is not one of ours: then nothing may be signed.
        """
        try:
            fields = parse_object(self._file(net).read_bytes(), limit=_LONGEST)
            members(fields, required={"net", "size", "root", "at"})
            if text_of(fields, "net") != net:
                raise Malformed("other_net", "net")
            root = bytes_of(fields, "root", size=HASH_SIZE)
            return Mark(number_of(fields, "size"), root, number_of(fields, "at"))
        except FileNotFoundError:
            return None
        except (Malformed, OSError):
            raise Failure(
                "A mark of what the witness has signed cannot be read. Nothing is signed, nothing"
                " is lost. The operator puts the file back as it was, or makes a new key."
            ) from None

    def raise_to(self, net: str, mark: Mark) -> None:
        """Write down what will be signed. Raises `Failure`: then nothing may be signed."""
        root = b64encode(mark.root)
        content = dump_json({"net": net, "size": mark.size, "root": root, "at": mark.at})
        file = self._file(net)
        new = file.with_suffix(".new")
        try:
            if not self._folder.is_dir():
                self._folder.mkdir(mode=0o700, exist_ok=True)
                _flush_folder(self._folder.parent)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(content + b"\n")
                opened.flush()
                os.fsync(opened.fileno())
            new.replace(file)
            _flush_folder(self._folder)
        except OSError:
            raise Failure(
                "What the witness signs could not be marked beside its key. Nothing was signed,"
                " nothing is lost. The operator lets this user write in that folder."
            ) from None

    def _file(self, net: str) -> Path:
        # A network's name may hold slashes.
        return self._folder / f"{h256(net.encode()).hex()[:32]}.json"


def witness_key(path: Path) -> SigningKey:
    """The key in the file, which is made with mode 0600 where it is not there."""
    return _read(path) if path.exists() else _made(path)


def _read(path: Path) -> SigningKey:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii")[:_LONGEST].strip()
        seed = b64decode(text, field="key", size=SEED_SIZE)
    except (OSError, Malformed, UnicodeDecodeError):
        raise Failure(
            "The file RUJUKAN_WITNESS_KEY_FILE names does not hold a witness's key. Nothing was"
            " started. Put the file back; the root file names its public half."
        ) from None
    if mode & 0o077:
        raise Failure(
            "Other users of this computer may read the witness's key file. Nothing was started."
            " Allow its owner alone (chmod 600), and make a new key if somebody may have read it."
        )
    return SigningKey.from_seed(seed)


def _made(path: Path) -> SigningKey:
    key = SigningKey.generate()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(b64encode(key.seed) + "\n")
            file.flush()
            os.fsync(file.fileno())
        _flush_folder(path.parent)
    except OSError:
        raise Failure(
            "The witness's key could not be written where RUJUKAN_WITNESS_KEY_FILE says. No key was"
            " changed. Check that its folder may be written by this user."
        ) from None
    return key


def _flush_folder(folder: Path) -> None:
    """The name of a new file is on the disk only with its folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
