"""Children that end when the test run ends, however it ends.

    with start("hub", [python, "-m", "broker.hub.cli", "serve"], log=tmp_path / "hub.log",
               environ={...}) as hub:
        wait_for_port(port, child=hub)

A child gets a signal from the kernel when its parent dies (util-linux's setpriv asks for it), so
that a test run killed with SIGKILL leaves nothing. Its output goes to a file, which failures show.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Seconds a child has to end by itself before it is killed.
PATIENCE: Final = 15.0
_PR_SET_CHILD_SUBREAPER: Final = 36
_TAIL: Final = 4000


class DeadlineError(AssertionError):
    """What a test waited for did not happen in time."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running program. `log` holds what it wrote to stdout and stderr."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ended(self) -> int | None:
        """The exit code, or None while it runs; a signal's number is negative."""
        return self.process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP is a hung program, SIGCONT wakes it."""
        self.process.send_signal(number)

    def kill(self) -> int:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        return self.process.wait(PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and after `PATIENCE` seconds make it; the exit code."""
        if self.process.poll() is None:
            # A stopped program would not hear it.
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return self.kill()

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code, when it ends by itself."""
        wait_until(lambda: self.ended is not None, f"{self.name} to end", seconds=seconds)
        return self.process.returncode

    def said(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


@contextmanager
def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    dies_by: str = "KILL",
    user: str | None = None,
) -> Iterator[Child]:
    """Run `command` until the end of the block, then stop it.

    `environ` is added to the environment, without any RUJUKAN_ variable of the test run's own.
    `user` drops root's rights to that user's. `dies_by` is the signal it gets if we die.
    """
    guarded = [*_guard(dies_by, user), *map(str, command)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RUJUKAN_")}
    with log.open("ab") as output:
        process = subprocess.Popen(
            guarded,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment | dict(environ or {}),
            cwd=folder,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        child.stop()


def run(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str] | None = None,
    user: str | None = None,
    seconds: float = 60,
) -> str:
    """Run `command` to its end; its output, or `AssertionError` with it if it failed."""
    done = subprocess.run(
        [*_guard("KILL", user), *map(str, command)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=dict(os.environ) | dict(environ or {}),
        timeout=seconds,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} ended with {done.returncode}:\n{said[-_TAIL:]}")
    return said


def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float = 15,
    child: Child | None = None,
    every: float = 0.02,
) -> None:
    """Return when `condition()` is true; `DeadlineError` when it is not within `seconds`.

    With `child`, fail at once when that program ends, showing its last words.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if child is not None and child.ended is not None:
            said = child.said()[-_TAIL:]
            raise DeadlineError(f"{child.name} ended with {child.ended} before {what}:\n{said}")
        if time.monotonic() > deadline:
            last = f":\n{child.said()[-_TAIL:]}" if child is not None else ""
            raise DeadlineError(f"waited {seconds} s for {what}{last}")
        time.sleep(every)


def adopt_orphans() -> None:
    """Make grandchildren whose parent dies our children, so that a daemon cannot slip away."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> Mapping[int, str]:
    """The living processes below `pid`, with their command lines."""
    parents = dict(_processes())
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        below = [one for one, its_parent in parents.items() if its_parent == parent]
        found.update((one, _command_line(one)) for one in below)
        waiting.extend(below)
    return {one: line for one, line in found.items() if line}


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and nobody has waited for does not."""
    return any(pid == one for one, _ in _processes())


def _guard(dies_by: str, user: str | None) -> list[str]:
    drop = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return ["setpriv", *drop, "--pdeathsig", dies_by]


def _processes() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                # "pid (name) state ppid ...", and a name may hold anything.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state not in "ZX":
                yield int(entry.name), int(parent)


def _command_line(pid: int) -> str:
    try:
        line = Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ")
        return line.decode(errors="replace").strip()  # arguments are bytes, not text
    except OSError:
        return ""
