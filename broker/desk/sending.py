"""Sending a referral and answering one: every reason to refuse comes before anything is kept.

    sent = send_referral(desk, to=org, body=body)
    sent = answer(desk, case, Event.ACCEPTED, {"focal_role": "caseworker"})

Both only seal and keep; `outbox.deliver` sends. The checks are the sender's half of what the hub
and the receiver check again: the hub cannot see a consent, and the receiver would have read what
it should not have been sent. Consent is never filled in by the program.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from nacl.utils import random

from broker.desk.cases import newest, refold
from broker.desk.errors import DeskError, from_contract
from broker.desk.inbox import new_case
from broker.desk.outbox import Outgoing, keep
from broker.desk.records import Case, Entry, Place, Sending
from broker.desk.store import Rows, new_row
from broker.desk.unlocking import FRESH_FOR, Desk
from broker.mirror import DirectoryUnreachable
from contracts.consent import check_consent
from contracts.encoding import JsonObject
from contracts.envelope import MAX_LIFETIME
from contracts.errors import ContractError
from contracts.identifiers import EventId, OrgId, Ref, country_of, parse_org_id
from contracts.lifecycle import Event, Side, allowed_answers, messages_for
from contracts.messages import (
    Body,
    Message,
    ReferralRequested,
    new_message,
    problems_in_body,
    read_body,
    render_message,
)
from contracts.register import Register
from contracts.routing import RouteState, RouteTable
from contracts.times import unix_seconds, utc_text

TYPES: Mapping[Event, str] = {
    Event.ACKNOWLEDGED: "referral.acknowledged",
    Event.ACCEPTED: "referral.accepted",
    Event.DECLINED: "referral.declined",
}
# Before sealing, the log is asked unless that was this many seconds ago: a colleague's new desk
# should get its copy too.
NEWS = 10
MOST_PROBLEMS = 5  # named in one sentence; a form shows them all


@dataclass(frozen=True, slots=True)
class Sent:
    """What was kept to be sent: the case as it stands now, and the types of its messages."""

    case: Case
    types: tuple[str, ...]


def send_referral(desk: Desk, *, to: str, body: JsonObject, service: str | None = None) -> Sent:
    """Check, seal and keep a new referral. Raises `DeskError`; nothing is queued then.

    `body` is that of `referral.requested`; `service` fills in its `to`.
    """
    recipient = _org(to)
    now = desk.clock()
    register = register_with(desk, recipient, now=now)
    check_ourselves(register, desk, now=now)
    check_recipient(register, desk.routes, ours=desk.org, to=recipient, now=now)
    request = read_request(with_service(body, service))
    try:
        check_consent(request, recipient=recipient, now=now)
        return _keep_request(desk, request, to=recipient, now=now)
    except ContractError as error:
        raise from_contract(error) from None


def answer(desk: Desk, case: Case, event: Event, body: JsonObject) -> Sent:
    """Check, seal and keep an answer; accepting what nobody has acknowledged sends both messages.

    `body` is that of the answer's message. Raises `DeskError`; nothing is queued then.
    """
    if case.side is not Side.RECEIVER:
        raise DeskError("not_receiver")
    now = desk.clock()
    register = register_with(desk, case.peer, now=now)
    check_ourselves(register, desk, now=now)
    if not register.can_receive(case.peer, now):
        raise DeskError("cannot_receive_yet", org=case.peer)
    read_answer(TYPES[event], body)
    with desk.store.writing() as rows:
        current = rows.case(case.row)
        steps = messages_for(current.state, event)
        if not steps:
            raise _cannot(current)
        try:
            for step in steps:
                _keep_answer(rows, desk, current, step, _body_for(step, event, body), now=now)
        except ContractError as error:
            raise from_contract(error) from None
        return Sent(refold(rows, current, now=now), tuple(TYPES[step] for step in steps))


def fresh_register(desk: Desk) -> Register:
    """Who is who as of today. Raises `DeskError("stale_mirror")` and `HardStop`."""
    try:
        desk.log.ensure_fresh(NEWS)
    except DirectoryUnreachable:
        raise DeskError("stale_mirror", hours=FRESH_FOR // 3600) from None
    return desk.log.register


def register_with(desk: Desk, to: OrgId, *, now: int) -> Register:
    """The same, after one more look where `to` seems unable to receive: it may have just joined."""
    register = fresh_register(desk)
    if register.can_receive(to, now):
        return register
    with contextlib.suppress(DirectoryUnreachable):
        desk.log.sync()
    return desk.log.register


def check_ourselves(register: Register, desk: Desk, *, now: int) -> None:
    """Whether this desk may sign today, so that a refusal comes here and not from the hub."""
    if register.organisation(desk.org) is None:
        raise DeskError("not_admitted")
    devices = register.usable_devices(desk.org, now)
    if all(device.key_id != desk.ring.device for device in devices):
        raise DeskError("device_not_in_force")


def check_recipient(
    register: Register, routes: RouteTable, *, ours: OrgId, to: OrgId, now: int
) -> None:
    """Whether a new referral may go there. Raises `DeskError` with the reason."""
    if to == ours:
        raise DeskError("ourselves", org=to)
    if register.organisation(to) is None:
        raise DeskError("unknown_organisation", org=to)
    countries = {"ours": country_of(ours), "theirs": country_of(to)}
    state = routes.state(country_of(ours), country_of(to))
    if state is RouteState.SUSPENDED:
        raise DeskError("route_suspended", **countries)
    if state is not RouteState.SIGNED:
        raise DeskError("no_route", **countries)
    if not register.can_receive(to, now):
        raise DeskError("cannot_receive_yet", org=to)


def with_service(body: JsonObject, service: str | None) -> JsonObject:
    """The body addressed to a service of the directory, where one was named."""
    return body if service is None else body | {"to": {"service_id": service}}


def read_request(body: JsonObject) -> ReferralRequested:
    """The typed request, or `DeskError("schema")` naming fields and rules, never a value."""
    found = read_answer("referral.requested", body)
    if not isinstance(found, ReferralRequested):
        raise DeskError("schema", problems="type")
    return found


def read_answer(message_type: str, body: JsonObject) -> Body:
    """The typed body of any message, checked as the other side will check it."""
    problems = problems_in_body(message_type, body)
    if problems:
        named = [f"{one.instance_path or '/'} ({one.keyword})" for one in problems[:MOST_PROBLEMS]]
        more = f" and {len(problems) - len(named)} more" if len(problems) > len(named) else ""
        raise DeskError("schema", problems=", ".join(named) + more)
    try:
        return read_body(message_type, body)
    except ContractError as error:
        raise from_contract(error) from None


def _keep_request(desk: Desk, request: ReferralRequested, *, to: OrgId, now: int) -> Sent:
    message = new_message(
        request, event_id=EventId(_hex()), referral_ref=Ref(_hex()), at=utc_text(now)
    )
    data = render_message(message)
    case = new_case(message, request, peer=to, own=True, now=now)
    # Never delivered after the consent has run out, however long the hub is away.
    exp = min(now + MAX_LIFETIME, unix_seconds(request.consent.expires_at))
    with desk.store.writing() as rows:
        rows.add_case(case)
        _keep_event(rows, desk, case, message, data, exp=exp, now=now)
    return Sent(case, (message.type,))


def _keep_answer(
    rows: Rows, desk: Desk, case: Case, event: Event, body: JsonObject, *, now: int
) -> None:
    message = new_message(
        read_answer(TYPES[event], body),
        event_id=EventId(_hex()),
        referral_ref=case.ref,
        at=utc_text(now),
        after=newest(rows.entries(case.row)),
    )
    data = render_message(message)
    _keep_event(rows, desk, case, message, data, exp=now + MAX_LIFETIME, now=now)
    refold(rows, rows.case(case.row), now=now)


def _keep_event(
    rows: Rows, desk: Desk, case: Case, message: Message, data: bytes, *, exp: int, now: int
) -> None:
    entry = Entry(
        row=new_row(),
        case_row=case.row,
        id=message.id,
        type=message.type,
        own=True,
        after=message.after,
        at=message.at,
        kept=now,
        sending=Sending.KEPT,
        place=Place.WAITING if message.after else Place.APPLIED,
    )
    rows.add_entry(entry, author=desk.org, message=data)
    outgoing = Outgoing(
        to=case.peer,
        message=data,
        exp=exp,
        urgency=case.urgency,
        case_row=case.row,
        entry_row=entry.row,
    )
    keep(rows, desk, outgoing, now=now)


def _body_for(step: Event, event: Event, body: JsonObject) -> JsonObject:
    """The acknowledgement that goes before an acceptance is by the role that accepts."""
    return body if step is event else {"by_role": body["focal_role"]}


def _cannot(case: Case) -> DeskError:
    allowed = [_VERBS[event] for event in allowed_answers(case.state)]
    return DeskError(
        "illegal_transition", state=case.state.value, allowed=", ".join(allowed) or "nothing"
    )


_VERBS: Mapping[Event, str] = {
    Event.ACKNOWLEDGED: "acknowledge",
    Event.ACCEPTED: "accept",
    Event.DECLINED: "decline",
}


def _org(text: str) -> OrgId:
    try:
        return parse_org_id(text)
    except ContractError:
        raise DeskError("not_an_organisation_id") from None


def _hex() -> str:
    return random(16).hex()
