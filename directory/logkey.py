"""The log's own signing key, a file that only its operator reads, and beside it what it has signed.

The mark, `<key file>.signed`, says the size and root of the largest tree this key ever signed. It
lies outside the database on purpose: a database put back from an old backup then shows itself, and
the log does not sign a second tree of a size it has signed before. Back up the key; never put an
old mark back.

    key, mark = log_key(path), Mark.beside(path)
    mark.raise_to(size, root)                 # on the disk when it returns
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.service.failures import Failure
from contracts.encoding import (
    b64decode,
    b64encode,
    dump_json,
    members,
    number_of,
    parse_object,
    text_of,
)
from contracts.errors import ContractError, Malformed
from contracts.signing import SEED_SIZE, SigningKey
from contracts.tree import EMPTY_ROOT

_HASH: Final = 32
_MAX_MARK: Final = 1024


@dataclass(frozen=True, slots=True)
class Marked:
    """The largest tree the log has signed."""

    size: int
    root: bytes


class Mark:
    """The file of the mark. Whoever raises it holds the log's write lock, so one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, key_file: Path) -> Mark:
        """The mark of the key in this file."""
        return cls(key_file.with_name(f"{key_file.name}.signed"))

    def read(self) -> Marked | None:
        """What it says; None where the file is not there. Raises `Failure` if it is unreadable."""
        try:
            fields = parse_object(self.path.read_bytes(), limit=_MAX_MARK)
            members(fields, required={"size", "root"})
            root = b64decode(text_of(fields, "root"), field="root", size=_HASH)
            return Marked(number_of(fields, "size"), root)
        except FileNotFoundError:
            return None
        except (ContractError, OSError):
            raise Failure(
                f"{self.path} cannot be read as the mark of what the log has signed. Nothing is"
                " signed, nothing is lost. The operator makes it readable to this user again."
            ) from None

    def check_writable(self) -> None:
        """Raise the `Failure` of the first signature now, where there is somebody to read it."""
        if not os.access(self.path.parent, os.W_OK):
            raise self._not_written()

    def raise_to(self, size: int, root: bytes) -> None:
        """Write a larger tree down. Raises `Failure`: then nothing may be signed."""
        known = self.read()
        if known is not None and (known.size, known.root) == (size, root):
            return
        if known is not None and known.size >= size:
            raise ValueError("the mark is never lowered and never changes its root")
        self._write(dump_json({"size": size, "root": b64encode(root)}) + b"\n")

    def _write(self, data: bytes) -> None:
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with os.fdopen(
                os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as file:
                file.write(data)
                _flush(file.fileno())
            new.replace(self.path)
            _flush_folder(self.path.parent)
        except OSError:
            raise self._not_written() from None

    def _not_written(self) -> Failure:
        return Failure(
            f"The mark of what the log has signed could not be written to {self.path}. Nothing was"
            " signed, nothing is lost. The operator lets this user write in its folder."
        )


def log_key(path: Path) -> SigningKey:
    """The key in the file. A new one, mode 0600, with its mark at nothing, where there is none."""
    if not path.exists():
        return _make(path)
    return read_log_key(path)


def read_log_key(path: Path) -> SigningKey:
    """The key in the file. Raises `Failure` in a sentence, never with the content."""
    if path.stat().st_mode & 0o077:
        raise Failure(
            f"The log's key file {path} can be read by others. Nothing was done. Its owner sets"
            " its mode to 0600, and makes a new key if somebody else may have read it."
        )
    try:
        seed = b64decode(path.read_text(encoding="ascii").strip(), field="key", size=SEED_SIZE)
    except (Malformed, UnicodeDecodeError):
        raise Failure(f"{path} does not hold a key of the log. Nothing was done.") from None
    return SigningKey.from_seed(seed)


def _make(path: Path) -> SigningKey:
    mark = Mark.beside(path)
    known = mark.read()
    if known is not None and known.size:
        raise Failure(
            f"{mark.path} says what a key has signed that is not there any more. Nothing was done."
            " The operator puts the key back, or begins a new network in an empty folder."
        )
    key = SigningKey.generate()
    # The mark comes first: a key without one counts as a key whose mark was lost.
    mark.raise_to(0, EMPTY_ROOT)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(b64encode(key.seed) + "\n")
        file.flush()
        _flush(file.fileno())
    _flush_folder(path.parent)
    return key


def _flush(descriptor: int) -> None:
    os.fsync(descriptor)


def _flush_folder(folder: Path) -> None:
    """The name of a new file is on the disk only with its folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
