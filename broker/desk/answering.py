"""What a desk answers by itself: a problem to an event without effect, a resend where it is due.

Runs inside the transaction that stored what it answers. A problem goes back once for an event,
and the same problem again when the event comes again; nothing ever answers a problem. What was
asked for again is sealed again only where the other side never confirmed it and it is young:
otherwise a stolen computer could undo the deletion of keys by asking. The rest waits for a
caseworker who has telephoned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from broker.desk.cases import heads, leaves_until
from broker.desk.outbox import newest, seal_anew
from broker.desk.records import Case, Entry, Letter, Sending
from broker.desk.saying import keep_apart, waiting_for
from broker.desk.sending import keep_in_case
from broker.desk.store import Rows
from broker.desk.unlocking import Desk
from broker.service.logs import logger
from contracts.bodies import MessageProblem, ProblemDetail, ResendRequest
from contracts.codes import PROBLEM_CODES
from contracts.encoding import h256
from contracts.envelope import MAX_LIFETIME
from contracts.errors import Refused
from contracts.fold import Place
from contracts.identifiers import EventId, Mid
from contracts.lifecycle import EVENT_TYPES
from contracts.messages import new_message, parse_message
from contracts.times import DAY, utc_text

PROBLEM: Final = "message.problem"
RESENT_BY_ITSELF_FOR: Final = 14 * DAY
# One question of theirs is small and an answer is not: each event is sealed again this often.
RESENT_AT_MOST_EVERY: Final = DAY
# A missing cause is asked for after this, seconds; on a bad line it mostly comes by itself.
ASK_AFTER: Final = 3600
_TITLE: Final = "This event has no effect where it stands"

_log = logger(__name__)


def answer_voids(rows: Rows, desk: Desk, case_row: str, *, now: int) -> None:
    """Tell the other side, once each, which of its events have no effect."""
    case, entries = rows.case(case_row), rows.entries(case_row)
    answered = {entry.word for entry in entries if entry.own and entry.type == PROBLEM}
    for entry in entries:
        if not entry.own and entry.place is Place.VOID and entry.id not in answered:
            _send_problem(rows, desk, case, entry, now=now)


def answer_repeat(rows: Rows, desk: Desk, known: Entry, *, now: int) -> None:
    """An event that came again: the same problem again, if it had one."""
    if known.own or known.place is not Place.VOID or not known.case_row:
        return
    for entry in rows.entries(known.case_row):
        if entry.own and entry.type == PROBLEM and entry.word == known.id:
            _again(rows, desk, rows.letters_of(entry.row), now=now)


def answer_resend(rows: Rows, desk: Desk, request: Entry, *, now: int) -> None:
    """Seal again what may be sealed again without a person, of what was asked for."""
    body = parse_message(rows.message(request.row)).body
    if not isinstance(body, ResendRequest):
        return
    for wanted in body.ids:
        letters = _letters_for(rows, desk, wanted, peer=request.peer)
        due = [one for one in letters if _may_go_by_itself(rows, one, now=now)]
        _again(rows, desk, due, now=now)


def ask_for_missing(rows: Rows, desk: Desk, case: Case, *, now: int) -> None:
    """Ask, once, for events that others name and that have not come."""
    entries = rows.entries(case.row)
    waits = [e for e in entries if e.place is Place.WAITING and e.type in EVENT_TYPES]
    if not any(now - entry.kept >= ASK_AFTER and not entry.code for entry in waits):
        return
    missing = waiting_for(case, entries)
    for entry in waits:
        rows.update_entry(replace(entry, code="cause_missing"))
    if not missing:
        return
    try:
        keep_apart(rows, desk, ResendRequest(ids=missing[:50]), to=case.peer, now=now)
    except Refused as refused:
        _log.warning("resend_not_asked", code=refused.code)


def _problem_id(desk: Desk, case: Case, entry: Entry) -> EventId:
    """The same on every desk of ours: what two of them answer is one message to the other side."""
    named = f"rujukan/problem\n{desk.org}\n{case.peer}\n{case.ref}\n{entry.id}"
    return EventId(h256(named.encode("ascii")).hex()[:32])


def _send_problem(rows: Rows, desk: Desk, case: Case, entry: Entry, *, now: int) -> None:
    code = entry.code if entry.code in PROBLEM_CODES else "illegal_transition"
    detail = ProblemDetail(type=f"urn:rujukan:problem:{code}", title=_TITLE, code=code)
    message = new_message(
        MessageProblem(problem=detail, about=entry.id),
        event_id=_problem_id(desk, case, entry),
        referral_ref=case.ref,
        at=utc_text(now),
        after=heads(case, rows.entries(case.row)),
    )
    try:
        keep_in_case(rows, desk, case, message, exp=now + MAX_LIFETIME, now=now)
    except Refused as refused:  # they have no key left: there is nobody to tell
        _log.warning("problem_not_sent", code=refused.code)


def _letters_for(rows: Rows, desk: Desk, wanted: str, *, peer: str) -> list[Letter]:
    """The envelopes to this peer that a mid or an event id names."""
    letter = rows.letter_of(Mid(wanted))
    entry = rows.entry_of(desk.org, EventId(wanted))
    found = [] if letter is None else [letter]
    found += [] if entry is None else list(rows.letters_of(entry.row))
    return [one for one in found if one.to == peer and not one.is_receipt]


def _may_go_by_itself(rows: Rows, letter: Letter, *, now: int) -> bool:
    entry = rows.entry(letter.entry_row)
    unsettled = (
        letter.state in (Sending.KEPT, Sending.ACCEPTED) and entry.sending is not Sending.STORED
    )
    young = now - entry.kept < RESENT_BY_ITSELF_FOR
    again = letter.resealed and now - letter.kept < RESENT_AT_MOST_EVERY
    return unsettled and young and not again and _leaves_until(rows, letter, now=now) > now


def _leaves_until(rows: Rows, letter: Letter, *, now: int) -> int:
    if not letter.case_row:
        return now + MAX_LIFETIME
    case, entry = rows.case(letter.case_row), rows.entry(letter.entry_row)
    return leaves_until(case, entry.type, now=now)


def _again(rows: Rows, desk: Desk, letters: list[Letter] | tuple[Letter, ...], *, now: int) -> None:
    letter = newest(letters)
    if letter is None:
        return
    try:
        seal_anew(rows, desk, letter, exp=_leaves_until(rows, letter, now=now), now=now)
    except Refused as refused:
        _log.warning("not_sent_again", code=refused.code)
