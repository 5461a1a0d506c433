"""How the desk stands: what is on its way, what waits for whom, and whether the machinery works.

Everything a caseworker must act on is one list, without a word of what was written. Reads only,
but for asking the hub whether it is there.

    standing = look(desk)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from broker.desk.cases import course_of
from broker.desk.client import Unreachable
from broker.desk.errors import sentence
from broker.desk.inbox import warnings_waiting
from broker.desk.records import Case, Entry, Letter, Sending
from broker.desk.store import Rows
from broker.desk.unlocking import Desk
from broker.desk.weeks import weeks_ahead
from broker.service.failures import Failure
from contracts.country import WorkingDays
from contracts.fold import Place
from contracts.identifiers import OrgId, country_of
from contracts.lifecycle import ENDED, UNTIL_STORED, Side, State
from contracts.standing import Organisation, StopKind
from contracts.timers import Due, Level, dues
from countries.packs import COUNTRIES
from countries.working import working_days

# Seconds after which what the hub has not taken is a caseworker's business, not a bad line's.
SENT_WITHIN: Final = 5 * 60
_OVER: Final = frozenset({*ENDED, State.ERASED})


@dataclass(frozen=True, slots=True)
class Outstanding:
    """One thing that somebody must act on, and why, as a code.

    `not_sent`: the hub has not accepted it; `not_stored`: the recipient has not confirmed it,
    phone them; `failed`: it will not arrive; `gap`: an event waits for one that never came;
    `unknown_case`: a warning came about a case that this desk does not know; `frozen`: the other
    organisation of a running case may not speak now; `doubtful`: a message came from a computer
    that is feared to have been in wrong hands by then. `why` says as a
    sentence why an envelope failed, or what keeps one back that is not given up. The rest are what
    the agreement's timers await, as `ours_acknowledge`, `theirs_erase` and so on, with `at` when
    it is due, Unix seconds, and `level` how far the breach has gone. `peer` is with whom; `case`
    is None apart from any case.
    """

    kind: str
    overdue: bool
    peer: OrgId
    case: Case | None = None
    why: str = ""
    at: int | None = None
    level: Level = Level.AWAITED
    type: str = ""


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
            *_of_letters(rows, letters, cases, now=now),
            *(one for case in cases.values() for one in _of_case(rows, desk, case, now=now)),
            *_of_lost(rows, letters, cases),
            *_of_stopped(rows, desk, cases.values(), now=now),
            *_of_warnings(rows, desk),
        ]
        waiting, refused = rows.handovers(), rows.rejected()
    return Standing(
        outstanding=tuple(sorted(found, key=_urgency)),
        hub_reachable=_reachable(desk),
        mirror_age=None if desk.log.synced_at is None else max(0, now - desk.log.synced_at),
        weeks_ahead=_weeks(desk, now=now),
        to_hand_over=waiting,
        alarms=sum(one.alarm for one in refused),
        unreadable=len(refused),
    )


def working_in(country: str, *, now: int) -> WorkingDays:
    """A country's working days for what is due around now."""
    if country not in COUNTRIES:  # outside this network nothing is known but the weekend
        return WorkingDays(country, "UTC", frozenset({5, 6}))
    year = datetime.fromtimestamp(now, UTC).year
    return working_days(country, years=(year - 1, year, year + 1))


def due_in(desk: Desk, case: Case, entries: tuple[Entry, ...], *, now: int) -> tuple[Due, ...]:
    """What the agreement's timers await in a case, of either side."""
    receiver = case.peer if case.side is Side.REFERRER else desk.org
    return dues(
        course_of(case, entries, now=now),
        urgency=case.urgency,
        arrived=case.began,
        working=working_in(country_of(receiver), now=now),
    )


def _urgency(one: Outstanding) -> tuple[bool, int, int]:
    began = one.case.began if one.case is not None else 0
    return not one.overdue, -one.level, one.at or began


def _of_letters(
    rows: Rows, letters: Iterable[Letter], cases: dict[str, Case], *, now: int
) -> Iterator[Outstanding]:
    for letter in letters:
        if letter.is_receipt:
            continue
        entry, case = rows.entry(letter.entry_row), cases.get(letter.case_row)
        if letter.state is Sending.KEPT:
            late = now - letter.kept >= SENT_WITHIN or letter.kept > now or letter.overdue
            yield Outstanding("not_sent", late, letter.to, case, why=_why(letter), type=entry.type)
        elif letter.state is Sending.ACCEPTED and _phone(letter, entry):
            kind, late = "not_stored", letter.overdue
            yield Outstanding(kind, late, letter.to, case, why=_why(letter), type=entry.type)


def _why(letter: Letter) -> str:
    return sentence(letter.why) if letter.why else ""


def _phone(letter: Letter, entry: Entry) -> bool:
    """What keeps somebody safe stands on the list until it is stored there, not only when late."""
    return letter.overdue or entry.type in UNTIL_STORED


def _of_case(rows: Rows, desk: Desk, case: Case, *, now: int) -> Iterator[Outstanding]:
    entries = rows.entries(case.row)
    for due in due_in(desk, case, entries, now=now):
        level = due.level(now)
        ours = due.by is case.side
        if ours or level is not Level.AWAITED:
            kind = f"{'ours' if ours else 'theirs'}_{due.stage}"
            overdue = level is not Level.AWAITED
            yield Outstanding(kind, overdue, case.peer, case, at=due.at, level=level)
    if any(entry.place is Place.WAITING and entry.code for entry in entries):
        yield Outstanding("gap", True, case.peer, case)


def _of_lost(
    rows: Rows, letters: Iterable[Letter], cases: dict[str, Case]
) -> Iterator[Outstanding]:
    """What will not arrive; a request that was answered all the same has arrived."""
    gone = (Sending.FAILED, Sending.EXPIRED)
    for letter in letters:
        if letter.state not in gone or letter.is_receipt:
            continue
        case, entry = cases.get(letter.case_row), rows.entry(letter.entry_row)
        lost = case is None or case.state in (State.FAILED, State.EXPIRED)
        if not entry.is_request or lost:
            why = sentence(entry.code)
            yield Outstanding("failed", True, letter.to, case, why=why, type=entry.type)


def _of_stopped(
    rows: Rows, desk: Desk, cases: Iterable[Case], *, now: int
) -> Iterator[Outstanding]:
    """Whom to phone after a freeze: everybody with a running case, and about what came in doubt."""
    try:
        register = desk.log.register
    except Failure:  # a hard stop says so itself, and nothing of the log is believed
        return
    for case in cases:
        peer = register.organisation(case.peer)
        if peer is None:
            continue
        if peer.frozen(now) and case.state not in _OVER:
            yield Outstanding("frozen", True, case.peer, case)
        suspect = suspected(peer)
        for entry in rows.entries(case.row) if suspect else ():
            since = suspect.get(entry.device) if not entry.own else None
            if since is not None and entry.kept >= since:
                yield Outstanding("doubtful", True, case.peer, case, type=entry.type)


def suspected(peer: Organisation) -> Mapping[str, int]:
    """The devices of an organisation that are feared to be in wrong hands, and since when."""
    whole = peer.suspected_since
    found: dict[str, int] = {}
    for device in peer.devices:
        stopped = device.stopped
        own = stopped.since if stopped is not None and stopped.kind is StopKind.FROZEN else None
        times = [time for time in (whole, own) if time is not None]
        if times:
            found[device.key_id] = min(times)
    return found


def _of_warnings(rows: Rows, desk: Desk) -> Iterator[Outstanding]:
    """What this desk confirmed as stored and cannot apply: it does not know the case."""
    for one in warnings_waiting(rows.early()):
        if one.sender != desk.org:
            yield Outstanding("unknown_case", True, one.sender, type=one.type)


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
