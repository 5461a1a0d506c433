"""Saying anything but a new referral: every further message of a case, and those apart from any.

    sent = say(desk, case, "referral.accepted", {"focal_role": "caseworker"})
    sent = write(desk, to=org, message_type="capacity.query", body=body)
    tell_colleagues(desk, case, "claimed", role="caseworker")

What may be said is what the lifecycle's table allows this side now, within the safety rules; the
refusal names who must do what. Nothing is kept then. This file decides nothing by itself: it
collects what the rules need and asks them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from broker.desk.cases import (
    ACCEPT,
    ACKNOWLEDGE,
    claim_of,
    course_of,
    folded,
    heads,
    leaves_until,
    moves,
    refold,
)
from broker.desk.errors import DeskError, from_contract
from broker.desk.outbox import Outgoing, keep, newest, seal_anew
from broker.desk.peers import (
    SAFER,
    check_can_read,
    check_ourselves,
    fresh_register,
    parse_org,
    register_with,
)
from broker.desk.permissions import permission_of, request_of
from broker.desk.records import Case, Entry, Sending, new_entry
from broker.desk.sending import Sent, keep_in_case, new_id, profiles_of, read_typed, refuse
from broker.desk.store import Rows, new_row
from broker.desk.taking_back import give_up
from broker.desk.unlocking import Desk
from broker.service.failures import Failure
from contracts.bodies import (
    Basis,
    Body,
    ConcernReported,
    Consent,
    IdentityReleased,
    OrgEvent,
    ReferralAcknowledged,
)
from contracts.encoding import JsonObject
from contracts.envelope import MAX_LIFETIME
from contracts.errors import ContractError, Refused
from contracts.fold import Course, Place, check, told
from contracts.identifiers import EventId, KeyId, OrgId
from contracts.lifecycle import EVENT_TYPES, UNTIL_STORED, Move, Side
from contracts.messages import APART, Message, new_message, render_message
from contracts.safety import (
    Finding,
    Weight,
    check_said,
    child_consent,
    custody,
    no_override,
)
from contracts.texts import findings as findings_in_text
from contracts.times import utc_text

# What she says, or what keeps her safe, waits for no colleague.
FREE_OF_CLAIMS: Final = frozenset(
    {"consent.withdrawn", "contact.safety_alert", "erasure.requested", "journey.not_met"}
)
# Where names and places belong, and where text is not looked at for them.
_TELLS_IDENTITY: Final = frozenset(
    {"identity.released", "journey.planned", "journey.changed", "journey.met", "journey.not_met"}
)
# After these nothing that still waits here, and tells of the person, is to leave.
_GIVES_UP_THE_REST: Final = frozenset(
    {"referral.cancelled", "consent.withdrawn", "erasure.requested"}
)


def say(
    desk: Desk,
    case: Case,
    message_type: str,
    body: JsonObject,
    *,
    identity: IdentityReleased | None = None,
) -> Sent:
    """Check, seal and keep one more message of a case. Raises `DeskError`; nothing is queued then.

    Accepting what nobody has acknowledged says both, so that the table has one way only. What must
    arrive, such as a withdrawal, is recorded even where nothing can be sealed today: what she says
    holds on this desk at once, and is sealed when the directory and their keys are back.
    """
    now = desk.clock()
    read = read_typed(message_type, body)
    if message_type not in EVENT_TYPES:
        raise DeskError("not_said_in_a_case", type=message_type)
    trouble = _hindrance(desk, case, safer=message_type in SAFER, now=now)
    if trouble is not None and message_type not in UNTIL_STORED:
        raise trouble
    with desk.store.writing() as rows:
        current = rows.case(case.row)
        if message_type not in _TELLS_IDENTITY:
            refuse(findings_in_text(read, identity=identity))
        return _say(rows, desk, current, read, sealed=trouble is None, now=now)


def write(desk: Desk, *, to: str, message_type: str, body: JsonObject) -> Sent:
    """Check, seal and keep a message that belongs to no case. Raises `DeskError`."""
    if message_type not in APART or message_type == "org.event":
        raise DeskError("not_said_apart", type=message_type)
    recipient, now = parse_org(to), desk.clock()
    read = read_typed(message_type, body)
    refuse(findings_in_text(read))
    if isinstance(read, ConcernReported) and read.about_org == recipient:
        raise DeskError("concern_to_itself", org=recipient)
    register = register_with(desk, recipient, now=now)
    check_ourselves(register, desk, now=now)
    if recipient == desk.org:
        raise DeskError("ourselves", org=recipient)
    if register.organisation(recipient) is None:
        raise DeskError("unknown_organisation", org=recipient)
    check_can_read(register, to=recipient, now=now)
    with desk.store.writing() as rows:
        try:
            keep_apart(rows, desk, read, to=recipient, now=now)
        except ContractError as error:
            raise from_contract(error) from None
    return Sent((message_type,))


def tell_colleagues(
    desk: Desk, case: Case, kind: str, *, role: str | None = None, to_device: str | None = None
) -> Sent:
    """Claim a case among the desks of our organisation, give it back, or hand it on.

    A claim is exclusive: raises `DeskError("claimed_by_colleague")` where another desk has it.
    """
    now = desk.clock()
    event = OrgEvent(
        kind=kind,
        referral_ref=case.ref,
        peer=case.peer,
        role=role,
        to_device=None if to_device is None else KeyId(to_device),
    )
    fresh_register(desk)  # a colleague's new desk is to hear of it too
    with desk.store.writing() as rows:
        _check_claim(desk, rows.entries(case.row))
        _keep_org_event(rows, desk, case, event, now=now)
        return Sent(("org.event",), rows.case(case.row))


def send_again(desk: Desk, case: Case, event: str) -> Sent:
    """Seal one message of ours anew: for a caseworker who has telephoned, one at a time."""
    now = desk.clock()
    with desk.store.writing() as rows:
        entry = next((one for one in rows.entries(case.row) if one.own and one.id == event), None)
        letter = None if entry is None else newest(rows.letters_of(entry.row))
        if entry is None or letter is None:
            raise DeskError("no_message")
        exp = leaves_until(refold(rows, case, now=now), entry.type, now=now)
        if exp <= now:
            raise DeskError("not_said_again")
        try:
            seal_anew(rows, desk, letter, exp=exp, now=now)
        except ContractError as error:
            raise from_contract(error) from None
        return Sent((entry.type,), rows.case(case.row))


def marks_of(rows: Rows, desk: Desk, case: Case) -> tuple[Finding, ...]:
    """What both desks show about the consent or basis that stands in a case."""
    request, permission = request_of(rows, case), permission_of(rows, case)
    now = replace(
        request,
        consent=permission if isinstance(permission, Consent) else None,
        basis=_basis(permission),
    )
    profiles = profiles_of(request, ours=desk.org, theirs=case.peer)
    return (
        *custody(now),
        *no_override(_basis(permission)),
        *(one for one in child_consent(now, profiles=profiles) if one.weight is Weight.MARK),
    )


def our_desks(desk: Desk) -> frozenset[str] | None:
    """The desks of our organisation that are in force; None where the log cannot be believed."""
    try:
        devices = desk.log.register.usable_devices(desk.org, desk.clock())
    except Failure:
        return None
    return frozenset(device.key_id for device in devices)


def keep_apart(rows: Rows, desk: Desk, body: Body, *, to: OrgId, now: int) -> Entry:
    """Keep a message that belongs to no case; part of the caller's transaction."""
    message = new_message(body, event_id=EventId(new_id()), at=utc_text(now))
    data = render_message(message)
    entry = new_entry(
        message, row=new_row(), case_row="", own=True, kept=now, sending=Sending.KEPT, peer=to
    )
    rows.add_entry(entry, author=desk.org, message=data)
    outgoing = Outgoing(
        to=to, message=data, exp=now + MAX_LIFETIME, urgency="", entry_row=entry.row
    )
    keep(rows, desk, outgoing, now=now)
    return entry


def _hindrance(desk: Desk, case: Case, *, safer: bool, now: int) -> Failure | None:
    """Why nothing can be sealed for the other side today, or none."""
    try:
        register = register_with(desk, case.peer, now=now, safer=safer)
        check_ourselves(register, desk, now=now)
        check_can_read(register, to=case.peer, now=now)
    except Failure as trouble:
        return trouble
    return None


def _say(rows: Rows, desk: Desk, case: Case, body: Body, *, sealed: bool, now: int) -> Sent:
    if _type_of(body) in _GIVES_UP_THE_REST:
        give_up(rows, case)
    entries = rows.entries(case.row)
    message = _message(case, body, entries, now=now)
    course = course_of(case, entries, now=now)
    if message.type not in FREE_OF_CLAIMS:
        _check_claim(desk, entries)
    steps = _steps(case, course, message, now=now)
    found = _findings(rows, desk, case, course, body, now=now)
    refuse(found)
    try:
        for step in steps:
            _keep(rows, desk, case, step, sealed=sealed, now=now)
    except ContractError as error:
        raise from_contract(error) from None
    return Sent(tuple(_type_of(step) for step in steps), rows.case(case.row), found)


def _keep(rows: Rows, desk: Desk, case: Case, body: Body, *, sealed: bool, now: int) -> None:
    message = _message(case, body, rows.entries(case.row), now=now)
    exp = leaves_until(case, message.type, now=now)
    keep_in_case(rows, desk, case, message, exp=exp, now=now, sealed=sealed)
    refold(rows, rows.case(case.row), now=now)


def _message(case: Case, body: Body, entries: tuple[Entry, ...], *, now: int) -> Message:
    return new_message(
        body,
        event_id=EventId(new_id()),
        referral_ref=case.ref,
        at=utc_text(now),
        after=heads(case, entries),
    )


def _type_of(body: Body) -> str:
    return new_message(body, event_id=EventId(new_id()), at=utc_text(0)).type


def _steps(case: Case, course: Course, message: Message, *, now: int) -> tuple[Body, ...]:
    """The bodies to send, in order, so that this is said. Raises `DeskError` with the reason."""
    move = told(message, by=case.side).move
    if move == ACCEPT and move in moves(course, side=case.side, now=now):
        if ACKNOWLEDGE in moves(course, side=case.side, now=now):
            role = getattr(message.body, "focal_role", "other")
            return (ReferralAcknowledged(by_role=role), message.body)
        return (message.body,)
    try:
        check(course, move, by=case.side, now=now)
    except Refused as refused:
        raise _cannot(case, course, move, refused, now=now) from None
    return (message.body,)


def _cannot(case: Case, course: Course, move: Move, refused: Refused, *, now: int) -> DeskError:
    allowed = ", ".join(str(one) for one in moves(course, side=case.side, now=now)) or "nothing"
    if refused.code == "illegal_transition":
        return DeskError("illegal_transition", state=course.state.value, allowed=allowed)
    if refused.code == "wrong_author":
        lead = course.lead is case.side
        return DeskError("wrong_author" if lead else "wrong_author_lead", move=str(move))
    return DeskError(refused.code)


def _findings(
    rows: Rows,
    desk: Desk,
    case: Case,
    course: Course,
    body: Body,
    *,
    now: int,
) -> tuple[Finding, ...]:
    """Every safety rule of a further message that this one does not keep."""
    return check_said(
        body,
        by=case.side,
        request=request_of(rows, case),
        permission=permission_of(rows, case),
        course=course,
        peer_kind=_kind_of(desk, case.peer),
        receiver=case.peer if case.side is Side.REFERRER else desk.org,
        now=now,
    )


def _kind_of(desk: Desk, org: OrgId) -> str:
    """An organisation's kind; "" where the log cannot be believed: that forbids more."""
    try:
        known = desk.log.register.organisation(org)
    except Failure:
        return ""
    return "" if known is None else known.kind


def _basis(permission: Consent | Basis | None) -> Basis | None:
    return permission if isinstance(permission, Basis) else None


def _check_claim(desk: Desk, entries: tuple[Entry, ...]) -> None:
    claim = claim_of(entries, device=desk.ring.device, in_force=our_desks(desk))
    if claim is not None and not claim.ours:
        raise DeskError("claimed_by_colleague")


def _keep_org_event(rows: Rows, desk: Desk, case: Case, body: OrgEvent, *, now: int) -> None:
    """Kept here always; sealed for colleagues where there are any."""
    message = new_message(body, event_id=EventId(new_id()), at=utc_text(now))
    data = render_message(message)
    entry = new_entry(
        message,
        row=new_row(),
        case_row=case.row,
        own=True,
        kept=now,
        sending=Sending.KEPT,
        device=desk.ring.device,
    )
    rows.add_entry(entry, author=desk.org, message=data)
    outgoing = Outgoing(
        to=desk.org,
        message=data,
        exp=now + MAX_LIFETIME,
        urgency="",
        case_row=case.row,
        entry_row=entry.row,
    )
    try:
        keep(rows, desk, outgoing, now=now)
    except Refused as refused:
        if refused.code != "recipient_has_no_keys":
            raise from_contract(refused) from None
        # No other desk of ours has a key: there is nobody to tell.
        rows.update_entry(replace(entry, sending=Sending.RECEIVED))


def waiting_for(case: Case, entries: tuple[Entry, ...]) -> tuple[EventId, ...]:
    """The events that others name and this desk does not have."""
    known = {entry.id for entry in entries}
    course = folded(case, entries)
    waiting = [
        entry for entry in entries if course.places.get(entry.told(case.side).key) is Place.WAITING
    ]
    return tuple(sorted({cause for entry in waiting for cause in entry.after} - known))
