"""What an opened envelope changes: a case, an event, a receipt told to the letter it answers.

Runs inside one transaction of the caller and touches nothing else. It knows sender and recipient
from the verified header only; what a message says of itself is not believed. Order is not
promised on the way, so what comes before that to which it belongs waits (14 days at most).

    with store.writing() as rows:
        entry = take_message(rows, arrived, org=org, now=now)       # or Rejected: roll back
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from broker.desk.cases import refold
from broker.desk.outbox import settle_failed, settle_stored
from broker.desk.records import Case, Early, Entry, Letter, Place, Sending
from broker.desk.store import Rows, new_row
from contracts.consent import check_consent
from contracts.errors import Refused, Rejected
from contracts.identifiers import Eid, Mid, OrgId
from contracts.lifecycle import EVENT_OF_MESSAGE, Side, State, check_author
from contracts.messages import (
    Message,
    ReferralRequested,
    parse_message,
    parse_receipt,
)
from contracts.statements import DAY

WAITS: Final = 14 * DAY
# An honest case has a handful of events. Placing them takes the square of their number, and
# one peer's thousands would keep this desk busy for hours.
MOST_EVENTS: Final = 200
# What waits for its case takes no more room than this; then from nobody more than a share.
MOST_WAITING: Final = 16 * 1024 * 1024
SHARE_WAITING: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    """A verified and decrypted envelope: what its header says, and the plaintext."""

    sender: OrgId
    to: OrgId
    mid: Mid
    eid: Eid
    re: Mid | None
    exp: int
    data: bytes = field(repr=False)


def take_message(rows: Rows, arrived: Arrived, *, org: OrgId, now: int) -> Entry | None:
    """Store a message; the new entry, or None where nothing new was said or its case is awaited.

    Raises `Rejected` with a receipt's code; the caller's transaction must then be rolled back.
    """
    message = parse_message(arrived.data)
    peer = arrived.to if arrived.sender == org else arrived.sender
    if peer == org:
        raise Rejected("not_for_me", "to", signed=True)
    known = rows.entry_of(arrived.sender, message.id)
    if known is not None:  # the same event in another envelope
        _remember_copy(rows, arrived, known, org=org, now=now)
        return None
    if isinstance(message.body, ReferralRequested):
        return _begin(rows, arrived, message, message.body, peer=peer, org=org, now=now)
    return _continue(rows, arrived, message, peer=peer, org=org, now=now)


def take_receipt(rows: Rows, arrived: Arrived, *, org: OrgId, now: int) -> None:
    """Tell a receipt to the letter it answers; it may come before that letter's own copy.

    Raises `Rejected("not_for_me")` where it is about another envelope or from somebody else.
    """
    parse_receipt(arrived.data)
    if arrived.sender == org or arrived.re is None:
        return  # a colleague's desk has answered; that is between it and the sender
    letter = rows.letter_of(arrived.re)
    if letter is None:
        _wait(rows, arrived, ("letter", arrived.re), now=now)
        return
    _settle(rows, letter, arrived, now=now)


def _begin(
    rows: Rows,
    arrived: Arrived,
    message: Message,
    request: ReferralRequested,
    *,
    peer: OrgId,
    org: OrgId,
    now: int,
) -> Entry:
    own = arrived.sender == org
    if rows.case_of(peer, message.referral_ref) is not None:
        raise Rejected("duplicate_conflict", "referral_ref", signed=True)
    if not own:
        _check_consent(request, org=org, now=now)
    case = new_case(message, request, peer=peer, own=own, now=now)
    rows.add_case(case)
    entry = _add_entry(rows, arrived, message, case, org=org, now=now)
    for early in rows.take_early("case", peer, message.referral_ref)[:MOST_EVENTS]:
        _take_early_event(rows, early, case, org=org, now=now)
    refold(rows, rows.case(case.row), now=now)
    return entry


def new_case(
    message: Message, request: ReferralRequested, *, peer: OrgId, own: bool, now: int
) -> Case:
    """The case that a request begins, on either side."""
    return Case(
        row=new_row(),
        peer=peer,
        ref=message.referral_ref,
        side=Side.REFERRER if own else Side.RECEIVER,
        state=State.DRAFT if own else State.DELIVERED,
        urgency=request.urgency,
        service=request.to.service_id,
        needs=tuple(request.needs),
        began=now,
        changed=now,
    )


def _continue(
    rows: Rows, arrived: Arrived, message: Message, *, peer: OrgId, org: OrgId, now: int
) -> Entry | None:
    case = rows.case_of(peer, message.referral_ref)
    if case is None:
        if any(other.ref == message.referral_ref for other in rows.cases()):
            raise Rejected("not_for_me", "referral_ref", signed=True)
        _wait(rows, arrived, ("case", peer, message.referral_ref), now=now)
        return None
    _check_author(case, message, own=arrived.sender == org)
    if arrived.sender != org and len(rows.entries(case.row)) >= MOST_EVENTS:
        raise Rejected("not_for_me", "referral_ref", signed=True)
    entry = _add_entry(rows, arrived, message, case, org=org, now=now)
    refold(rows, rows.case(case.row), now=now)
    return entry


def _add_entry(
    rows: Rows, arrived: Arrived, message: Message, case: Case, *, org: OrgId, now: int
) -> Entry:
    own = arrived.sender == org
    entry = Entry(
        row=new_row(),
        case_row=case.row,
        id=message.id,
        type=message.type,
        own=own,
        after=message.after,
        at=message.at,
        kept=now,
        sending=Sending.RECEIVED,
        place=Place.APPLIED if isinstance(message.body, ReferralRequested) else Place.WAITING,
    )
    rows.add_entry(entry, author=arrived.sender, message=arrived.data)
    if own:
        _remember_copy(rows, arrived, entry, org=org, now=now)
    else:
        rows.add_handover(entry.row, due_at=now)
    return entry


def _remember_copy(rows: Rows, arrived: Arrived, entry: Entry, *, org: OrgId, now: int) -> None:
    """A colleague's desk sent this: the recipient's receipts come to us too."""
    if arrived.sender != org or rows.letter_of(arrived.mid) is not None:
        return
    case = rows.case(entry.case_row)
    letter = Letter(
        row=new_row(),
        mid=arrived.mid,
        eid=arrived.eid,
        to=arrived.to,
        case_row=case.row,
        entry_row=entry.row,
        exp=arrived.exp,
        urgency=case.urgency,
        state=Sending.ACCEPTED,
        kept=now,
        colleagues=True,
    )
    rows.add_letter(letter, body=None)
    for early in rows.take_early("letter", arrived.mid):
        _settle_early(rows, letter, early, now=now)


def _settle(rows: Rows, letter: Letter, arrived: Arrived, *, now: int) -> None:
    receipt = parse_receipt(arrived.data)
    if (arrived.sender, receipt.of_eid) != (letter.to, letter.eid):
        raise Rejected("not_for_me", "of_eid", signed=True)
    if receipt.status == "stored":
        settle_stored(rows, letter, now=now)
    else:
        settle_failed(rows, letter, f"peer_{receipt.code}", now=now)


def _settle_early(rows: Rows, letter: Letter, early: Early, *, now: int) -> None:
    try:
        _settle(rows, letter, _arrived(early), now=now)
    except Rejected:
        return  # it claimed to answer this letter and does not


def _take_early_event(rows: Rows, early: Early, case: Case, *, org: OrgId, now: int) -> None:
    arrived = _arrived(early)
    message = parse_message(arrived.data)
    try:
        _check_author(case, message, own=early.sender == org)
    except Rejected:
        return  # its receipt said that it was stored; it has no effect
    if rows.entry_of(early.sender, message.id) is None:
        _add_entry(rows, arrived, message, case, org=org, now=now)


def _check_author(case: Case, message: Message, *, own: bool) -> None:
    other = Side.REFERRER if case.side is Side.RECEIVER else Side.RECEIVER
    try:
        check_author(EVENT_OF_MESSAGE[message.type], case.side if own else other)
    except Refused:
        raise Rejected("not_for_me", "type", signed=True) from None


def _check_consent(request: ReferralRequested, *, org: OrgId, now: int) -> None:
    try:
        check_consent(request, recipient=org, now=now)
    except Refused as refused:
        raise Rejected("consent", refused.field, signed=True) from None


def _wait(rows: Rows, arrived: Arrived, awaited: tuple[str, ...], *, now: int) -> None:
    _check_room(rows, arrived)
    early = Early(
        row=new_row(),
        sender=arrived.sender,
        to=arrived.to,
        mid=arrived.mid,
        eid=arrived.eid,
        re=arrived.re,
        exp=arrived.exp,
        message=arrived.data.decode("utf-8"),
    )
    rows.add_early(early, awaited, until=now + WAITS)


def _check_room(rows: Rows, arrived: Arrived) -> None:
    """Whoever speaks of cases that never begin must not fill this computer's disk."""
    if rows.early_bytes() < MOST_WAITING:
        return
    if rows.early_bytes_of(arrived.sender) + len(arrived.data) > SHARE_WAITING:
        raise Rejected("not_for_me", "referral_ref", signed=True)


def _arrived(early: Early) -> Arrived:
    data = early.message.encode("utf-8")
    return Arrived(early.sender, early.to, early.mid, early.eid, early.re, early.exp, data)
