"""What a reader sees for a code: one table for each code list of the agreement.

    label("urgency", "urgent_72h")      choices("setting")

A code that a newer partner sends is shown as it is. Names of countries and languages come from
CLDR, not from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker.desk.records import Place, Sending
from broker.service.language import Text, current_language
from broker.service.language import lazy_gettext as _l
from contracts.lifecycle import Event, State
from countries.names import country_name, language_name
from countries.packs import COUNTRIES, load_packs

# Where people are trafficked to and from, besides the network's own countries.
_MORE_COUNTRIES: Final = (
    "ae", "af", "au", "bh", "bn", "gb", "hk", "in", "iq", "ir", "jo", "jp", "kh", "kr", "kw",
    "la", "lb", "mm", "mo", "mv", "np", "om", "ph", "qa", "sa", "sg", "tl", "tr", "tw", "us",
)  # fmt: skip
# Languages of people who come through these countries and are not in their packs.
_MORE_LANGUAGES: Final = (
    "ara", "eng", "fas", "fil", "guj", "hin", "hmn", "jav", "khm", "lao", "mad", "mya", "nep",
    "pan", "pus", "rhg", "snd", "sun", "tam", "tel", "tet", "uig", "urd", "yue", "zho",
)  # fmt: skip


def label(table: str, code: str) -> str:
    """A code of a table as a reader of this page sees it."""
    if table == "country":
        return country_name(code, current_language())
    if table == "language":
        return language_name(code, current_language())
    known = TABLES[table].get(code) or TABLES["unsaid"].get(code)
    return code.replace("_", " ") if known is None else str(known)


def choices(table: str) -> tuple[tuple[str, str], ...]:
    """Codes and labels in the order in which they are offered."""
    if table == "country":
        more = _by_label("country", set(_MORE_COUNTRIES) - set(COUNTRIES))
        return _by_label("country", set(COUNTRIES)) + more
    if table == "nationality":
        return (("stateless", label("nationality", "stateless")), *choices("country"))
    if table == "language":
        packs = load_packs().values()
        spoken = {one.value.iso639_3 for pack in packs for one in pack.languages}
        return _by_label("language", spoken | set(_MORE_LANGUAGES))
    return tuple((code, str(text)) for code, text in TABLES[table].items())


def _by_label(table: str, codes: set[str]) -> tuple[tuple[str, str], ...]:
    labelled = ((code, label(table, code)) for code in codes)
    return tuple(sorted(labelled, key=lambda pair: pair[1].casefold()))


TABLES: Final[Mapping[str, Mapping[str, Text]]] = {
    "unsaid": {
        "not_asked": _l("Not asked"),
        "declined_to_say": _l("Did not want to say"),
        "unknown": _l("Not known"),
    },
    "yes_no": {"yes": _l("Yes"), "no": _l("No")},
    "nationality": {"stateless": _l("Stateless")},
    "kind": {"service": _l("A service"), "lead": _l("Taking over the lead")},
    "service": {
        "shelter": _l("Shelter"),
        "transitional_housing": _l("Transitional housing"),
        "repatriation": _l("Repatriation"),
        "reintegration": _l("Reintegration"),
        "legal_aid": _l("Legal aid"),
        "psychological_first_aid": _l("Psychological first aid"),
        "counselling": _l("Counselling"),
        "emergency_medical": _l("Emergency medical care"),
        "sexual_reproductive_health": _l("Sexual and reproductive health"),
        "documentation": _l("Documents and permits"),
        "interpretation": _l("Interpretation"),
        "hotline": _l("Hotline"),
        "family_tracing": _l("Family tracing"),
        "identification": _l("Identification of survivors"),
        "accompaniment": _l("Accompaniment"),
        "livelihood": _l("Livelihood"),
        "education": _l("Education"),
        "cash_food": _l("Cash and food"),
        "child_protection": _l("Child protection"),
        "witness_court": _l("Witness protection and court support"),
        "labour_complaint": _l("Labour complaint and wage recovery"),
        "compensation": _l("Compensation"),
        "debt_advice": _l("Debt advice"),
        "safe_migration_advice": _l("Safe-migration advice"),
    },
    "org_kind": {
        "ngo": _l("Civil society organisation"),
        "igo": _l("International organisation"),
        "welfare": _l("Welfare department"),
        "health": _l("Health service"),
        "legal": _l("Legal aid body"),
        "enforcement": _l("Police or other enforcement"),
        "court": _l("Court"),
        "mission": _l("Embassy or consulate"),
        "union": _l("Trade union"),
    },
    "urgency": {
        "emergency_24h": _l("Emergency: help within 24 hours"),
        "urgent_72h": _l("Urgent: help within 72 hours"),
        "normal_14d": _l("Normal: help within 14 days"),
    },
    "role": {
        "caseworker": _l("Caseworker"),
        "duty_officer": _l("Duty officer"),
        "shelter_worker": _l("Shelter worker"),
        "hotline_worker": _l("Hotline worker"),
        "health_worker": _l("Health worker"),
        "counsellor": _l("Counsellor"),
        "legal_adviser": _l("Legal adviser"),
        "labour_adviser": _l("Labour adviser"),
        "child_protection_worker": _l("Child protection worker"),
        "coordinator": _l("Coordinator"),
        "other": _l("Somebody else of the staff"),
    },
    "setting": {
        "shelter": _l("In a shelter"),
        "own_housing": _l("In their own housing"),
        "with_family": _l("With family"),
        "with_exploiter": _l("With the exploiter"),
        "detention": _l("In detention"),
        "hospital": _l("In hospital"),
        "street": _l("On the street"),
        "in_transit": _l("On the way"),
        "elsewhere": _l("Elsewhere"),
        "not_said": _l("Not said"),
    },
    "about_when": {
        "now": _l("Now"),
        "within_days": _l("Within days"),
        "within_weeks": _l("Within weeks"),
        "within_months": _l("Within months"),
        "not_decided": _l("Not decided"),
    },
    "age_band": {
        "0_11": _l("0 to 11"),
        "12_15": _l("12 to 15"),
        "16_17": _l("16 or 17"),
        "18_19": _l("18 or 19"),
        "20_24": _l("20 to 24"),
        "25_34": _l("25 to 34"),
        "35_49": _l("35 to 49"),
        "50_64": _l("50 to 64"),
        "65_plus": _l("65 or older"),
        "believed_minor": _l("Age not known, believed to be a minor"),
        "believed_adult": _l("Age not known, believed to be an adult"),
    },
    "minor_basis": {
        "document": _l("A document"),
        "own_statement": _l("Their own statement"),
        "estimate": _l("An estimate"),
        "assessment": _l("An age assessment"),
    },
    "gender": {
        "woman": _l("Woman or girl"),
        "man": _l("Man or boy"),
        "trans_woman": _l("Trans woman"),
        "trans_man": _l("Trans man"),
        "non_binary": _l("Non-binary"),
    },
    "worker_gender": {
        "woman": _l("A woman"),
        "man": _l("A man"),
        "no_preference": _l("No preference"),
    },
    "access_needs": {
        "mobility": _l("Moving"),
        "vision": _l("Seeing"),
        "hearing": _l("Hearing"),
        "speech": _l("Speaking"),
        "cognitive": _l("Understanding or remembering"),
        "psychosocial": _l("Mental health"),
        "pregnancy_or_infant": _l("Pregnant or with an infant"),
        "medical_device": _l("Needs a medical device"),
    },
    "dependants": {
        "none": _l("None"),
        "one": _l("One"),
        "two": _l("Two"),
        "three_or_more": _l("Three or more"),
    },
    "guardian_status": {
        "with_guardian": _l("With a guardian"),
        "guardian_elsewhere": _l("Guardian is elsewhere"),
        "appointed": _l("A guardian was appointed"),
        "none": _l("No guardian"),
        "suspected_in_harm": _l("The guardian may have done harm"),
    },
    "best_interest": {
        "assessed": _l("Assessed"),
        "determined": _l("Determined"),
        "in_progress": _l("In progress"),
        "not_begun": _l("Not begun"),
    },
    "representative": {
        "none": _l("Nobody"),
        "lawyer": _l("A lawyer"),
        "advocate": _l("An advocate"),
        "support_person": _l("A support person"),
    },
    "own_wish": {"yes": _l("Yes"), "no": _l("No"), "undecided": _l("Undecided")},
    "fear_of": {
        "state": _l("The state"),
        "family": _l("Family"),
        "recruiter": _l("Recruiter"),
        "community": _l("Community"),
        "creditor": _l("Creditor"),
        "none_said": _l("Said to fear nobody"),
    },
    "protection_claim": {
        "none": _l("None"),
        "wishes": _l("Wishes to claim"),
        "pending": _l("Pending"),
        "recognised": _l("Recognised"),
        "not_said": _l("Not said"),
    },
    "contact_mode": {
        "none": _l("No contact"),
        "via_referrer": _l("Through the referring organisation only"),
        "direct": _l("Directly, as agreed"),
    },
    "channels": {
        "call": _l("Phone call"),
        "text_message": _l("Text message"),
        "messenger": _l("Messenger"),
        "email": _l("E-mail"),
        "visit": _l("Visit"),
        "trusted_person": _l("Through a trusted person"),
    },
    "do_not_contact": {
        "partner_family": _l("Partner or family"),
        "recruiter": _l("Recruiter"),
        "employer": _l("Employer"),
        "mission": _l("Embassy or consulate"),
        "police": _l("Police"),
        "own_community": _l("Own community"),
        "other": _l("Others"),
    },
    "support_when": {
        "before": _l("Before"),
        "during": _l("During"),
        "after": _l("After"),
        "none_planned": _l("No interview is planned"),
    },
    "concern": {
        "tip": _l("Trafficking in persons"),
        "som": _l("Smuggling of migrants"),
        "both": _l("Both trafficking and smuggling"),
        "undetermined": _l("Not yet determined"),
    },
    "decision_status": {
        "presumed": _l("Presumed"),
        "recognised": _l("Recognised"),
        "not_recognised": _l("Not recognised"),
        "pending": _l("Pending"),
    },
    "faith": {
        "buddhist": _l("Buddhist"),
        "christian": _l("Christian"),
        "hindu": _l("Hindu"),
        "muslim": _l("Muslim"),
        "sikh": _l("Sikh"),
        "taoist": _l("Taoist"),
        "other": _l("Another faith"),
        "none": _l("No faith"),
    },
    "diet": {
        "halal": _l("Halal"),
        "vegetarian": _l("Vegetarian"),
        "vegan": _l("Vegan"),
        "no_beef": _l("No beef"),
        "no_pork": _l("No pork"),
        "medical": _l("For medical reasons"),
        "none": _l("No special diet"),
    },
    "police_report": {
        "none": _l("No report was made"),
        "made": _l("A report was made"),
        "declined": _l("Does not want to report"),
    },
    "consent_fields": {
        "where": _l("Where they are and where they want to be"),
        "person": _l("About the person: age band, languages and the like"),
        "safety": _l("How to keep them safe, and contact"),
        "needs": _l("What they need"),
        "guardian": _l("About the guardian"),
        "representative": _l("About a lawyer or support person"),
        "return": _l("About returning"),
        "support_at_interview": _l("Support at interviews"),
        "concern": _l("Trafficking or smuggling"),
        "preferences": _l("Preferences such as faith and diet"),
        "legal": _l("Police report, protection order, deadlines"),
        "note": _l("The free note"),
    },
    "purposes": {
        "assess": _l("To assess whether they can help"),
        "provide_service": _l("To provide the service"),
        "plan_safety": _l("To plan for safety"),
        "plan_return": _l("To plan a return"),
        "legal_help": _l("To give legal help"),
    },
    "feedback": {
        "none": _l("Nothing"),
        "received": _l("That the referral arrived"),
        "taken_up": _l("Whether they take the case up"),
        "outcome": _l("How it ended"),
    },
    "method": {
        "verbal": _l("Spoken"),
        "written": _l("In writing"),
        "signed_form": _l("On a signed form"),
        "guardian_and_assent": _l("By the guardian, with the child's assent"),
    },
    "free_to_leave": {"yes": _l("Yes"), "no": _l("No"), "unsure": _l("Not sure")},
    "onward_sharing": {"no": _l("No: they may not pass it on")},
    "content_flags": {
        "violence": _l("Violence"),
        "sexual_violence": _l("Sexual violence"),
        "child": _l("A child"),
        "self_harm": _l("Self-harm"),
        "death": _l("Death"),
        "torture": _l("Torture"),
        "organ_removal": _l("Removal of organs"),
    },
    "tie": {
        "child": _l("Child"),
        "parent": _l("Parent"),
        "partner": _l("Partner"),
        "sibling": _l("Sibling"),
        "relative": _l("Relative"),
        "friend": _l("Friend"),
        "co_worker": _l("Co-worker"),
        "other": _l("Others"),
    },
    "together": {
        "keep_together": _l("Keep together"),
        "must_be_apart": _l("Must be apart"),
        "either": _l("Either is fine"),
    },
    "days": {
        "mon": _l("Monday"),
        "tue": _l("Tuesday"),
        "wed": _l("Wednesday"),
        "thu": _l("Thursday"),
        "fri": _l("Friday"),
        "sat": _l("Saturday"),
        "sun": _l("Sunday"),
    },
    "first_contact": {
        "via_referrer": _l("Through you"),
        "direct": _l("Directly, as agreed"),
        "at_referrer": _l("At your place"),
        "not_before_identity": _l("Only after we know who it is"),
    },
    "conditions": {
        "identity_needed": _l("We need to know who it is"),
        "documents_needed": _l("We need documents"),
        "medical_check": _l("A medical check first"),
        "transport_by_referrer": _l("You arrange transport"),
        "interpreter_by_referrer": _l("You arrange an interpreter"),
        "guardian_consent": _l("The guardian must consent"),
        "own_assessment": _l("We assess ourselves first"),
    },
    "reason": {
        "no_capacity": _l("No place free"),
        "waitlist_only": _l("Waiting list only"),
        "not_eligible": _l("Not whom this service is for"),
        "out_of_area": _l("Outside our area"),
        "no_language": _l("We do not speak the language"),
        "no_gender_match": _l("Nobody of the gender asked for"),
        "cannot_take_minor": _l("We cannot take minors"),
        "unsafe_for_person": _l("Not safe for the person here"),
        "conflict_of_interest": _l("Conflict of interest"),
        "person_declined": _l("The person does not want it"),
        "not_reachable": _l("The person cannot be reached"),
        "duplicate": _l("Already referred"),
        "insufficient_info": _l("Too little information"),
        "service_suspended": _l("The service is suspended"),
        "other": _l("Another reason, in the note"),
    },
    "next_step": {
        "try_alternative": _l("Try another service"),
        "try_again_later": _l("Try again later"),
        "send_more_information": _l("Send more information"),
        "phone_us": _l("Phone us"),
        "ask_coordinator": _l("Ask the coordinator"),
        "stay_with_referrer": _l("Stay with you for now"),
    },
    "state": {
        State.DRAFT: _l("kept here, not yet sent"),
        State.SENT: _l("sent, not yet on their desk"),
        State.DELIVERED: _l("delivered, not yet read by anybody we know of"),
        State.ACKNOWLEDGED: _l("seen by a person"),
        State.ACCEPTED: _l("accepted"),
        State.DECLINED: _l("declined"),
        State.EXPIRED: _l("not delivered in time"),
        State.FAILED: _l("did not arrive"),
    },
    # The same, to the organisation that receives.
    "state_here": {
        State.DELIVERED: _l("new: nobody here has acknowledged it"),
        State.ACKNOWLEDGED: _l("acknowledged by us"),
        State.ACCEPTED: _l("accepted by us"),
        State.DECLINED: _l("declined by us"),
        State.EXPIRED: _l("not delivered in time"),
    },
    "sending": {
        Sending.KEPT: _l("Kept here, not yet sent."),
        Sending.ACCEPTED: _l("The hub has signed for it; it is not on their desk yet."),
        Sending.STORED: _l("Stored on their desk; that does not mean that somebody has read it."),
        Sending.FAILED: _l("It did not arrive."),
        Sending.EXPIRED: _l("It was not delivered in time."),
        Sending.SUPERSEDED: _l("It was sealed again and sent anew."),
        Sending.RECEIVED: _l("Received."),
    },
    "place": {
        Place.APPLIED: _l("It counts."),
        Place.WAITING: _l("It waits for an earlier message that has not arrived."),
        Place.VOID: _l("It has no effect: it did not fit where the case stood."),
    },
    "message": {
        "referral.requested": _l("Referral"),
        "referral.acknowledged": _l("Acknowledgement: a person has seen it"),
        "referral.accepted": _l("Acceptance"),
        "referral.declined": _l("Decline"),
    },
    "answer": {
        Event.ACKNOWLEDGED: _l("Acknowledge"),
        Event.ACCEPTED: _l("Accept"),
        Event.DECLINED: _l("Decline"),
    },
    "outstanding": {
        "not_sent": _l("Kept here and not yet accepted by the hub."),
        "not_stored": _l("Sent, but their desk has not confirmed it. Phone them."),
        "answer_us": _l("It waits for your answer."),
        "answer_them": _l("They have not answered in time. Phone them."),
        "failed": _l("It did not arrive."),
    },
}
