"""A case as both desks see it: the fold of its events, and finding one by what people say aloud.

The fold is pure and is run anew whenever something arrives, so it does not matter in which order
things arrived: both ends, holding the same events, come to the same state. It sees who said what
and how far the request has come on its way; it never sees what was written.

    folded = fold(case.side, entries)
    case = find_case(rows.cases(), "7K2M9Q")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from broker.desk.errors import DeskError
from broker.desk.records import Case, Entry, Place, Sending
from broker.desk.store import Rows
from contracts.errors import Refused
from contracts.identifiers import EventId
from contracts.lifecycle import (
    EVENT_OF_MESSAGE,
    FIRST_STATE,
    Event,
    Side,
    State,
    allowed_answers,
    check_author,
    may_come_later,
    next_state,
)

HOUR: Final = 3600

# How long a receiver may take, seconds: until a human has seen it, until it is decided.
ACKNOWLEDGE_WITHIN: Final[Mapping[str, int]] = {
    "emergency_24h": HOUR,
    "urgent_72h": 8 * HOUR,
    "normal_14d": 48 * HOUR,
}
DECIDE_WITHIN: Final[Mapping[str, int]] = {
    "emergency_24h": 4 * HOUR,
    "urgent_72h": 24 * HOUR,
    "normal_14d": 120 * HOUR,
}


@dataclass(frozen=True, slots=True)
class Folded:
    """A case's state and where each of its events stands."""

    state: State
    places: Mapping[EventId, Place]


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its events, for a screen or a program; messages are opened one by one."""

    case: Case
    entries: tuple[Entry, ...]
    answers: tuple[Event, ...]  # what may be answered now, empty for the referrer


def fold(side: Side, entries: Sequence[Entry]) -> Folded:
    """The state after all that is known, as the desk on `side` sees it.

    Each event is placed once the events named in its `after` have been. Of several that are
    ready, a decline goes before the rest and then the smaller id, on both desks alike.
    """
    request = next((entry for entry in entries if entry.is_request), None)
    state = _on_its_way(side, request)
    places = {request.id: Place.APPLIED} if request is not None else {}
    open_ = {entry.id: entry for entry in entries if entry.type in EVENT_OF_MESSAGE}
    while ready := _next_ready(open_, places, state):
        try:
            check_author(EVENT_OF_MESSAGE[ready.type], _author(side, ready))
            state = next_state(state, EVENT_OF_MESSAGE[ready.type])
            places[ready.id] = Place.APPLIED
        except Refused:
            places[ready.id] = Place.VOID
        del open_[ready.id]
    waiting = dict.fromkeys(open_, Place.WAITING)
    return Folded(_expired(state, request), {**places, **waiting})


def refold(rows: Rows, case: Case, *, now: int, why: str = "") -> Case:
    """Bring a case and its entries up to date with what is stored; the case as it is then."""
    entries = rows.entries(case.row)
    folded = fold(case.side, entries)
    for entry in entries:
        place = folded.places.get(entry.id, entry.place)
        if place is not entry.place:
            rows.update_entry(replace(entry, place=place))
    changed = replace(case, state=folded.state, why=why or case.why, changed=now)
    if changed.state not in (State.FAILED, State.EXPIRED):
        changed = replace(changed, why="")
    rows.update_case(changed)
    return changed


def newest(entries: Iterable[Entry]) -> tuple[EventId, ...]:
    """The applied events that no other applied event follows: what a new one names as `after`."""
    applied = [entry for entry in entries if entry.place is Place.APPLIED]
    followed = {event for entry in applied for event in entry.after}
    return tuple(sorted(entry.id for entry in applied if entry.id not in followed))


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


def view(rows: Rows, case: Case) -> CaseView:
    """The case with its events."""
    answers = allowed_answers(case.state) if case.side is Side.RECEIVER else ()
    return CaseView(case, in_order(rows.entries(case.row)), answers)


def answer_due(case: Case) -> int | None:
    """By when the receiver should act next, Unix seconds; None where nothing is awaited."""
    if case.state in (State.DRAFT, State.SENT, State.DELIVERED):
        return case.began + ACKNOWLEDGE_WITHIN.get(case.urgency, 48 * HOUR)
    if case.state is State.ACKNOWLEDGED:
        return case.began + DECIDE_WITHIN.get(case.urgency, 120 * HOUR)
    return None


_HEARD: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})

# What the request's way means for the referrer's case, in the order in which it is told.
_TOLD: Final[Mapping[Sending, tuple[Event, ...]]] = {
    Sending.KEPT: (),
    Sending.SUPERSEDED: (),
    Sending.RECEIVED: (Event.HUB_ACCEPTED,),  # a colleague's desk sent it; it came by the hub
    Sending.ACCEPTED: (Event.HUB_ACCEPTED,),
    Sending.STORED: (Event.HUB_ACCEPTED, Event.STORED),
    Sending.FAILED: (Event.HUB_REFUSED,),
    Sending.EXPIRED: (),  # told last: an answer that came proves that it was delivered
}


def _on_its_way(side: Side, request: Entry | None) -> State:
    state = FIRST_STATE[side]
    if side is Side.REFERRER and request is not None:
        for event in _TOLD[request.sending]:
            state = next_state(state, event)
    return state


def _expired(state: State, request: Entry | None) -> State:
    if request is None or request.sending is not Sending.EXPIRED:
        return state
    undelivered = state in (State.DRAFT, State.SENT)
    return next_state(state, Event.EXPIRED) if undelivered else state


def _next_ready(
    open_: Mapping[EventId, Entry], places: Mapping[EventId, Place], state: State
) -> Entry | None:
    ready = [
        entry
        for entry in open_.values()
        if all(event in places for event in entry.after)
        and not may_come_later(state, EVENT_OF_MESSAGE[entry.type])
    ]
    return min(ready, key=_rank, default=None)


def _rank(entry: Entry) -> tuple[bool, EventId]:
    return EVENT_OF_MESSAGE[entry.type] is not Event.DECLINED, entry.id


def _author(side: Side, entry: Entry) -> Side:
    other = Side.REFERRER if side is Side.RECEIVER else Side.RECEIVER
    return side if entry.own else other
