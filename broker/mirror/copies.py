"""A first copy of the log as one file, for a computer behind a slow line: it may come on a stick.

The file is `LP(checkpoint note)` and then every leaf the checkpoint covers, each with its length
before it. Nothing in it is believed because it is a file: `Mirror.load_copy` checks it exactly
like what a directory answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.encoding import lp
from contracts.errors import Malformed
from contracts.log import join_leaves, split_leaves


@dataclass(frozen=True, slots=True)
class LogCopy:
    """A checkpoint's note and the data of the leaves beside it, from the log's first one on."""

    note: bytes
    leaves: tuple[bytes, ...]


def write_copy(note: bytes, leaves: Iterable[bytes]) -> bytes:
    """The bytes of such a file."""
    return lp(note) + join_leaves(leaves)


def read_copy(data: bytes) -> LogCopy:
    """What such a file holds. Raises `Malformed`; nothing of it is verified yet."""
    parts = split_leaves(data)
    if not parts:
        raise Malformed("empty", "copy")
    return LogCopy(parts[0], parts[1:])
