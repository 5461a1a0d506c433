"""Whether what waits here may still leave: asked anew before every attempt, not only when written.

Between writing and sending, a consent may be narrowed, a warning may stop all contact, a case may
end. What tells of the person leaves only by a right that stands at that moment; what may not any
more is given up, with what was said after it, since the other side would wait for its cause.

    if not still_covered(rows, desk, case, entry, now=now):
        give_up_with_what_follows(rows, letter, author=desk.org, now=now)

Opens messages, so that the agreement's rules can look at them; decides by them alone.
"""

from __future__ import annotations

from dataclasses import replace

from nacl.utils import random

from broker.desk.cases import DISCLOSES, course_of, heads, leaves_until, refold
from broker.desk.permissions import permission_of, request_of
from broker.desk.records import Case, Entry, Letter, Sending, new_entry
from broker.desk.store import Rows, new_row
from broker.desk.unlocking import Desk
from broker.service.failures import Failure
from contracts.identifiers import Eid, EventId, Mid, OrgId
from contracts.lifecycle import WAIT_FOR_NOTHING, Side
from contracts.messages import new_message, parse_message, render_message
from contracts.safety import Finding, Weight, check_said, permission_holds
from contracts.times import utc_text


def still_covered(rows: Rows, desk: Desk, case: Case, entry: Entry, *, now: int) -> bool:
    """Whether an event of ours may leave by the case's present course and permission."""
    if entry.type not in DISCLOSES:
        return True
    if leaves_until(case, entry.type, now=now) <= now:
        return False
    if entry.is_request:  # it carries its own consent, and `leaves_until` knows its end
        return True
    found = _findings(rows, desk, case, entry, now=now)
    return all(one.weight is not Weight.REFUSE for one in found)


def give_up_with_what_follows(rows: Rows, letter: Letter, *, author: OrgId, now: int) -> None:
    """Take back a message and what was said after it; what the hub has is not handed to it again.

    Warnings wait for nothing, so they leave all the same.
    """
    if letter.state is Sending.ACCEPTED:
        rows.update_letter(letter, due_at=None)
        rows.forget_body(letter)
        return
    case, gone = rows.case(letter.case_row), {rows.entry(letter.entry_row).id}
    unsent = [(one, rows.entry(one.entry_row)) for one in _unsent(rows, case)]
    waits = [entry for _, entry in unsent if entry.type not in WAIT_FOR_NOTHING]
    while more := {entry.id for entry in waits if gone & set(entry.after)} - gone:
        gone |= more
    taken_back = [(one, entry) for one, entry in unsent if entry.id in gone]
    for one, entry in taken_back:
        _give_up(rows, one, entry)
    for one, entry in taken_back:
        if entry.type == "consent.updated":  # her word stands, whatever it was said after
            _say_anew(rows, one, entry, author=author, now=now)
    refold(rows, rows.case(case.row), now=now)


def _unsent(rows: Rows, case: Case) -> list[Letter]:
    return [
        letter
        for letter in rows.letters()
        if letter.case_row == case.row and letter.state is Sending.KEPT and letter.entry_row
    ]


def _say_anew(rows: Rows, letter: Letter, entry: Entry, *, author: OrgId, now: int) -> None:
    """The same words as a new event after what is left; the outbox seals it."""
    case = rows.case(entry.case_row)
    message = new_message(
        parse_message(rows.message(entry.row)).body,
        event_id=EventId(random(16).hex()),
        referral_ref=case.ref,
        at=utc_text(now),
        after=heads(case, rows.entries(case.row)),
    )
    fresh = new_entry(
        message, row=new_row(), case_row=case.row, own=True, kept=now, sending=Sending.KEPT
    )
    rows.add_entry(fresh, author=author, message=render_message(message))
    carries = replace(
        letter,
        row=new_row(),
        mid=Mid(random(16).hex()),
        eid=Eid(""),
        entry_row=fresh.row,
        kept=now,
        attempts=0,
        resealed=0,
        unsealed=True,
    )
    rows.add_letter(carries, body=None, due_at=now)


def _give_up(rows: Rows, letter: Letter, entry: Entry) -> None:
    rows.update_letter(replace(letter, state=Sending.GIVEN_UP), due_at=None)
    rows.forget_body(letter)
    if entry.sending is Sending.KEPT:
        rows.update_entry(replace(entry, sending=Sending.GIVEN_UP))


def _findings(rows: Rows, desk: Desk, case: Case, entry: Entry, *, now: int) -> tuple[Finding, ...]:
    permission = permission_of(rows, case)
    receiver = case.peer if case.side is Side.REFERRER else desk.org
    said = check_said(
        parse_message(rows.message(entry.row)).body,
        by=case.side,
        request=request_of(rows, case),
        permission=permission,
        course=course_of(case, rows.entries(case.row), now=now),
        peer_kind=_kind_of(desk, case.peer),
        receiver=receiver,
        now=now,
    )
    return (*said, *permission_holds(permission, recipient=receiver, now=now))


def _kind_of(desk: Desk, org: OrgId) -> str:
    """An organisation's kind; "" where the log cannot be believed: that forbids more."""
    try:
        known = desk.log.register.organisation(org)
    except Failure:
        return ""
    return "" if known is None else known.kind
