"""Free loopback ports, and waiting until somebody listens on one."""

from __future__ import annotations

import socket
from typing import Final

from tests.services.processes import Child, wait_until

LOOPBACK: Final = "127.0.0.1"

_given: Final[set[int]] = set()


def free_port() -> int:
    """A port on which nobody listens now; not given out twice by this process."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
    raise RuntimeError("no free port was found in a hundred tries")


def is_open(port: int) -> bool:
    """Whether somebody listens on `port` of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def wait_for_port(port: int, *, child: Child | None = None, seconds: float = 30) -> None:
    """Return when somebody listens on `port`; fail with the child's log if it ends before that."""
    wait_until(lambda: is_open(port), f"port {port} to open", child=child, seconds=seconds)
