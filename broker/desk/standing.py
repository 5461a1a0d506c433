"""How the desk stands: what is on its way, what waits for whom, and whether the machinery works.

Everything a caseworker must act on is one list, without a word of what was written. Reads only,
but for asking the hub whether it is there.

    standing = look(desk)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from broker.desk.cases import answer_due
from broker.desk.client import Unreachable
from broker.desk.errors import sentence
from broker.desk.records import Case, Letter, Sending
from broker.desk.store import Rows
from broker.desk.unlocking import Desk
from broker.desk.weeks import weeks_ahead
from broker.service.failures import Failure
from contracts.lifecycle import Side, State

# Seconds after which what the hub has not taken is a caseworker's business, not a bad line's.
SENT_WITHIN: Final = 5 * 60
_OPEN = (State.DRAFT, State.SENT, State.DELIVERED, State.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True)
class Outstanding:
    """One case that somebody must act on, and why, as a code (`KINDS` in the docstrings below).

    `not_sent`: the hub has not accepted it; `not_stored`: the recipient has not confirmed it in
    time, phone them; `answer_us`: we should answer; `answer_them`: they should have answered by
    now; `failed`: it will not arrive, `why` says the reason as a sentence.
    """

    case: Case
    kind: str
    overdue: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The desk at one moment. Ages in seconds; None where it never happened."""

    outstanding: tuple[Outstanding, ...]
    hub_reachable: bool
    mirror_age: int | None
    weeks_ahead: int | None  # None: our own device is not in the log
    to_hand_over: int
    alarms: int
    unreadable: int


def look(desk: Desk) -> Standing:
    """The standing now."""
    now = desk.clock()
    with desk.store.reading() as rows:
        letters = rows.letters()
        cases = {case.row: case for case in rows.cases()}
        found = [
            *_of_letters(letters, cases, now=now),
            *_of_cases(cases.values(), now=now),
            *_of_lost(rows, letters, cases),
        ]
        waiting, refused = rows.handovers(), rows.rejected()
    return Standing(
        outstanding=tuple(sorted(found, key=lambda one: (not one.overdue, one.case.began))),
        hub_reachable=_reachable(desk),
        mirror_age=None if desk.log.synced_at is None else max(0, now - desk.log.synced_at),
        weeks_ahead=_weeks(desk, now=now),
        to_hand_over=waiting,
        alarms=sum(one.alarm for one in refused),
        unreadable=len(refused),
    )


def _of_letters(
    letters: Iterable[Letter], cases: dict[str, Case], *, now: int
) -> Iterable[Outstanding]:
    for letter in letters:
        if letter.is_receipt:
            continue
        if letter.state is Sending.KEPT:
            late = now - letter.kept >= SENT_WITHIN
            yield Outstanding(cases[letter.case_row], "not_sent", overdue=late)
        elif letter.state is Sending.ACCEPTED and letter.overdue:
            yield Outstanding(cases[letter.case_row], "not_stored", overdue=True)


def _of_cases(cases: Iterable[Case], *, now: int) -> Iterable[Outstanding]:
    for case in cases:
        due = answer_due(case)
        if case.state not in _OPEN or due is None:
            continue
        if case.side is Side.RECEIVER:
            yield Outstanding(case, "answer_us", overdue=due <= now)
        elif due <= now:
            yield Outstanding(case, "answer_them", overdue=True)


def _of_lost(
    rows: Rows, letters: Iterable[Letter], cases: dict[str, Case]
) -> Iterable[Outstanding]:
    """What will not arrive; a request that was answered all the same has arrived."""
    gone = (Sending.FAILED, Sending.EXPIRED)
    for letter in letters:
        if letter.state not in gone or letter.is_receipt:
            continue
        case, entry = cases[letter.case_row], rows.entry(letter.entry_row)
        if not entry.is_request or case.state in (State.FAILED, State.EXPIRED):
            yield Outstanding(case, "failed", overdue=True, why=sentence(entry.code))


def _reachable(desk: Desk) -> bool:
    try:
        desk.hub.check()
    except (Unreachable, Failure):
        return False
    return True


def _weeks(desk: Desk, *, now: int) -> int | None:
    try:
        device = desk.log.register.device(desk.org, desk.ring.device)
    except Failure:  # a hard stop: nobody's keys are believed, ours included
        return None
    return None if device is None else weeks_ahead(device, now=now)
