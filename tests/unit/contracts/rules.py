"""Requests and messages that keep every safety rule, and what one change to them must lead to.

    changed(PLAIN, {"consent.method": "written"})
    checked({"return_": None}), said(JOURNEY, {"safety.contact_mode": "none"})

Four tables: requests that break a rule and that come close to it, messages likewise. Whoever adds
a rule adds its rows here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

from contracts.bodies import (
    Basis,
    Body,
    Channel,
    Consent,
    ConsentUpdated,
    Contact,
    FirstContact,
    Guardian,
    IdentityReleased,
    JourneyPlanned,
    MeetingPlace,
    Name,
    ReferralAccepted,
    ReferralRequested,
    Representative,
    RiskAssessment,
)
from contracts.codes import (
    CONSENT_FIELDS,
    STATE_KINDS,
    Unsaid,
)
from contracts.country import LawProfile
from contracts.examples import example_body, example_request
from contracts.findings import Finding, Receiver, Weight
from contracts.fold import Course
from contracts.identifiers import OrgId
from contracts.lifecycle import Side, State
from contracts.messages import read_body
from contracts.safety import check_request, check_said, permission_now
from contracts.times import Day, utc_text

T = TypeVar("T")
Changes = dict[str, object]
DAY = 24 * 3600
NOW = 1_795_249_800
ORG = OrgId("bd-0123456789abcdef")
CARD = "2026-11"
MALAYSIA = LawProfile("my", majority=18)
BANGLADESH = LawProfile("bd", child_below=18, majority=18)
VIETNAM = LawProfile("vn", child_below=16, child_in_trafficking_below=18)
THAILAND = LawProfile("th", child_below=18, majority=20)
PROFILES = (MALAYSIA, BANGLADESH)
SHELTER = Receiver(ORG, "ngo", takes_children=True, card_version=CARD)


def changed(value: T, changes: Changes) -> T:
    """The value with members changed by their path, as in `{"consent.method": "written"}`."""
    return reduce(lambda done, change: _set(done, *change), changes.items(), value)


def _set(value: Any, path: str, new: object) -> Any:
    name, _, rest = path.partition(".")
    return replace(value, **{name: _set(getattr(value, name), rest, new) if rest else new})


def example(message_type: str) -> Any:
    return read_body(message_type, example_body(message_type))


PLAIN: ReferralRequested = changed(
    example_request(recipient=ORG, service_id="00000000-0000-5000-8000-000000000001", now=NOW),
    {
        "consent.card_version": CARD,
        "consent.fields": CONSENT_FIELDS,
        "consent.feedback": "outcome",
        "person.dependants": Unsaid.NOT_ASKED,
        "safety.contact_mode": "direct",
        "safety.channels": ("call",),
        "concern.decisions": (),
    },
)
assert PLAIN.consent is not None
CONSENT: Consent = PLAIN.consent
ALONE = Basis(
    ground="vital_interest",
    code="life_at_risk",
    recipients=(ORG,),
    fields=CONSENT_FIELDS,
    decided_by="duty_officer",
    decided_at=utc_text(NOW - 3600),
    expires_at=utc_text(NOW + DAY),
    alone_on_shift="yes",
)
TWO = replace(ALONE, second_person="coordinator", alone_on_shift="no")
ON_A_BASIS: Changes = {"consent": None, "basis": TWO, "needs": ("shelter",)}
CHILD: Changes = {
    "person.age_band": "12_15",
    "guardian": Guardian("none", assent="yes", best_interest="assessed"),
}
SUSPECTED: Changes = {
    "guardian": Guardian("suspected_in_harm", assent="yes", best_interest="assessed")
}
LAWYER = Representative("lawyer")
AFRAID: Changes = {"return_.fear_of": ("state",)}
CLAIMS: Changes = {"return_.protection_claim": "pending"}


def checked(
    changes: Changes = {},  # noqa: B006  # read only
    *,
    receiver: Receiver = SHELTER,
    profiles: tuple[LawProfile, ...] = PROFILES,
    now: int = NOW,
) -> tuple[Finding, ...]:
    return check_request(changed(PLAIN, changes), receiver=receiver, profiles=profiles, now=now)


def codes(found: tuple[Finding, ...]) -> set[str]:
    return {one.code for one in found}


def of(kind: str, country: str = "bd") -> Receiver:
    return replace(SHELTER, org=OrgId(f"{country}-0123456789abcdef"), kind=kind)


REFUSE, MARK, ASK = Weight.REFUSE, Weight.MARK, Weight.ASK
TO_POLICE: dict[str, Any] = {"receiver": of("enforcement")}
# (code, weight, what is changed in the request, what else)
REQUESTS: tuple[tuple[str, Weight, Changes, dict[str, Any]], ...] = (
    # Consent is specific, limited in time, one release per receiving organisation.
    ("consent", REFUSE, {"consent.recipients": (OrgId("bd-fedcba9876543210"),)}, {}),
    ("consent", REFUSE, {"consent.recipients": (ORG, ORG)}, {}),
    ("consent", REFUSE, {"consent.expires_at": utc_text(NOW)}, {}),
    ("consent", REFUSE, {}, {"now": NOW + 40 * DAY}),
    ("consent", REFUSE, {"consent.fields": ("where", "person", "safety", "needs")}, {}),
    ("consent", REFUSE, {"consent": None}, {}),
    ("consent", REFUSE, {"basis": TWO}, {}),
    # No override.
    ("second_person_open", MARK, ON_A_BASIS | {"basis": ALONE}, {}),
    ("second_person_missing", REFUSE,
     ON_A_BASIS | {"basis": replace(ALONE, alone_on_shift="no")}, {}),
    ("second_person_missing", REFUSE,
     ON_A_BASIS | {"basis": replace(ALONE, decided_at=utc_text(NOW - 2 * DAY))}, {}),
    # Two steps, and who may be found by the answers.
    ("may_point_to_one_person", ASK, {"person.dependants": "one", "preferences.faith": "sikh"}, {}),
    # No contact where the person said never.
    ("receiver_not_to_be_contacted", REFUSE, {"safety.do_not_contact": ("police",),
                                              "consent.purposes": ("legal_help",)}, TO_POLICE),
    ("receiver_not_to_be_contacted", REFUSE, {"safety.do_not_contact": ("mission",)},
     {"receiver": of("mission")}),
    # No return by default.
    ("return_without_own_wish", REFUSE, {"return_": None}, {}),
    ("return_without_own_wish", REFUSE, {"return_.own_wish": "undecided"}, {}),
    ("return_without_own_wish", REFUSE, {"return_.own_wish": Unsaid.NOT_ASKED}, {}),
    ("return_without_own_wish", REFUSE, {"return_.own_wish": "no", "needs": ("repatriation",),
                                         "consent.purposes": ("assess",)}, {}),
    ("return_without_own_wish", REFUSE, ON_A_BASIS | {"needs": ("repatriation",),
                                                      "return_": None}, {}),
    ("return_without_risk", REFUSE, {"return_.risk_assessment": None}, {}),
    ("wish_before_risk", REFUSE,
     {"return_.risk_assessment": RiskAssessment(Day(utc_text(NOW)[:10]), "caseworker"),
      "consent.obtained_at": utc_text(NOW - 2 * DAY)}, {}),
    ("return_on_a_basis", REFUSE, ON_A_BASIS | {"needs": ("repatriation",)}, {}),
    ("alternatives_not_explained", ASK, {"return_.alternatives_explained": "no"}, {}),
    ("feared_state", REFUSE, AFRAID, {"receiver": of("welfare")}),
    ("feared_state", REFUSE, CLAIMS, {"receiver": of("welfare")}),
    ("feared_state", REFUSE, CLAIMS, {"receiver": of("mission", "my")}),
    ("feared_state", REFUSE, AFRAID | {"where.wants.country": "my"},
     {"receiver": of("welfare", "my")}),
    ("feared_state", REFUSE, CLAIMS | {"person.nationality": Unsaid.NOT_ASKED},
     {"receiver": of("welfare", "th")}),
    ("feared_state", REFUSE, CLAIMS | {"person.nationality": "stateless"},
     {"receiver": of("welfare", "th")}),
    ("feared_state", REFUSE, AFRAID, {"receiver": of("")}),
    # Consent in custody.
    ("given_in_custody", MARK, {"consent.free_to_leave": "no"}, {}),
    ("given_in_custody", MARK, {"consent.free_to_leave": "unsure"}, {}),
    ("given_in_custody", MARK, {"where.now.setting": "detention"}, {}),
    ("given_in_custody", MARK, {"consent.free_to_leave": "no",
                                "representative": Representative("none")}, {}),
    ("given_in_custody", MARK, {"consent.free_to_leave": "no",
                                "representative": Representative(Unsaid.UNKNOWN)}, {}),
    # Minors.
    ("guardian_not_asked", REFUSE, CHILD | {"guardian": None}, {}),
    ("guardian_not_asked", REFUSE, CHILD | {"guardian": Guardian(Unsaid.NOT_ASKED)}, {}),
    ("guardian_not_asked", REFUSE, {"person.age_band": "believed_minor"}, {}),
    ("guardian_not_asked", REFUSE, {"person.age_band": "16_17"}, {"profiles": (VIETNAM,)}),
    ("guardian_not_asked", REFUSE, {"person.age_band": "16_17"}, {"profiles": ()}),
    ("guardian_not_asked", REFUSE, {"person.age_band": "18_19"},
     {"profiles": (MALAYSIA, THAILAND)}),
    ("best_interest_not_asked", REFUSE, CHILD | {"guardian": Guardian("none")}, {}),
    ("does_not_take_children", REFUSE, CHILD,
     {"receiver": replace(SHELTER, takes_children=False)}),
    ("children_not_known", REFUSE, CHILD, {"receiver": replace(SHELTER, takes_children=None)}),
    ("child_consent_alone", MARK, CHILD | {"guardian.status": "with_guardian"}, {}),
    ("child_consent_alone", MARK, CHILD | {"guardian.status": "appointed"}, {}),
    ("child_consent_alone", MARK, CHILD | {"guardian.status": Unsaid.UNKNOWN}, {}),
    ("child_does_not_agree", REFUSE, CHILD | {"guardian.assent": "no"}, {}),
    ("guardian_in_harm", REFUSE,
     CHILD | SUSPECTED | {"consent.method": "guardian_and_assent"}, {}),
    # The consequence card.
    ("card_not_known", ASK, {}, {"receiver": replace(SHELTER, card_version=None)}),
    ("card_not_read_out", REFUSE, {"consent.card_version": "2026-10"}, {}),
    ("card_not_read_out", REFUSE, {"consent.card_version": Unsaid.NOT_ASKED}, {}),
    # Non-punishment.
    ("separate_consent_needed", REFUSE, {}, TO_POLICE),
    ("separate_consent_needed", REFUSE, {}, {"receiver": of("court")}),
    ("separate_consent_needed", REFUSE,
     ON_A_BASIS | {"basis": replace(TWO, code="cannot_consent")}, TO_POLICE),
)  # fmt: skip


# What comes close to a refusal and must not be one.
KEPT: tuple[tuple[str, Changes, dict[str, Any]], ...] = (
    ("a legal duty needs no consent", ON_A_BASIS, {}),
    ("a danger may be told to the police", ON_A_BASIS, TO_POLICE),
    ("so may a court's order",
     ON_A_BASIS | {"basis": replace(TWO, ground="legal_duty", code="court_order")}, TO_POLICE),
    ("police with their own consent", {"consent.purposes": ("legal_help",)}, TO_POLICE),
    ("custody confirmed by a lawyer",
     {"consent.free_to_leave": "no", "representative": LAWYER}, {}),
    ("reintegration of somebody who is back",
     {"consent.purposes": ("assess",), "return_": None}, {}),
    ("assessed this morning, asked this evening, in Malaysia",
     {"consent.obtained_at": "2026-11-20T20:00:00Z",
      "return_.risk_assessment": RiskAssessment(Day("2026-11-21"), "caseworker")}, {}),
    ("fear of a recruiter", {"return_.fear_of": ("recruiter", "family")},
     {"receiver": of("welfare")}),
    ("a claim at the state that protects", CLAIMS | {"where.wants.country": "my"},
     {"receiver": of("welfare", "my")}),
    ("a claim, to a civil organisation", CLAIMS | AFRAID, {"receiver": of("igo")}),
    ("a claim refused long ago", {"return_.protection_claim": "none"},
     {"receiver": of("welfare")}),
    ("a child without a guardian", CHILD, {}),
    ("a child whose guardian is suspected, alone", CHILD | SUSPECTED, {}),
    ("a child and the guardian", CHILD | {"guardian.status": "with_guardian",
                                          "consent.method": "guardian_and_assent"}, {}),
    ("a child in danger who does not agree", CHILD | ON_A_BASIS | {"guardian.assent": "no"}, {}),
    ("who is of age in both countries", {"person.age_band": "18_19"}, {}),
    ("eighteen in Thailand, with a guardian's status",
     {"person.age_band": "18_19", "guardian": Guardian("none")},
     {"profiles": (THAILAND,), "receiver": replace(SHELTER, takes_children=None)}),
    ("a mission nobody warned of", {"safety.do_not_contact": ("police",)},
     {"receiver": of("mission")}),
    ("five answers that point to many", {"person.dependants": "one"}, {}),
    ("a card on a basis", ON_A_BASIS, {"receiver": replace(SHELTER, card_version="other")}),
)  # fmt: skip


# Further messages


IDENTITY: IdentityReleased = IdentityReleased(
    Name("Zq"), contact=Contact("direct", channels=(Channel("call", "000"),))
)
ACCEPTED: ReferralAccepted = example("referral.accepted")
JOURNEY: JourneyPlanned = example("journey.planned")
UPDATE = ConsentUpdated(consent=replace(CONSENT, version=2))
COURSE = Course(state=State.ACCEPTED, lead=Side.REFERRER, consent_until=NOW + DAY)
STOPPED = replace(COURSE, contact_stopped=True)
BY_RECEIVER: dict[str, Any] = {"by": Side.RECEIVER}


def said(body: Body, changes: Changes = {}, **more: Any) -> tuple[Finding, ...]:  # noqa: B006  # read only
    asked = changed(PLAIN, changes)
    plain: dict[str, Any] = {
        "by": Side.REFERRER,
        "request": asked,
        "permission": permission_now(asked, ()),
        "course": COURSE,
        "peer_kind": "ngo",
        "receiver": ORG,
        "now": NOW,
    }
    return check_said(body, **(plain | more))


def feedback(word: str) -> Changes:
    return {"consent.feedback": word}


def accepted(**changes: object) -> ReferralAccepted:
    return changed(ACCEPTED, changes)


ON_THE_BASIS: dict[str, Any] = {"permission": TWO}
# (code, weight, body, what is changed in the request, what else)
SAID: tuple[tuple[str, Weight, Body, Changes, dict[str, Any]], ...] = (
    ("feedback_not_covered", REFUSE, example("referral.status"), feedback("received"), BY_RECEIVER),
    ("feedback_not_covered", REFUSE, example("referral.status"), feedback("none"), BY_RECEIVER),
    ("feedback_not_covered", REFUSE, example("referral.outcome"), feedback("taken_up"),
     BY_RECEIVER),
    ("feedback_not_covered", REFUSE, example("referral.info_provided"), feedback("none"),
     BY_RECEIVER),
    ("feedback_not_covered", REFUSE, ACCEPTED, feedback("received"), BY_RECEIVER),
    ("feedback_not_covered", REFUSE, example("referral.status"), {}, BY_RECEIVER | ON_THE_BASIS),
    ("feedback_not_covered", REFUSE, example("referral.status"), {},
     BY_RECEIVER | {"permission": None}),
    *(
        ("place_to_state_body", REFUSE, ACCEPTED, {}, BY_RECEIVER | {"peer_kind": kind})
        for kind in (*sorted(STATE_KINDS), "")
    ),
    ("contact_not_opted_in", REFUSE, ACCEPTED, {"safety.contact_mode": "none"}, BY_RECEIVER),
    ("contact_not_opted_in", REFUSE, accepted(first_contact=FirstContact("direct")),
     {"safety.contact_mode": "via_referrer"}, BY_RECEIVER),
    ("contact_stopped", REFUSE, accepted(first_contact=FirstContact("direct")), {},
     BY_RECEIVER | {"course": STOPPED}),
    ("guardian_in_harm", REFUSE, accepted(conditions=("guardian_consent",)), SUSPECTED,
     BY_RECEIVER),
    ("identity_not_in_consent", REFUSE, IDENTITY, {"consent.fields": ("where",)}, {}),
    ("contact_stopped", REFUSE, IDENTITY, {}, {"course": STOPPED}),
    ("contact_not_opted_in", REFUSE, IDENTITY, {"safety.contact_mode": "none"}, {}),
    ("contact_not_opted_in", REFUSE, IDENTITY, {"safety.contact_mode": "via_referrer"}, {}),
    ("contact_not_opted_in", REFUSE, IDENTITY, {"safety.channels": ("email",)}, {}),
    ("contact_not_opted_in", REFUSE, IDENTITY, {"safety.channels": Unsaid.NOT_ASKED}, {}),
    ("journey_not_in_consent", REFUSE, JOURNEY, {"consent.fields": ("where", "identity")}, {}),
    ("journey_not_in_consent", REFUSE, JOURNEY, {}, {"permission": None}),
    ("journey_not_in_consent", REFUSE, example("journey.changed"), {},
     {"permission": replace(TWO, fields=("where",))} | BY_RECEIVER),
    ("guardian_in_harm", REFUSE, replace(JOURNEY, with_whom="guardian"), SUSPECTED, {}),
    ("journey_against_wish", ASK, replace(JOURNEY, paid_by="employer"), {}, {}),
    ("journey_against_wish", ASK, replace(JOURNEY, paid_by="mission"), AFRAID, {}),
    ("journey_against_wish", ASK, replace(JOURNEY, with_whom="official_escort"),
     {"safety.do_not_contact": ("police",)}, {}),
    ("journey_against_wish", ASK, replace(JOURNEY, family_told="yes_by_own_wish"), SUSPECTED, {}),
    ("consent", REFUSE, ConsentUpdated(consent=CONSENT), {}, {}),
    ("consent", REFUSE, ConsentUpdated(), {}, {}),
    ("consent", REFUSE, ConsentUpdated(consent=UPDATE.consent, basis=TWO), {}, {}),
    ("consent", REFUSE, UPDATE, {}, {"receiver": OrgId("bd-fedcba9876543210")}),
    ("consent", REFUSE, UPDATE, {}, {"now": NOW + 40 * DAY}),
    ("consent", REFUSE, changed(UPDATE, {"consent.obtained_at": utc_text(NOW + DAY)}), {}, {}),
    ("return_without_own_wish", REFUSE, UPDATE,
     {"return_": None, "consent.purposes": ("assess",)}, {}),
    ("guardian_in_harm", REFUSE, changed(UPDATE, {"consent.method": "guardian_and_assent"}),
     SUSPECTED, {}),
    ("second_person_open", MARK, ConsentUpdated(basis=ALONE), {}, {}),
    ("second_person_missing", REFUSE, ConsentUpdated(basis=ALONE), {}, {"permission": ALONE}),
    ("second_person_missing", REFUSE,
     ConsentUpdated(basis=replace(ALONE, decided_at=utc_text(NOW - 2 * DAY))), {}, {}),
)  # fmt: skip


MAY_SAY: tuple[tuple[str, Body, Changes, dict[str, Any]], ...] = (
    ("the decision, whatever the feedback",
     accepted(meeting_place=None), feedback("none"), BY_RECEIVER),
    ("a handover point to the police",
     accepted(meeting_place=MeetingPlace("public_handover_point")), {},
     BY_RECEIVER | {"peer_kind": "enforcement"}),
    ("the outcome as agreed", example("referral.outcome"), feedback("outcome"), BY_RECEIVER),
    ("how it goes, as agreed", example("referral.status"), feedback("taken_up"), BY_RECEIVER),
    ("a place as agreed", ACCEPTED, feedback("taken_up"), BY_RECEIVER),
    ("answers as agreed", example("referral.info_provided"), feedback("taken_up"), BY_RECEIVER),
    ("answers of the referrer", example("referral.info_provided"), feedback("none"), {}),
    ("the identity without a contact, after an alert", IdentityReleased(Name("Zq")), {},
     {"course": STOPPED}),
    ("the identity as opted in", IDENTITY, {}, {}),
    ("the identity on a basis that covers it", IDENTITY, {}, ON_THE_BASIS),
    ("contact through the referrer after an alert", ACCEPTED, {},
     BY_RECEIVER | {"course": STOPPED}),
    ("not before the identity", accepted(first_contact=FirstContact("not_before_identity")),
     {"safety.contact_mode": "none"}, BY_RECEIVER),
    ("a journey as consented", JOURNEY, {}, {}),
    ("a journey with a guardian nobody suspects",
     replace(JOURNEY, with_whom="guardian"), CHILD, {}),
    ("a newer consent", UPDATE, {}, {}),
    ("a second person's confirmation", ConsentUpdated(basis=TWO), {}, {"permission": ALONE}),
    ("a consent where there was a basis", ConsentUpdated(consent=CONSENT), {}, ON_THE_BASIS),
    ("that nobody was met, whatever the consent",
     example("journey.not_met"), feedback("none"), BY_RECEIVER | {"permission": None}),
    ("a withdrawal", example("consent.withdrawn"), SUSPECTED, {"permission": None}),
    ("a safety alert", example("contact.safety_alert"), feedback("none"), BY_RECEIVER),
)  # fmt: skip
