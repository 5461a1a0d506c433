"""The code lists: every word that a message or a listing may use where free text would be a risk.

The lists are our own. Codes are stable, lower case and in English; labels in the ten languages
belong to whoever shows them. Trafficking (`tip`) and smuggling (`som`) are two codes and stay two.
The JSON Schemas repeat these lists, because a partner reads only the schemas; a test compares both.

`LISTS` names every list, for whoever labels or maps all of them. `Unsaid` may stand beside the
words of many lists and is in none but its own. Nothing but data is here, whence the length.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Unsaid(StrEnum):
    """The three ways in which a question can have no answer; an absent answer is `NOT_ASKED`."""

    NOT_ASKED = "not_asked"
    DECLINED_TO_SAY = "declined_to_say"
    UNKNOWN = "unknown"


SERVICES: Final = (
    "shelter",
    "transitional_housing",
    "repatriation",
    "reintegration",
    "legal_aid",
    "psychological_first_aid",
    "counselling",
    "emergency_medical",
    "sexual_reproductive_health",
    "documentation",
    "interpretation",
    "hotline",
    "family_tracing",
    "identification",
    "accompaniment",
    "livelihood",
    "education",
    "cash_food",
    "child_protection",
    "witness_court",
    "labour_complaint",
    "compensation",
    "debt_advice",
    "safe_migration_advice",
)
POPULATIONS: Final = (
    "women",
    "men",
    "girls",
    "boys",
    "trans_persons",
    "families",
    "unaccompanied_children",
    "persons_with_disabilities",
    "migrant_workers",
    "domestic_workers",
    "smuggled_migrants",
    "refugees_asylum_seekers",
    "seafarers_fishers",
)
ORG_KINDS: Final = (
    "ngo",
    "igo",
    "welfare",
    "health",
    "legal",
    "enforcement",
    "court",
    "mission",
    "union",
)
# Bodies through which a state hears of what they are told; a health or legal service may be one.
STATE_KINDS: Final = frozenset({"welfare", "enforcement", "court", "mission"})

YES_NO: Final = ("yes", "no")
KINDS: Final = ("service", "lead")
URGENCIES: Final = ("emergency_24h", "urgent_72h", "normal_14d")
STAFF_ROLES: Final = (
    "caseworker",
    "duty_officer",
    "shelter_worker",
    "hotline_worker",
    "health_worker",
    "counsellor",
    "legal_adviser",
    "labour_adviser",
    "child_protection_worker",
    "coordinator",
    "other",
)

SETTINGS: Final = (
    "shelter",
    "own_housing",
    "with_family",
    "with_exploiter",
    "detention",
    "hospital",
    "street",
    "in_transit",
    "elsewhere",
    "not_said",
)
WHEN_WANTED: Final = ("now", "within_days", "within_weeks", "within_months", "not_decided")

# The bands break at 16, 18 and 20, because the ages of childhood and of majority of the eight
# countries do (Vietnam's Law on Children: 16; Thailand's Civil and Commercial Code: 20).
AGE_BANDS: Final = (
    "0_11",
    "12_15",
    "16_17",
    "18_19",
    "20_24",
    "25_34",
    "35_49",
    "50_64",
    "65_plus",
    "believed_minor",
    "believed_adult",
)
MINOR_BASES: Final = ("document", "own_statement", "estimate", "assessment")
GENDERS: Final = ("woman", "man", "trans_woman", "trans_man", "non_binary")
INTERPRETER_GENDERS: Final = ("woman", "man", "no_preference")
ACCESS_NEEDS: Final = (
    "mobility",
    "vision",
    "hearing",
    "speech",
    "cognitive",
    "psychosocial",
    "pregnancy_or_infant",
    "medical_device",
)
DEPENDANTS: Final = ("none", "one", "two", "three_or_more")
TIES: Final = ("child", "parent", "partner", "sibling", "relative", "friend", "co_worker", "other")
TOGETHER: Final = ("keep_together", "must_be_apart", "either")

GUARDIAN_STATUSES: Final = (
    "with_guardian",
    "guardian_elsewhere",
    "appointed",
    "none",
    "suspected_in_harm",
)
BEST_INTEREST: Final = ("assessed", "determined", "in_progress", "not_begun")
REPRESENTATIVES: Final = ("none", "lawyer", "advocate", "support_person")

OWN_WISH: Final = ("yes", "no", "undecided")
FEARS: Final = ("state", "family", "recruiter", "community", "creditor", "none_said")
PROTECTION_CLAIMS: Final = ("none", "wishes", "pending", "recognised", "not_said")

CONTACT_MODES: Final = ("none", "via_referrer", "direct")
CHANNELS: Final = ("call", "text_message", "messenger", "email", "visit", "trusted_person")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DO_NOT_CONTACT: Final = (
    "partner_family",
    "recruiter",
    "employer",
    "mission",
    "police",
    "own_community",
    "other",
)
SUPPORT_WHEN: Final = ("before", "during", "after", "none_planned")

CONCERNS: Final = ("tip", "som", "both", "undetermined")
DECISION_STATUSES: Final = ("presumed", "recognised", "not_recognised", "pending")
CASEWORKER_GENDERS: Final = ("woman", "man", "no_preference")
FAITHS: Final = ("buddhist", "christian", "hindu", "muslim", "sikh", "taoist", "other", "none")
DIETS: Final = ("halal", "vegetarian", "vegan", "no_beef", "no_pork", "medical", "none")
POLICE_REPORTS: Final = ("none", "made", "declined")

# What a consent can cover. `where`, `person`, `safety` and `needs` are in every request; `identity`
# and `journey` are told in messages of their own, after acceptance, and only if they are listed.
CONSENT_FIELDS: Final = (
    "where",
    "person",
    "safety",
    "needs",
    "guardian",
    "representative",
    "return",
    "support_at_interview",
    "concern",
    "preferences",
    "legal",
    "note",
    "identity",
    "journey",
)
PURPOSES: Final = ("assess", "provide_service", "plan_safety", "plan_return", "legal_help")
FEEDBACK: Final = ("none", "received", "taken_up", "outcome")
CONSENT_METHODS: Final = ("verbal", "written", "signed_form", "guardian_and_assent")
FREE_TO_LEAVE: Final = ("yes", "no", "unsure")
CONTENT_FLAGS: Final = (
    "violence",
    "sexual_violence",
    "child",
    "self_harm",
    "death",
    "torture",
    "organ_removal",
)

FIRST_CONTACT_MODES: Final = ("via_referrer", "direct", "at_referrer", "not_before_identity")
CONDITIONS: Final = (
    "identity_needed",
    "documents_needed",
    "medical_check",
    "transport_by_referrer",
    "interpreter_by_referrer",
    "guardian_consent",
    "own_assessment",
)
DECLINE_REASONS: Final = (
    "no_capacity",
    "waitlist_only",
    "not_eligible",
    "out_of_area",
    "no_language",
    "no_gender_match",
    "cannot_take_minor",
    "unsafe_for_person",
    "conflict_of_interest",
    "person_declined",
    "not_reachable",
    "duplicate",
    "insufficient_info",
    "service_suspended",
    "other",
)
NEXT_STEPS: Final = (
    "try_alternative",
    "try_again_later",
    "send_more_information",
    "phone_us",
    "ask_coordinator",
    "stay_with_referrer",
)

RECEIPT_STATUSES: Final = ("stored", "rejected")
RECEIPT_CODES: Final = (
    "undecryptable",
    "not_for_me",
    "time",
    "contract_unknown",
    "schema",
    "version_unsupported",
    "consent",
    "duplicate_conflict",
)

# Where nobody could be asked, or a law leaves no choice: a ground of its own, never a ticked-off
# consent. `legal_duty`: a law orders it; `vital_interest`: a life or a body is in danger.
GROUNDS: Final = ("legal_duty", "vital_interest")
LEGAL_BASES: Final = (
    "child_at_risk",
    "life_at_risk",
    "serious_harm",
    "court_order",
    "statutory_report",
    "cannot_consent",
)

# What a receiver may ask before deciding: each can be answered in one word or in the note. None
# asks for a name, for what happened, or for a proof.
QUESTIONS: Final = (
    "where_now",
    "where_wanted",
    "when_wanted",
    "age_and_basis",
    "languages",
    "interpreter_needed",
    "access_needs",
    "medical_care_needed",
    "dependants",
    "linked_persons",
    "guardian_known",
    "guardian_suspected",
    "best_interest_assessed",
    "representative",
    "wishes_return",
    "fears_on_return",
    "risk_assessed",
    "protection_claim",
    "danger_now",
    "self_harm_concern",
    "safe_contact",
    "free_to_leave",
    "further_needs",
    "already_provided",
    "status_decision",
    "caseworker_gender",
    "police_report",
    "protection_order",
    "legal_deadline",
    "travel_document",
    "transport_arranged",
    "consent_scope",
)
ANSWERS: Final = ("yes", "no", "attached_in_note")

# `told_by_phone` is for a shelter and whatever else must not be written down: it has no text.
MEETING_PLACES: Final = (
    "public_handover_point",
    "airport",
    "seaport",
    "border_post",
    "station",
    "hospital",
    "court",
    "own_office",
    "partner_office",
    "told_by_phone",
)

DOCUMENTS: Final = (
    "passport",
    "national_id",
    "birth_certificate",
    "work_permit",
    "visa",
    "seafarer_book",
    "refugee_card",
    "consular_card",
    "other",
)
DOCUMENT_HOLDERS: Final = (
    "person",
    "referrer",
    "receiver",
    "family",
    "employer",
    "recruiter",
    "exploiter",
    "police",
    "immigration",
    "court",
    "mission",
    "lost",
    "never_had",
)

STATUSES: Final = ("waitlisted", "scheduled", "unattended", "started", "on_hold")

CARRIERS: Final = ("aeroplane", "bus", "car", "train", "ship", "ambulance", "on_foot", "other")
COMPANIONS: Final = (
    "alone",
    "referrer_staff",
    "receiver_staff",
    "igo_escort",
    "medical_escort",
    "guardian",
    "family_by_own_wish",
    "group",
    "official_escort",
)
TRAVEL_DOCUMENTS: Final = (
    "passport",
    "emergency_travel_document",
    "border_pass",
    "refugee_travel_document",
    "seafarer_book",
    "national_id",
    "none_needed",
    "not_yet",
)
PAYERS: Final = (
    "referrer",
    "receiver",
    "igo",
    "government",
    "mission",
    "employer",
    "family",
    "person",
    "not_settled",
)
FAMILY_TOLD: Final = ("no", "yes_by_own_wish")
CONDITIONS_ON_ARRIVAL: Final = (
    "well",
    "needs_rest",
    "needs_medical_care",
    "needs_psychological_support",
    "in_danger",
    "not_said",
)
MEANS_TRIED: Final = (
    "waited",
    "phoned_referrer",
    "phoned_escort",
    "asked_carrier",
    "asked_border_post",
    "asked_at_place",
    "agreed_contact",
    "none_safe",
)

OUTCOMES: Final = (
    "provided",
    "partly",
    "declined_by_person",
    "not_reachable_safely",
    "unattended",
    "ineligible_on_assessment",
    "onward_with_new_consent",
    "returned",
    "other",
)
CANCEL_REASONS: Final = (
    "needs_met_elsewhere",
    "person_declined",
    "consent_expired",
    "unsafe_to_continue",
    "moved_on",
    "duplicate",
    "entered_in_error",
    "other",
)

WITHDRAWAL_WISHES: Final = ("stop", "stop_and_erase")
PLACES: Final = ("desk", "case_system", "paper", "backups")
ON_WHOSE_WISH: Final = ("person", "guardian", "referrer", "law")
ERASURE_RESULTS: Final = ("erased", "held", "never_there")
HOLD_GROUNDS: Final = (
    "court_order",
    "ongoing_proceedings",
    "child_protection_duty",
    "audit_duty",
    "other_law",
)

ALERT_MEANS: Final = ("all", *CHANNELS)
ALERT_REASONS: Final = (
    "phone_taken",
    "being_watched",
    "with_exploiter",
    "number_changed",
    "partner_reads_messages",
    "not_said",
    "other",
)
CONTACT_INSTEAD: Final = ("none", "via_referrer", "via_receiver")

CAPACITY_ANSWERS: Final = ("capacity", "waitlist", "no_capacity", "needs_assessment")
INTERPRETED_BY: Final = ("phone", "in_person")

CONCERN_KINDS: Final = (
    "unsafe_place",
    "abuse_by_staff",
    "staff_linked_to_exploiters",
    "pressed_to_testify",
    "phone_or_papers_kept",
    "payment_asked",
    "not_free_to_leave",
    "wrong_listing",
    "data_shared",
    "other",
)
SEEN_BY: Final = ("own_staff", "person_told_us", "several_told_us", "other_organisation")

ORG_EVENTS: Final = ("claimed", "answered", "reassigned", "released")
# What one desk tells another about an event that it could not apply or answer.
PROBLEM_CODES: Final = (
    "schema",
    "version_unsupported",
    "consent",
    "duplicate_conflict",
    "illegal_transition",
    "wrong_author",
    "unknown_referral",
    "cause_missing",
    "no_longer_kept",
    "safety_rule",
    "consent_not_standing",
    "identity_not_released",
    "journey_not_planned",
    "lead_not_offered",
    "erasure_not_asked",
    "outcome_awaited",
)

UNSAID: Final = tuple(word.value for word in Unsaid)

# Every list under its constant's name in lower case: `LISTS["decline_reasons"]`.
LISTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        name.lower(): value
        for name, value in dict(globals()).items()
        if name.isupper() and isinstance(value, tuple)
    }
)
