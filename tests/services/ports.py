"""Free loopback ports, and waiting until somebody listens on one."""

from __future__ import annotations

import os
import socket
from typing import Final

from tests.services.processes import Child, wait_until

LOOPBACK: Final = "127.0.0.1"

_TRIES: Final = 1000
_BLOCK: Final = 1024
# pytest-xdist's names for them; without it there is one.
_WORKERS: Final = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS

_given: Final[set[int]] = set()


def free_port() -> int:
    """A port on which nobody listens now; not given out twice by this test run.

    Each of its workers takes ports from blocks of its own, so that they need not ask each other.
    """
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        if port not in _given and port // _BLOCK % _WORKERS == _WORKER:
            _given.add(port)
            return port
    raise RuntimeError(f"no free port was found in {_TRIES} tries")


def is_open(port: int) -> bool:
    """Whether somebody listens on `port` of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def wait_for_port(port: int, *, child: Child | None = None, seconds: float = 30) -> None:
    """Return when somebody listens on `port`; fail with the child's log if it ends before that."""
    wait_until(lambda: is_open(port), f"port {port} to open", child=child, seconds=seconds)
