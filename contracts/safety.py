"""The safety rules that are decisions, one function a rule, in the order in which people read them.

    for finding in check_request(request, receiver=..., ...):   # a new referral
        finding.weight, finding.code, SENTENCES[finding.code]
    check_said(body, by=side, request=request, ...)             # any further message of a case

Each function takes values and gives findings back, none where the rule is kept. A finding that
refuses is not for anybody to wave through: there is no override, only a basis of its own. A
finding that only marks is shown on both desks. Software cannot make consent informed, nor a copy
forgotten; it can keep somebody from doing by mistake what would harm the person.

Nothing here quotes what was written. Grounds: the Trafficking Protocol, articles 6 to 8; OHCHR's
Recommended Principles and Guidelines on Human Rights and Human Trafficking (2002), guidelines 1,
2, 4, 6 and 8; the Convention on the Rights of the Child, articles 1 and 3; the Refugee Convention,
article 33. Each function names its own.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from contracts.ages import Minority, minority
from contracts.bodies import (
    Basis,
    Body,
    Consent,
    ConsentUpdated,
    IdentityReleased,
    JourneyChanged,
    JourneyPlanned,
    ReferralRequested,
)
from contracts.codes import UNSAID
from contracts.consent import CLOCK_SKEW, Permission, check_consent, check_release
from contracts.country import LawProfile
from contracts.errors import Refused
from contracts.findings import Finding, Receiver, Rule, Weight, listed
from contracts.fold import SECOND_PERSON_WITHIN, Course, feedback_of
from contracts.identifiers import OrgId
from contracts.lifecycle import Side
from contracts.returning import no_return_by_default, purposes_of, wished
from contracts.sentences import SENTENCES
from contracts.telling import (
    WITH_GUARDIAN,
    feedback_covers,
    first_contact_is_opted_in,
    guardian_is_not_brought_in,
    identity_is_covered,
    journey_is_covered,
    journey_is_safe,
)
from contracts.times import unix_seconds

__all__ = [
    "SENTENCES",
    "Finding",
    "Receiver",
    "Rule",
    "Weight",
    "check_request",
    "check_said",
    "child_consent",
    "consent_is_specific",
    "consequence_card",
    "custody",
    "feedback_covers",
    "first_contact_is_opted_in",
    "guardian_is_not_brought_in",
    "identity_is_covered",
    "journey_is_covered",
    "journey_is_safe",
    "minors",
    "no_override",
    "no_return_by_default",
    "non_punishment",
    "one_person_only",
    "permission_holds",
    "permission_now",
    "receiver_is_safe",
    "update_is_specific",
]

# Kinds whose task is to prosecute or to judge.
PROSECUTING_KINDS: Final = frozenset({"enforcement", "court"})
INDEPENDENT: Final = frozenset({"lawyer", "advocate", "support_person"})


def check_request(
    request: ReferralRequested,
    *,
    receiver: Receiver,
    profiles: Collection[LawProfile],
    now: int,
) -> tuple[Finding, ...]:
    """Every rule on a request, for the sender before sealing. `now` is Unix seconds."""
    return (
        *consent_is_specific(request, recipient=receiver.org, now=now),
        *no_override(request.basis, now=now),
        *no_return_by_default(request, receiver=receiver),
        *receiver_is_safe(request, receiver=receiver),
        *custody(request),
        *minors(request, receiver=receiver, profiles=profiles),
        *child_consent(request, profiles=profiles),
        *guardian_is_not_brought_in(request, request=request),
        *consequence_card(request, receiver=receiver),
        *non_punishment(request, receiver=receiver),
        *one_person_only(request),
    )


def check_said(
    body: Body,
    *,
    by: Side,
    request: ReferralRequested,
    permission: Permission | None,
    course: Course,
    peer_kind: str,
    receiver: OrgId,
    now: int,
) -> tuple[Finding, ...]:
    """Every rule on a further message of a case, for its author before sealing.

    `permission` is what stands now (`permission_now`), `peer_kind` of `ORG_KINDS` the other
    organisation's, `receiver` the receiving side's id whoever speaks.
    """
    found = [*guardian_is_not_brought_in(body, request=request)]
    if by is Side.RECEIVER:
        found += feedback_covers(body, feedback=feedback_of(permission), to_kind=peer_kind)
        found += first_contact_is_opted_in(body, request=request, course=course)
    if isinstance(body, IdentityReleased) and permission is not None:
        found += identity_is_covered(body, request=request, permission=permission, course=course)
    if isinstance(body, JourneyPlanned | JourneyChanged):
        found += journey_is_covered(permission)
        found += journey_is_safe(body, request=request)
    if isinstance(body, IdentityReleased | JourneyPlanned | JourneyChanged):
        found += permission_holds(permission, recipient=receiver, now=now)
    if isinstance(body, ConsentUpdated):
        found += update_is_specific(
            body, before=permission, recipient=receiver, now=now, request=request
        )
    return tuple(found)


def consent_is_specific(
    request: ReferralRequested, *, recipient: OrgId, now: int
) -> Iterator[Finding]:
    """One release, for one organisation, of these fields, until a date.

    Consent to "sharing with partners" is none. OHCHR guideline 6; both sides ask, because a
    request to somebody whom the person did not name is a disclosure, whoever made the mistake.
    """
    try:
        check_consent(request, recipient=recipient, now=now)
    except Refused as refused:
        yield Finding(Rule.CONSENT, "consent", refused.field)


def update_is_specific(
    update: ConsentUpdated,
    *,
    before: Permission | None,
    recipient: OrgId,
    now: int,
    request: ReferralRequested | None = None,
) -> Iterator[Finding]:
    """A renewed consent is one again: for this organisation, in time, and newer than the last.

    It does not become one to a return for which the request records no wish: that is a new
    referral. Nor does somebody alone on shift gain a second day by saying so again.
    """
    permission = update.consent or update.basis
    try:
        if permission is None or None not in (update.consent, update.basis):
            raise Refused("consent", "consent")
        check_release(permission, fields=frozenset(), recipient=recipient, now=now)
    except Refused as refused:
        yield Finding(Rule.CONSENT, "consent", refused.field)
        return
    if _not_newer(permission, before):
        yield Finding(Rule.CONSENT, "consent", "version")
    if request is not None and "plan_return" in purposes_of(permission) and not wished(request):
        yield Finding(Rule.NO_RETURN_BY_DEFAULT, "return_without_own_wish", "own_wish")
    if _alone(permission) and _alone(before):
        yield Finding(Rule.NO_OVERRIDE, "second_person_missing", "second_person")
    else:
        yield from no_override(update.basis, now=now)


def permission_holds(
    permission: Permission | None, *, recipient: OrgId, now: int
) -> Iterator[Finding]:
    """What tells who somebody is goes on a right that stands now, for this receiver.

    The other side may have led the case and renewed the consent: for another organisation, it
    opens nothing to this one. A basis that nobody else has confirmed in a day is none any more.
    """
    try:
        if permission is None:
            raise Refused("consent", "consent")
        check_release(permission, fields=frozenset(), recipient=recipient, now=now)
    except Refused as refused:
        yield Finding(Rule.CONSENT, "consent", refused.field)
    if isinstance(permission, Basis):
        yield from no_override(permission, now=now)


def no_override(basis: Basis | None, *, now: int | None = None) -> Iterator[Finding]:
    """A legal duty or a vital interest is its own basis, with two persons' names to it as roles.

    Alone on shift there is a day for the second one; until then both desks show it open. After
    that day, if `now` is given, nothing new is told on it.
    """
    if basis is None or basis.second_person is not None:
        return
    over = now is not None and now > unix_seconds(basis.decided_at) + _ALONE_WITHIN
    if basis.alone_on_shift == "yes" and not over:
        yield Finding(Rule.NO_OVERRIDE, "second_person_open", "second_person", Weight.MARK)
    else:
        yield Finding(Rule.NO_OVERRIDE, "second_person_missing", "second_person")


def receiver_is_safe(request: ReferralRequested, *, receiver: Receiver) -> Iterator[Finding]:
    """Nothing goes to a mission or the police of a person who said: never contact these."""
    if _KIND_IS.get(receiver.kind, "") in listed(request.safety.do_not_contact):
        yield Finding(Rule.SAFE_CONTACT, "receiver_not_to_be_contacted", "do_not_contact")


def custody(request: ReferralRequested) -> Iterator[Finding]:
    """Consent of somebody who cannot leave is confirmed by somebody independent of the holder.

    Else both desks show that it was given in custody. Whoever is in detention is not free to
    leave, whatever is ticked. OHCHR guidelines 2.6 and 6.1: shelter is not detention, and care is
    not conditional on cooperation.
    """
    consent, beside = request.consent, request.representative
    held = request.where.now.setting == "detention"
    if consent is None or (consent.free_to_leave == "yes" and not held):
        return
    if beside is None or beside.kind not in INDEPENDENT:
        yield Finding(Rule.CUSTODY, "given_in_custody", "free_to_leave", Weight.MARK)


def minors(
    request: ReferralRequested, *, receiver: Receiver, profiles: Collection[LawProfile]
) -> Iterator[Finding]:
    """Whoever may be a child in either country is treated as one, and never under 18 as an adult.

    Convention on the Rights of the Child, articles 1 and 3; UNICEF's guidelines on child victims
    of trafficking (2006): presumption of age, a guardian, the best interest. The guardian is told
    nothing by this program: they may be the one who did harm.
    """
    kind = minority(request.person.age_band, profiles)
    if kind is Minority.ADULT:
        return
    if request.guardian is None or request.guardian.status == "not_asked":
        yield Finding(Rule.MINORS, "guardian_not_asked", "guardian")
    elif kind is Minority.CHILD and request.guardian.best_interest == "not_asked":
        yield Finding(Rule.MINORS, "best_interest_not_asked", "best_interest")
    if kind is Minority.CHILD and receiver.takes_children is not True:
        known = receiver.takes_children is False
        code = "does_not_take_children" if known else "children_not_known"
        yield Finding(Rule.MINORS, code, "to")


def child_consent(
    request: ReferralRequested, *, profiles: Collection[LawProfile]
) -> Iterator[Finding]:
    """A child's own consent is marked where a guardian could have given theirs with it.

    Not refused: whether a child of sixteen may consent alone differs by country and by service,
    and a refusal would press caseworkers to call a guardian. No guardian, or a suspected one:
    nothing is marked. A child who does not agree is referred on a legal basis or not at all
    (Convention on the Rights of the Child, article 12).
    """
    consent, guardian = request.consent, request.guardian
    if consent is None or minority(request.person.age_band, profiles) is not Minority.CHILD:
        return
    if guardian is not None and guardian.assent == "no":
        yield Finding(Rule.MINORS, "child_does_not_agree", "assent")
    without = guardian is not None and guardian.status in _NO_GUARDIAN_TO_ASK
    if consent.method != WITH_GUARDIAN and not without:
        yield Finding(Rule.MINORS, "child_consent_alone", "method", Weight.MARK)


def consequence_card(request: ReferralRequested, *, receiver: Receiver) -> Iterator[Finding]:
    """What follows from going there was read out, in the version that is published now.

    Where the service has published none, everything on the card is "not known: ask before
    going"; the caseworker is told to ask.
    """
    if receiver.card_version is None:
        yield Finding(Rule.CONSEQUENCE_CARD, "card_not_known", "card_version", Weight.ASK)
    elif request.consent is not None and request.consent.card_version != receiver.card_version:
        yield Finding(Rule.CONSEQUENCE_CARD, "card_not_read_out", "card_version")


def non_punishment(request: ReferralRequested, *, receiver: Receiver) -> Iterator[Finding]:
    """Police and courts need a consent of their own, given for legal help.

    OHCHR guideline 4.5: nobody is punished for what follows from having been trafficked; no
    field of any message holds an offence or a status of that kind. A legal duty or a danger may
    lead there without consent; that the person cannot be asked does not.
    """
    if receiver.kind not in PROSECUTING_KINDS:
        return
    if request.consent is not None and "legal_help" not in request.consent.purposes:
        yield Finding(Rule.NON_PUNISHMENT, "separate_consent_needed", "purposes")
    if request.basis is not None and request.basis.code == "cannot_consent":
        yield Finding(Rule.NON_PUNISHMENT, "separate_consent_needed", "code")


def one_person_only(request: ReferralRequested) -> Iterator[Finding]:
    """So many rare answers together that they may point to one person: the caseworker looks again.

    A count, not a measure: what is rare in a district no program here can know.
    """
    if sum(_tells(request, question) for question in _POINTING) >= _POINTING_TOGETHER:
        yield Finding(Rule.TWO_STEPS, "may_point_to_one_person", "person", Weight.ASK)


def permission_now(
    request: ReferralRequested, updates: Iterable[ConsentUpdated]
) -> Permission | None:
    """By what right things are told now: the latest of the request's and of those that applied."""
    permission: Permission | None = request.consent or request.basis
    for update in updates:
        permission = update.consent or update.basis or permission
    return permission


_NO_GUARDIAN_TO_ASK: Final = frozenset({"none", "suspected_in_harm"})
_ALONE_WITHIN: Final = SECOND_PERSON_WITHIN + CLOCK_SKEW
# By a receiver's kind: its word in `DO_NOT_CONTACT`.
_KIND_IS: Final = {"mission": "mission", "enforcement": "police"}
_POINTING_TOGETHER: Final = 6
_Question = Callable[[ReferralRequested], object]
_POINTING: Final[tuple[_Question, ...]] = (
    lambda r: r.where.now.region,
    lambda r: r.where.wants.region,
    lambda r: r.person.nationality,
    lambda r: r.person.gender,
    lambda r: r.person.dependants,
    lambda r: r.person.access_needs,
    lambda r: r.person.linked,
    lambda r: r.preferences and r.preferences.faith,
    lambda r: r.legal and r.legal.deadline,
    lambda r: r.concern and r.concern.decisions,
)
_NOTHING_TOLD: Final = frozenset(UNSAID) | {"none"}


def _tells(request: ReferralRequested, question: _Question) -> bool:
    answer = question(request)
    return bool(answer) and not (isinstance(answer, str) and answer in _NOTHING_TOLD)


def _not_newer(permission: Permission, before: Permission | None) -> bool:
    if not isinstance(permission, Consent) or not isinstance(before, Consent):
        return False
    return permission.id == before.id and permission.version <= before.version


def _alone(permission: Permission | None) -> bool:
    return isinstance(permission, Basis) and permission.second_person is None
