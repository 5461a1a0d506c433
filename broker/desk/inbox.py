"""What an opened envelope changes: a case, an event, a receipt told to the letter it answers.

Runs inside one transaction of the caller and touches nothing else. It knows sender and recipient
from the verified header only; what a message says of itself is not believed. Order is not
promised on the way, so what comes before that to which it belongs waits (14 days at most).

    with store.writing() as rows:
        entry = take_message(rows, arrived, org=org, now=now)       # or Rejected: roll back
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from broker.desk.arrived import PROBLEM, Arrived, check_moment, check_same
from broker.desk.cases import TOLD_ENOUGH, refold
from broker.desk.outbox import settle_failed, settle_stored
from broker.desk.records import Case, Early, Entry, Letter, Sending, Unreadable, new_entry
from broker.desk.store import Rows, new_row
from broker.desk.taking_back import give_up
from contracts.bodies import OrgEvent
from contracts.consent import check_consent
from contracts.encoding import h256
from contracts.errors import Refused, Rejected
from contracts.fold import told
from contracts.identifiers import KeyId, OrgId, Ref
from contracts.lifecycle import UNTIL_STORED, WAIT_FOR_NOTHING, Side, State
from contracts.messages import (
    Message,
    ReferralRequested,
    parse_message,
    parse_receipt,
)
from contracts.times import DAY

WAITS: Final = 14 * DAY
# What she says waits for its case for as long as anything is kept of one: a withdrawal that came
# first must hold when the referral comes.
WAITS_FOR_HER: Final = 400 * DAY
# An honest case has a handful of events. Placing them takes the square of their number, and
# one peer's thousands would keep this desk busy for hours. What we say ourselves never counts,
# and problems have a number of their own, or one side could use up what the other may say.
MOST_EVENTS: Final = 200
# Beyond that nothing but what must always arrive, and of it too not without end.
MOST_OF_ALL: Final = 300
# What waits for its case takes no more room than this; then from nobody more than a share.
MOST_WAITING: Final = 16 * 1024 * 1024
SHARE_WAITING: Final = 2 * 1024 * 1024
# How long an id that was used twice stands among the alarms.
ALARM_STANDS: Final = 28 * DAY


@dataclass(frozen=True, slots=True)
class WarningWaiting:
    """What waits for its case and should wait for nothing: somebody should phone the sender."""

    sender: OrgId  # ourselves where a colleague's desk said it
    type: str
    kept: int  # when it came, Unix seconds


def warnings_waiting(waiting: Iterable[Early]) -> tuple[WarningWaiting, ...]:
    """The withdrawals, safety alerts and the like among what waits, the longest waiting first."""
    found = [
        WarningWaiting(one.sender, one.type, one.kept)
        for one in waiting
        if one.type in WAIT_FOR_NOTHING
    ]
    return tuple(sorted(found, key=lambda one: one.kept))


def take_message(rows: Rows, arrived: Arrived, *, org: OrgId, now: int) -> Entry | None:
    """Store a message; the new entry, or None where nothing new was said or its case is awaited.

    Raises `Rejected` with a receipt's code; the caller's transaction must then be rolled back.
    """
    message = parse_message(arrived.data)
    check_moment(message, arrived)
    peer = arrived.to if arrived.sender == org else arrived.sender
    if (peer == org) != isinstance(message.body, OrgEvent):
        raise Rejected("not_for_me", "to", signed=True)  # only our own desks talk among themselves
    known = rows.entry_of(arrived.sender, message.id)
    if known is not None:  # the same event in another envelope
        check_same(rows.message(known.row), arrived)
        _remember_copy(rows, arrived, known, org=org, now=now)
        return None
    _check_id(rows, arrived, message, peer=peer, org=org, now=now)
    if isinstance(message.body, ReferralRequested):
        return _begin(rows, arrived, message, message.body, peer=peer, org=org, now=now)
    if isinstance(message.body, OrgEvent):
        body = message.body
        return _annotate(rows, arrived, message, peer=body.peer, ref=body.referral_ref, now=now)
    if message.referral_ref is None:
        return _add_apart(rows, arrived, message, peer=peer, org=org, now=now)
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
    # Where a peer took our colleague's reference before the copy came, this desk stays on the
    # wrong side of that case: the refused copy is an alarm, and an operator has to set it right.
    if rows.case_of(peer, _ref(message)) is not None:
        raise Rejected("duplicate_conflict", "referral_ref", signed=True)
    if not own:
        _check_consent(request, org=org, now=now)
    case = new_case(message, request, peer=peer, own=own, now=now)
    rows.add_case(case)
    entry = _add_entry(rows, arrived, message, case, org=org, now=now)
    for early in _with_room(rows.take_early("case", peer, case.ref), org):
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
        ref=_ref(message),
        side=Side.REFERRER if own else Side.RECEIVER,
        state=State.DRAFT if own else State.DELIVERED,
        urgency=request.urgency,
        service=request.to.service_id,
        needs=tuple(request.needs),
        began=now,
        changed=now,
        until=told(message, by=Side.REFERRER).moment or 0,
    )


def _continue(
    rows: Rows, arrived: Arrived, message: Message, *, peer: OrgId, org: OrgId, now: int
) -> Entry | None:
    ref = _ref(message)
    case = rows.case_of(peer, ref)
    if case is None:
        if any(other.ref == ref for other in rows.cases()):
            raise Rejected("not_for_me", "referral_ref", signed=True)
        must_arrive = message.type in WAIT_FOR_NOTHING
        awaited = ("case", peer, ref)
        _wait(rows, arrived, awaited, type_=message.type, now=now, must_arrive=must_arrive)
        return None
    if arrived.sender != org:
        _check_room_in(rows, case, message)
    entry = _add_entry(rows, arrived, message, case, org=org, now=now)
    case = refold(rows, rows.case(case.row), now=now)
    if case.state in TOLD_ENOUGH:
        give_up(rows, case)
        refold(rows, case, now=now)
    return entry


def _annotate(
    rows: Rows, arrived: Arrived, message: Message, *, peer: OrgId, ref: Ref, now: int
) -> Entry | None:
    """What a colleague's desk says of a case; it moves nothing."""
    case = rows.case_of(peer, ref)
    if case is None:
        _wait(rows, arrived, ("case", peer, ref), now=now)
        return None
    return _add_entry(rows, arrived, message, case, org=arrived.sender, now=now)


def _add_apart(
    rows: Rows, arrived: Arrived, message: Message, *, peer: OrgId, org: OrgId, now: int
) -> Entry:
    own = arrived.sender == org
    entry = new_entry(
        message,
        row=new_row(),
        case_row="",
        own=own,
        kept=now,
        sending=Sending.RECEIVED,
        peer=peer,
    )
    rows.add_entry(entry, author=arrived.sender, message=arrived.data)
    if own:
        _remember_copy(rows, arrived, entry, org=org, now=now)
    else:
        rows.add_handover(entry.row, due_at=now)
    return entry


def _add_entry(
    rows: Rows, arrived: Arrived, message: Message, case: Case, *, org: OrgId, now: int
) -> Entry:
    own = arrived.sender == org
    entry = new_entry(
        message,
        row=new_row(),
        case_row=case.row,
        own=own,
        kept=now,
        sending=Sending.RECEIVED,
        device=arrived.device,
    )
    rows.add_entry(entry, author=arrived.sender, message=arrived.data)
    if own:
        _remember_copy(rows, arrived, entry, org=org, now=now)
    else:
        rows.add_handover(entry.row, due_at=now)
    return entry


def _remember_copy(rows: Rows, arrived: Arrived, entry: Entry, *, org: OrgId, now: int) -> None:
    """A colleague's desk sent this: the recipient's receipts come to us too."""
    if arrived.sender != org or rows.letter_of(arrived.mid) is not None or arrived.to == org:
        return
    letter = Letter(
        row=new_row(),
        mid=arrived.mid,
        eid=arrived.eid,
        to=arrived.to,
        case_row=entry.case_row,
        entry_row=entry.row,
        exp=arrived.exp,
        urgency=rows.case(entry.case_row).urgency if entry.case_row else "",
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
    known = rows.entry_of(early.sender, message.id)
    try:
        if known is not None:
            check_same(rows.message(known.row), arrived)
            return
        _check_id(rows, arrived, message, peer=case.peer, org=org, now=now)
    except Rejected:
        _raise_alarm(rows, arrived, now=now)  # what began the case is kept all the same
        return
    _add_entry(rows, arrived, message, case, org=org, now=now)


def _with_room(waiting: Iterable[Early], org: OrgId) -> list[Early]:
    """What waited, our colleagues' first and all of it; then the peer's, what must arrive first."""
    found = list(waiting)
    peers = [one for one in found if one.sender != org]
    return [one for one in found if one.sender == org] + sorted(peers, key=_rank)[:MOST_EVENTS]


def _rank(early: Early) -> int:
    message = parse_message(_arrived(early).data)
    if message.type in UNTIL_STORED:
        return 0
    return 2 if message.type == PROBLEM else 1


def _check_room_in(rows: Rows, case: Case, message: Message) -> None:
    most = MOST_OF_ALL if message.type in UNTIL_STORED else MOST_EVENTS
    problem = message.type == PROBLEM
    said = [
        entry
        for entry in rows.entries(case.row)
        if not entry.own and (entry.type == PROBLEM) == problem
    ]
    if len(said) >= most:
        raise Rejected("not_for_me", "referral_ref", signed=True)


def _check_id(
    rows: Rows, arrived: Arrived, message: Message, *, peer: OrgId, org: OrgId, now: int
) -> None:
    """`after` names events by their ids alone: a peer must not use an id of ours again.

    What a colleague said is kept even where the peer was here first with its id, since otherwise
    a peer could undo our own withdrawal on this desk; somebody should look.
    """
    if arrived.sender != org:
        if rows.entry_of(org, message.id) is not None:
            raise Rejected("duplicate_conflict", "id", signed=True)
    elif peer != org and rows.entry_of(peer, message.id) is not None:
        _raise_alarm(rows, arrived, now=now)


def _raise_alarm(rows: Rows, arrived: Arrived, *, now: int) -> None:
    """An id used twice where nothing is refused: for the desk's operator, as other alarms are."""
    found = Unreadable(
        row=new_row(),
        sha256=h256(arrived.data).hex(),
        code="duplicate_conflict",
        at=now,
        sender=arrived.sender,
        alarm=True,
    )
    rows.add_rejected(found, body=None, until=now + ALARM_STANDS)


def _ref(message: Message) -> Ref:
    if message.referral_ref is None:  # the schema demands it of every type that comes here
        raise Rejected("schema", "referral_ref", signed=True)
    return message.referral_ref


def _check_consent(request: ReferralRequested, *, org: OrgId, now: int) -> None:
    try:
        check_consent(request, recipient=org, now=now)
    except Refused as refused:
        raise Rejected("consent", refused.field, signed=True) from None


def _wait(
    rows: Rows,
    arrived: Arrived,
    awaited: tuple[str, ...],
    *,
    now: int,
    type_: str = "",
    must_arrive: bool = False,
) -> None:
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
        device=arrived.device or "",
        type=type_,
        kept=now,
    )
    waits = WAITS_FOR_HER if must_arrive else WAITS
    rows.add_early(early, awaited, until=now + waits)


def _check_room(rows: Rows, arrived: Arrived) -> None:
    """Whoever speaks of cases that never begin must not fill this computer's disk."""
    if rows.early_bytes() < MOST_WAITING:
        return
    if rows.early_bytes_of(arrived.sender) + len(arrived.data) > SHARE_WAITING:
        raise Rejected("not_for_me", "referral_ref", signed=True)


def _arrived(early: Early) -> Arrived:
    return Arrived(
        sender=early.sender,
        to=early.to,
        mid=early.mid,
        eid=early.eid,
        re=early.re,
        exp=early.exp,
        data=early.message.encode("utf-8"),
        device=KeyId(early.device) if early.device else None,
    )
