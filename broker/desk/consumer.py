"""Handing what was received to the organisation's own system, one JSON object a line.

A message is in this desk's inbox, committed, before anything is handed over, so a system that is
down loses nothing. Exit status 0 of the command marks it handled; anything else, or taking longer
than five minutes, repeats it with back-off, across restarts. The plaintext goes to the command's
standard input and nowhere else: not into its arguments, not into its environment; and what the
command prints is thrown away, because it may repeat what it read.

    handled = hand_over(desk, command=("my-system", "--import"))
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from broker.desk.errors import DeskError
from broker.desk.outbox import MOST_BACK_OFF, back_off
from broker.desk.store import Rows
from broker.desk.unlocking import Desk
from broker.service.logs import logger
from contracts.encoding import JsonInput, dump_json, parse_object
from contracts.envelope import MAX_MESSAGE
from contracts.times import utc_text

PATIENCE: Final = 300  # seconds for one message
_LATEST: Final = max(2 * PATIENCE, MOST_BACK_OFF)  # no message is put off for longer
_OURS: Final = "RUJUKAN_"

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How many messages were handled, and how many will be repeated."""

    handled: int = 0
    failed: int = 0


def hand_over(desk: Desk, command: Sequence[str]) -> HandedOver:
    """Hand over everything that is due, oldest first. Raises `DeskError("no_command")`."""
    if not command or shutil.which(command[0]) is None:
        raise DeskError("no_command")
    handled = failed = 0
    while (task := _next(desk)) is not None:
        entry_row, attempts, line = task
        code = run(command, line)
        with desk.store.writing() as rows:
            if code == 0:
                rows.finish_handover(entry_row)
                handled += 1
                continue
            failed += 1
            wait = back_off(attempts)
            due_at = desk.clock() + wait
            rows.postpone_handover(entry_row, attempts=attempts + 1, due_at=due_at)
        _log.warning("handover_failed", exit_code=code, attempt=attempts + 1, wait_seconds=wait)
    return HandedOver(handled, failed)


def run(command: Sequence[str], line: bytes) -> int:
    """Run the command once with one line; its exit status, or -1 where it took too long."""
    try:
        child = subprocess.run(
            command,
            input=line,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_environment(os.environ),
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1
    except OSError:
        raise DeskError("no_command") from None
    return child.returncode


def line_for(rows: Rows, entry_row: str, *, demonstration: bool) -> bytes:
    """What the system reads: the case's names, who said it, and the message as it was received.

    A message apart from any case has null where the case's names would stand.
    """
    entry = rows.entry(entry_row)
    case = rows.case(entry.case_row) if entry.case_row else None
    message: JsonInput = parse_object(rows.message(entry_row), limit=MAX_MESSAGE)
    return (
        dump_json(
            {
                "demo": demonstration,
                "reference": case.spoken if case is not None else None,
                "referral_ref": case.ref if case is not None else None,
                "from": case.peer if case is not None else entry.peer,
                "side": case.side.value if case is not None else None,
                "state": case.state.value if case is not None else None,
                "place": entry.place.value,
                "received_at": utc_text(entry.kept),
                "message": message,
            }
        )
        + b"\n"
    )


def _next(desk: Desk) -> tuple[str, int, bytes] | None:
    """The next one, put off until it must have ended: a second `consume` leaves it alone."""
    now = desk.clock()
    with desk.store.writing() as rows:
        due = rows.next_handover(now, latest=now + _LATEST)
        if due is None:
            return None
        entry_row, attempts = due
        rows.postpone_handover(entry_row, attempts=attempts, due_at=now + 2 * PATIENCE)
        return entry_row, attempts, line_for(rows, entry_row, demonstration=desk.demonstration)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The command's environment: none of our settings, which name where secrets lie."""
    return {name: value for name, value in ours.items() if not name.startswith(_OURS)}
