"""What a message after the request may tell, and whom it may bring in: one function a rule.

News, a first contact, the identity, a journey. `safety.check_said` asks all of them; the table of
the lifecycle has said before whether the message has its place at all.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from contracts.bodies import (
    Body,
    ConsentUpdated,
    IdentityReleased,
    InfoProvided,
    JourneyChanged,
    JourneyPlanned,
    ReferralAccepted,
    ReferralOutcome,
    ReferralRequested,
    ReferralStatus,
)
from contracts.codes import FEEDBACK
from contracts.consent import Permission
from contracts.findings import Finding, Rule, Weight, listed, may_be_state
from contracts.fold import Course
from contracts.returning import fears_state

Journey: TypeAlias = JourneyPlanned | JourneyChanged

WITH_GUARDIAN: Final = "guardian_and_assent"  # of `CONSENT_METHODS`
_MODES: Final = ("none", "via_referrer", "direct")
# By a journey's answer: whom of `DO_NOT_CONTACT` it brings in.
_BRINGS_IN: Final = {
    "with_whom": {"family_by_own_wish": "partner_family", "official_escort": "police"},
    "paid_by": {"employer": "employer", "family": "partner_family", "mission": "mission"},
    "family_told": {"yes_by_own_wish": "partner_family"},
}


def feedback_covers(body: Body, *, feedback: str, to_kind: str) -> Iterator[Finding]:
    """News of the person goes back only as far as the person agreed to.

    An organisation's own decision (seen, accepted, declined) is no news of the person and always
    goes. How the service goes needs `taken_up`, and so do answers to the referrer's questions;
    what came of it needs `outcome`. A place is told under `taken_up` only, and to a state body, or
    one of unknown kind, never but a public point of handover, because a shelter whose address is
    known protects nobody.
    """
    if isinstance(body, InfoProvided) and not _covers(feedback, "taken_up"):
        yield Finding(Rule.FEEDBACK, "feedback_not_covered", "answers")
    if isinstance(body, ReferralStatus) and not _covers(feedback, "taken_up"):
        yield Finding(Rule.FEEDBACK, "feedback_not_covered", "status")
    if isinstance(body, ReferralOutcome) and not _covers(feedback, "outcome"):
        yield Finding(Rule.FEEDBACK, "feedback_not_covered", "outcome")
    if not isinstance(body, ReferralAccepted) or body.meeting_place is None:
        return
    if not _covers(feedback, "taken_up"):
        yield Finding(Rule.FEEDBACK, "feedback_not_covered", "meeting_place")
    elif may_be_state(to_kind) and body.meeting_place.kind != "public_handover_point":
        yield Finding(Rule.FEEDBACK, "place_to_state_body", "meeting_place")


def identity_is_covered(
    identity: IdentityReleased,
    *,
    request: ReferralRequested,
    permission: Permission,
    course: Course,
) -> Iterator[Finding]:
    """The second step of disclosure: within the consent, and no contact that was not opted in to.

    The lifecycle already demands acceptance. The default is no contact at all; a means of
    contact needs the person's word for that very means, and nobody has said since that it is
    not safe.
    """
    if "identity" not in permission.fields:
        yield Finding(Rule.TWO_STEPS, "identity_not_in_consent", "fields")
    if identity.contact is None or identity.contact.mode == "none":
        return
    if course.contact_stopped:
        yield Finding(Rule.SAFE_CONTACT, "contact_stopped", "contact")
    if not _opted_in(identity.contact.mode, request):
        yield Finding(Rule.SAFE_CONTACT, "contact_not_opted_in", "contact")
    if not {one.kind for one in identity.contact.channels} <= listed(request.safety.channels):
        yield Finding(Rule.SAFE_CONTACT, "contact_not_opted_in", "channels")


def first_contact_is_opted_in(
    body: Body, *, request: ReferralRequested, course: Course
) -> Iterator[Finding]:
    """The receiver plans no contact that the person did not open, and none after a warning."""
    if not isinstance(body, ReferralAccepted) or body.first_contact is None:
        return
    mode = body.first_contact.mode
    if mode == "direct" and course.contact_stopped:
        yield Finding(Rule.SAFE_CONTACT, "contact_stopped", "first_contact")
    if mode in _MODES and not _opted_in(mode, request):
        yield Finding(Rule.SAFE_CONTACT, "contact_not_opted_in", "first_contact")


def journey_is_covered(permission: Permission | None) -> Iterator[Finding]:
    """Where and when somebody travels is the most dangerous thing to tell: it has its own word."""
    if permission is None or "journey" not in permission.fields:
        yield Finding(Rule.CONSENT, "journey_not_in_consent", "fields")


def journey_is_safe(plan: Journey, *, request: ReferralRequested) -> Iterator[Finding]:
    """Nobody pays for, escorts or is told of a journey whom the person must be kept from.

    Asked and not refused: wishes change, and the request's list cannot be changed with them. Only
    a guardian suspected of harm is refused, see `guardian_is_not_brought_in`.
    """
    avoided = listed(request.safety.do_not_contact)
    if fears_state(request):
        avoided |= {"mission", "police"}
    if guardian_suspected(request):
        avoided |= {"partner_family"}
    for field, brings_in in _BRINGS_IN.items():
        if brings_in.get(getattr(plan, field), "") in avoided:
            yield Finding(Rule.SAFE_CONTACT, "journey_against_wish", field, Weight.ASK)


def guardian_is_not_brought_in(body: Body, *, request: ReferralRequested) -> Iterator[Finding]:
    """A guardian suspected of harm neither consents nor escorts, and is not asked to.

    Committee on the Rights of the Child, general comment 6 (2005), on guardians: none whose
    interests conflict with the child's.
    """
    if not guardian_suspected(request):
        return
    if isinstance(body, ReferralRequested | ConsentUpdated):
        if body.consent is not None and body.consent.method == WITH_GUARDIAN:
            yield Finding(Rule.MINORS, "guardian_in_harm", "method")
    elif isinstance(body, ReferralAccepted) and "guardian_consent" in body.conditions:
        yield Finding(Rule.MINORS, "guardian_in_harm", "conditions")
    elif isinstance(body, JourneyPlanned | JourneyChanged) and body.with_whom == "guardian":
        yield Finding(Rule.MINORS, "guardian_in_harm", "with_whom")


def guardian_suspected(request: ReferralRequested) -> bool:
    """Whether the guardian is suspected of having done harm."""
    return request.guardian is not None and request.guardian.status == "suspected_in_harm"


def _covers(feedback: str, wanted: str) -> bool:
    """An unknown word, or none, covers nothing."""
    return feedback in FEEDBACK and FEEDBACK.index(feedback) >= FEEDBACK.index(wanted)


def _opted_in(mode: str, request: ReferralRequested) -> bool:
    return _MODES.index(mode) <= _MODES.index(request.safety.contact_mode)
