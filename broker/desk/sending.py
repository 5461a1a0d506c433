"""Sending a referral: every reason to refuse comes before anything is kept.

    sent = send_referral(desk, to=org, body=body)

Only seals and keeps; `outbox.deliver` sends. The checks are the sender's half of what the hub and
the receiver check again: the hub cannot see a consent, and the receiver would have read what it
should not have been sent. Consent is never filled in by the program.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from nacl.utils import random

from broker.desk.errors import DeskError, from_contract, from_finding
from broker.desk.inbox import new_case
from broker.desk.outbox import Outgoing, keep, keep_unsealed
from broker.desk.peers import check_ourselves, check_recipient, parse_org, register_with
from broker.desk.receivers import receiver_of
from broker.desk.records import Case, Sending, new_entry
from broker.desk.store import Rows, new_row
from broker.desk.unlocking import Desk
from contracts.ages import Minority, minority
from contracts.bodies import Body, IdentityReleased, ReferralRequested
from contracts.country import LawProfile
from contracts.encoding import JsonObject
from contracts.envelope import MAX_LIFETIME
from contracts.errors import ContractError
from contracts.identifiers import EventId, OrgId, Ref, country_of
from contracts.messages import (
    Message,
    new_message,
    problems_in_body,
    read_body,
    render_message,
)
from contracts.safety import Finding, Weight, check_request
from contracts.texts import findings as findings_in_text
from contracts.times import utc_text
from countries.corridor import Corridor, Requirement, check, outstanding
from countries.law import law_profile

MOST_PROBLEMS = 5  # named in one sentence; a form shows them all


@dataclass(frozen=True, slots=True)
class Sent:
    """What was kept to be sent: the types of its messages, and the case as it stands now.

    `case` is None for a message apart from any. `remarks` are findings that refuse nothing: what
    both desks show, and what a caseworker is asked to look at again.
    """

    types: tuple[str, ...]
    case: Case | None = None
    remarks: tuple[Finding, ...] = ()


def send_referral(
    desk: Desk,
    *,
    to: str,
    body: JsonObject,
    service: str | None = None,
    identity: IdentityReleased | None = None,
    confirmed: Collection[str] = (),
) -> Sent:
    """Check, seal and keep a new referral. Raises `DeskError`; nothing is queued then.

    `body` is that of `referral.requested`; `service` fills in its `to`. `identity` is the draft
    of what is told after acceptance: no note may repeat a word of it. `confirmed` names what the
    two countries ask for and somebody has seen to (codes of `countries.requirements`).
    """
    recipient = parse_org(to)
    now = desk.clock()
    register = register_with(desk, recipient, now=now)
    check_ourselves(register, desk, now=now)
    check_recipient(register, desk.routes_in(register), ours=desk.org, to=recipient, now=now)
    request = read_request(with_service(body, service))
    found = findings(desk, request, to=recipient, identity=identity, now=now)
    refuse(found)
    refuse_unmet(corridor_of(desk, request, to=recipient, confirmed=confirmed))
    try:
        case = _keep_request(desk, request, to=recipient, now=now)
    except ContractError as error:
        raise from_contract(error) from None
    return Sent(("referral.requested",), case, found)


def findings(
    desk: Desk,
    request: ReferralRequested,
    *,
    to: OrgId,
    identity: IdentityReleased | None = None,
    now: int,
) -> tuple[Finding, ...]:
    """Every safety rule that is not kept by this request to this organisation."""
    profiles = profiles_of(request, ours=desk.org, theirs=to)
    child = minority(request.person.age_band, profiles) is Minority.CHILD
    receiver = receiver_of(desk, to, request.to.service_id, ask_listing=child)
    return (
        *check_request(request, receiver=receiver, profiles=profiles, now=now),
        *findings_in_text(request, identity=identity),
    )


def profiles_of(
    request: ReferralRequested, *, ours: OrgId, theirs: OrgId
) -> tuple[LawProfile, ...]:
    """The law of every country of this network that the referral touches."""
    countries = {country_of(ours), country_of(theirs)}
    countries |= {request.where.now.country, request.where.wants.country}
    return tuple(law_profile(country) for country in sorted(countries))


def refuse(found: tuple[Finding, ...]) -> None:
    """Raise the first finding that refuses, as a sentence."""
    for finding in found:
        if finding.weight is Weight.REFUSE:
            raise from_finding(finding)


def corridor_of(
    desk: Desk, request: ReferralRequested, *, to: OrgId, confirmed: Collection[str] = ()
) -> tuple[Requirement, ...]:
    """What the two countries ask for before this is sent, each with its source."""
    known = desk.log.register.organisation(to)
    corridor = Corridor.of(
        request,
        ours=country_of(desk.org),
        theirs=country_of(to),
        receiver_kind="" if known is None else known.kind,
    )
    routes = desk.routes_in(desk.log.register)
    return check(corridor, confirmed=confirmed, routes=routes)


def refuse_unmet(requirements: Collection[Requirement]) -> None:
    """Raise for what still stands in the way, by code and the role that sees to it."""
    unmet = outstanding(requirements)
    if unmet:
        named = ", ".join(f"{item.code} ({item.who.replace('_', ' ')})" for item in unmet)
        raise DeskError("corridor_unmet", unmet=named)


def with_service(body: JsonObject, service: str | None) -> JsonObject:
    """The body addressed to a service of the directory, where one was named."""
    return body if service is None else body | {"to": {"service_id": service}}


def read_request(body: JsonObject) -> ReferralRequested:
    """The typed request, or `DeskError("schema")` naming fields and rules, never a value."""
    found = read_typed("referral.requested", body)
    if not isinstance(found, ReferralRequested):
        raise DeskError("schema", problems="type")
    return found


def read_typed(message_type: str, body: JsonObject) -> Body:
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


def keep_in_case(
    rows: Rows,
    desk: Desk,
    case: Case,
    message: Message,
    *,
    exp: int,
    now: int,
    sealed: bool = True,
) -> None:
    """Keep an event of ours and the envelope that carries it; part of the caller's transaction.

    `sealed` False: nothing can be sealed today, the outbox does it as soon as it can.
    """
    data = render_message(message)
    entry = new_entry(
        message, row=new_row(), case_row=case.row, own=True, kept=now, sending=Sending.KEPT
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
    if sealed:
        keep(rows, desk, outgoing, now=now)
    else:
        keep_unsealed(rows, desk, outgoing, now=now)


def new_id() -> str:
    """128 random bits, in hexadecimal digits: an event, a referral."""
    return random(16).hex()


def _keep_request(desk: Desk, request: ReferralRequested, *, to: OrgId, now: int) -> Case:
    message = new_message(
        request, event_id=EventId(new_id()), referral_ref=Ref(new_id()), at=utc_text(now)
    )
    case = new_case(message, request, peer=to, own=True, now=now)
    # Never delivered after the consent has run out, however long the hub is away.
    exp = min(now + MAX_LIFETIME, case.until)
    with desk.store.writing() as rows:
        rows.add_case(case)
        keep_in_case(rows, desk, case, message, exp=exp, now=now)
    return case
