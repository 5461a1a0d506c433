"""Reads the files of a folder that a stranger filled: bounded, and never out of it.

Links are named and not followed, pipes and devices not opened, large files not read. It knows
nothing of what the files mean.

    for entry in read_folder(folder): ...
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

MAX_FILES: Final = 20_000
MAX_FILE: Final = 1024 * 1024  # bytes; the largest envelope with its header is under 700 KiB
MAX_DEPTH: Final = 8  # folders in folders
ENDINGS: Final = (".txt", ".json")

_LONGEST_NAME: Final = 200
_OPEN: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe would wait for a writer
    | getattr(os, "O_BINARY", 0)
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its bytes, or the rule that kept it from being read."""

    name: str  # below the folder, with "/", printable
    data: bytes = field(repr=False)
    fault: str = ""


def read_folder(folder: Path) -> Iterator[Entry]:
    """Every file with one of `ENDINGS`, by name; what cannot be read comes with a fault."""
    found = list(islice(_found(folder), MAX_FILES + 1))
    for path in sorted(found[:MAX_FILES]):
        yield read_entry(path, printable(path.relative_to(folder).as_posix()))
    if len(found) > MAX_FILES:
        yield Entry("", b"", "too_many_files")


def read_entry(path: Path, name: str) -> Entry:
    """One file, if it is an ordinary one of at most `MAX_FILE` bytes."""
    try:
        if path.is_symlink():
            return Entry(name, b"", "link_not_followed")
        return _read(path, name)
    except (OSError, ValueError):
        return Entry(name, b"", "cannot_be_read")


def printable(name: str) -> str:
    """A file's name as it may be printed: a name can hold line feeds and commands to a terminal."""
    plain = name if name.isascii() and name.isprintable() else ascii(name)[1:-1]
    return plain if len(plain) <= _LONGEST_NAME else plain[: _LONGEST_NAME - 3] + "..."


def _read(path: Path, name: str) -> Entry:
    number = os.open(path, _OPEN)
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            return Entry(name, b"", "not_a_file")
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        return Entry(name, b"", "too_large")
    return Entry(name, data)


def _found(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Files to read, and what cannot be looked into, as they come."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(islice(entries, MAX_FILES + 1), key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    for entry in inside:
        path = folder / entry.name
        if entry.is_symlink():
            yield path
        elif entry.is_dir(follow_symlinks=False):
            yield from _found(path, depth + 1) if depth < MAX_DEPTH else (path,)
        elif entry.name.endswith(ENDINGS):
            yield path
