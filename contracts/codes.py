"""The code lists: every word that a message or a listing may use where free text would be a risk.

The lists are our own. Codes are stable, lower case and in English; labels in the ten languages
belong to whoever shows them. Trafficking (`tip`) and smuggling (`som`) are two codes and stay two.
The JSON Schemas repeat these lists, because a partner reads only the schemas; a test compares both.
"""

from enum import StrEnum
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

# What of a request its consent can cover; `where`, `person`, `safety` and `needs` are in every one.
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
