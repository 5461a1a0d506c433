"""A case as both desks see it: the agreement's fold over what this desk holds, and nothing else.

A desk takes a case's state from here. The fold is run anew whenever something arrives, so the
order of arrival does not matter; it sees who said what and how far the request has come on its
way, never what was written. Finding a case by what people say aloud is here too.

    course = course_of(case, entries, now=now)
    case = find_case(rows.cases(), "7K2M9Q")
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker.desk.errors import DeskError
from broker.desk.records import Case, Entry, Sending
from broker.desk.store import Rows
from contracts.envelope import MAX_LIFETIME
from contracts.fold import Course, Place, fold, offered, seen
from contracts.fold import heads as heads_of
from contracts.identifiers import EventId
from contracts.lifecycle import ENDS_WITH_CONSENT, EVENT_TYPES, Move, Side, State, Way

ACKNOWLEDGE: Final = Move("referral.acknowledged")
ACCEPT: Final = Move("referral.accepted")
# What tells of the person: it leaves only while her consent stands and nothing has ended the case.
DISCLOSES: Final = frozenset(
    {
        "referral.requested",
        "referral.info_provided",
        "identity.released",
        "journey.planned",
        "journey.changed",
    }
)
# In these states nothing more of her is told.
TOLD_ENOUGH: Final = frozenset(
    {State.WITHDRAWN, State.ERASED, State.CANCELLED, State.ENTERED_IN_ERROR, State.DECLINED}
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Which desk of our organisation is at work on a case, and as which role."""

    device: str
    ours: bool  # this very desk


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its events, for a screen or a program; messages are opened one by one."""

    case: Case
    entries: tuple[Entry, ...]
    course: Course
    moves: tuple[Move, ...]  # what we may say now, exactly


def course_of(case: Case, entries: Sequence[Entry], *, now: int) -> Course:
    """The course of a case as its side sees it now."""
    return seen(folded(case, entries), side=case.side, now=now, way=_way(entries))


def folded(case: Case, entries: Sequence[Entry]) -> Course:
    """The fold of a case's events: what both sides agree on, without a clock."""
    request = next(entry for entry in entries if entry.is_request)
    events = (entry.told(case.side) for entry in entries if _is_event(entry))
    return fold(request.told(case.side), events)


def refold(rows: Rows, case: Case, *, now: int, why: str = "") -> Case:
    """Bring a case and its entries up to date with what is stored; the case as it is then."""
    entries = rows.entries(case.row)
    course = course_of(case, entries, now=now)
    for entry in entries:
        placed = _placed(entry, case.side, course)
        if placed != entry:
            rows.update_entry(placed)
    failed = course.state in (State.FAILED, State.EXPIRED)
    changed = replace(
        case,
        state=course.state,
        lead=course.lead,
        until=course.consent_until,
        why=(why or case.why) if failed else "",
    )
    changed = replace(changed, changed=now)
    rows.update_case(changed)
    return changed


def end_with_consent(rows: Rows, *, now: int) -> None:
    """Let the cases end that nobody took up before their consent did."""
    for case in rows.cases():
        waits = case.state in (State.DRAFT, State.SENT, *ENDS_WITH_CONSENT)
        if waits and case.until <= now:
            refold(rows, case, now=now, why="consent_ran_out")


def leaves_until(case: Case, message_type: str, *, now: int) -> int:
    """Until when a message of a case may travel, Unix seconds; `now` where it must not leave."""
    if message_type not in DISCLOSES:
        return now + MAX_LIFETIME
    return now if case.state in TOLD_ENOUGH else max(now, min(now + MAX_LIFETIME, case.until))


def heads(case: Case, entries: Sequence[Entry]) -> tuple[EventId, ...]:
    """The newest applied events: what a new one names as `after`."""
    course = folded(case, entries)
    events = [entry.told(case.side) for entry in entries if _is_event(entry)]
    return heads_of(course, events)


def moves(course: Course, *, side: Side, now: int) -> tuple[Move, ...]:
    """What this side may say now. Accepting what was not acknowledged says both, one by one."""
    allowed = offered(course, side=side, now=now)
    if ACKNOWLEDGE not in allowed or now >= course.consent_until:
        return allowed
    return (allowed[0], ACCEPT, *allowed[1:])


def claim_of(
    entries: Iterable[Entry], *, device: str, in_force: Collection[str] | None = None
) -> Claim | None:
    """Who of us has claimed the case; the earliest claim counts until it is given back or on.

    `in_force` names our devices that can be used now: what another one claims, or was handed, is
    free, or a lost computer would hold its cases for ever. None asks no such question.
    """
    holder = ""
    events = [entry for entry in entries if entry.type == "org.event" and entry.own]
    # Within one second a desk claims before it gives back.
    for entry in sorted(events, key=lambda one: (one.at, one.word != "claimed", one.id)):
        if entry.word == "claimed":
            holder = holder if _can_hold(holder, in_force) else entry.device
        elif entry.word in ("released", "reassigned") and holder == entry.device:
            holder = entry.to_device
    return Claim(holder, holder == device) if _can_hold(holder, in_force) else None


def _can_hold(device: str, in_force: Collection[str] | None) -> bool:
    return bool(device) and (in_force is None or device in in_force)


def find_case(cases: Iterable[Case], reference: str) -> Case:
    """The case of a spoken reference, the whole reference, or `REFERENCE@organisation`.

    Raises `DeskError("no_case" | "ambiguous")`: six characters are for people, and two cases may
    share them.
    """
    wanted, _, org = reference.strip().partition("@")
    found = [
        case
        for case in cases
        if (case.spoken == as_heard(wanted) or case.ref == wanted.lower())
        and (not org or case.peer == org)
    ]
    if not found:
        raise DeskError("no_case", ref=reference)
    if len(found) > 1:
        peers = {case.peer for case in found}
        hint = f"{found[0].spoken}@{found[0].peer}" if len(peers) > 1 else found[0].ref
        raise DeskError("ambiguous", ref=reference, hint=hint)
    return found[0]


def as_heard(text: str) -> str:
    """A spoken reference however it was written down: Crockford's base 32 has no I, L, O."""
    return text.upper().replace("-", "").replace(" ", "").translate(_HEARD)


def in_order(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries as they were said: each after those it names, else as they arrived."""
    left, placed = list(entries), list[Entry]()
    while left:
        told = {entry.id for entry in placed}
        unknown = {entry.id for entry in left} - told
        ready = (entry for entry in left if not unknown & (set(entry.after) - {entry.id}))
        placed.append(next(ready, left[0]))
        left.remove(placed[-1])
    return tuple(placed)


def view(rows: Rows, case: Case, *, now: int) -> CaseView:
    """The case with its events."""
    entries = rows.entries(case.row)
    course = course_of(case, entries, now=now)
    shown = replace(case, state=course.state, lead=course.lead)
    return CaseView(shown, in_order(entries), course, moves(course, side=case.side, now=now))


_HEARD: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})

# What the request's way means for the referrer's case.
_TOLD: Final[Mapping[Sending, frozenset[Way]]] = {
    Sending.KEPT: frozenset(),
    Sending.SUPERSEDED: frozenset(),
    Sending.GIVEN_UP: frozenset(),
    Sending.RECEIVED: frozenset({Way.HUB_ACCEPTED}),  # a colleague's desk sent it; the hub had it
    Sending.ACCEPTED: frozenset({Way.HUB_ACCEPTED}),
    Sending.STORED: frozenset({Way.HUB_ACCEPTED, Way.STORED}),
    Sending.FAILED: frozenset({Way.HUB_REFUSED}),
    Sending.EXPIRED: frozenset({Way.LAPSED}),
}


def _way(entries: Iterable[Entry]) -> frozenset[Way]:
    request = next(entry for entry in entries if entry.is_request)
    return _TOLD[request.sending]


def _is_event(entry: Entry) -> bool:
    """What was taken back before it left was never said, unless the request itself was."""
    return entry.is_request or (entry.type in EVENT_TYPES and entry.sending is not Sending.GIVEN_UP)


def _placed(entry: Entry, side: Side, course: Course) -> Entry:
    """The entry where the fold put it; why it is void is kept unless its sending says more."""
    if not _is_event(entry):
        given_up = entry.sending is Sending.GIVEN_UP
        return replace(entry, place=Place.VOID, code="") if given_up else entry
    key = entry.told(side).key
    place = course.places.get(key, Place.WAITING)
    if place is Place.VOID:
        return replace(entry, place=place, code=course.void[key])
    code = entry.code if entry.place is place else ""
    return replace(entry, place=place, code=code)
