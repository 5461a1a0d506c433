"""Whether a connection comes from somebody else who uses this computer.

Everybody on a computer reaches its 127.0.0.1, and browsers send a desk's cookie to every port of
it: a page that another user serves there could collect it. Linux tells whose connection it is, so
a stolen cookie, or a link read over a shoulder, is worth nothing from another account. Where the
system does not tell, the link, the cookie and the token have to do.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

# proc_pid_net(5): local address, remote address, and in the eighth column the owner's user id.
_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_OWNER: Final = 7

Address = tuple[str, int]


def is_a_strangers(*, theirs: Address, ours: Address) -> bool:
    """Whether the end `theirs` of a connection to `ours` belongs to another user than this one."""
    owner = owner_of(_lines(), theirs=theirs, ours=ours)
    return owner is not None and owner != os.getuid()


def owner_of(lines: Iterable[str], *, theirs: Address, ours: Address) -> int | None:
    """The user id of that end in the system's table, or None where it is not in it."""
    ends = [_written(theirs), _written(ours)]
    for line in lines:
        columns = line.split()
        # In the table for IPv6 the same addresses stand behind a prefix.
        if [column[-len(end) :] for column, end in zip(columns[1:3], ends, strict=False)] == ends:
            return int(columns[_OWNER])
    return None


def _written(address: Address) -> str:
    host = int.from_bytes(socket.inet_aton(address[0]), sys.byteorder)
    return f"{host:08X}:{address[1]:04X}"


def _lines() -> Iterable[str]:
    for table in _TABLES:
        try:
            yield from table.read_text("ascii").splitlines()
        except OSError:
            continue  # another system, or one that does not tell
