"""What messages say beside what the desk's forms ask, so that a page can show every word of them.

By message type; a member's name is its place in the body. Each object of a list is shown as one
line under the label of its first member; members with another label say it too. A member that is
in no table is newer than this program and is shown under its own name.

    MEMBERS["referral.status"]["status"].label
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from broker.desk.web.fields import ACCEPT, ACKNOWLEDGE, DECLINE, REQUEST, Field, Kind, all_fields
from broker.service.language import Text
from broker.service.language import lazy_gettext as _l


def _each(label: Text, *members: tuple[str, str]) -> tuple[Field, ...]:
    """The members of the objects of a list, each with its list of codes, "" for none."""
    return tuple(
        Field(name, label, Kind.ONE if codes else Kind.LINE, codes) for name, codes in members
    )


def _line(name: str, label: Text) -> Field:
    return Field(name, label, Kind.LINE)


def _when(name: str, label: Text) -> Field:
    return Field(name, label, Kind.MOMENT)


def _code(name: str, label: Text, codes: str) -> Field:
    return Field(name, label, table=codes)


_WHY: Final = _l("Why?")
_WHEN: Final = _l("When")
_BY_WHOM: Final = _l("By whom")
_SERVICE: Final = _l("Service")
_DELETE_AFTER: Final = Field("purge_after", _l("Delete after"), Kind.DAY)

_CONSENT: Final = (
    *(one for one in all_fields(REQUEST) if one.name.startswith("consent.")),
    _code("consent.onward_sharing", _l("May they pass it on?"), "yes_no"),
    Field("consent.card_version", _l("Consequence card read out")),
    _line("consent.version", _l("Version of the consent")),
)
_BASIS: Final = (
    _code("basis.ground", _l("Legal basis instead of consent"), "grounds"),
    _code("basis.code", _l("Reason of the legal basis"), "legal_bases"),
    _line("basis.recipients", _l("Recipient")),
    _code("basis.fields", _l("What is told on this basis"), "consent_fields"),
    _code("basis.decided_by", _l("Decided by"), "staff_roles"),
    _when("basis.decided_at", _l("Decided on")),
    _when("basis.expires_at", _l("Holds until")),
    _code("basis.second_person", _l("Second person"), "staff_roles"),
    _code("basis.alone_on_shift", _l("Alone on shift?"), "yes_no"),
)
_REQUESTED: Final = (
    *all_fields(REQUEST),
    _code("kind", _l("Asked for"), "kinds"),
    _line("to.service_id", _SERVICE),
    *_each(
        _l("Belongs to the referral"),
        ("person.linked.ref", ""),
        ("person.linked.tie", "ties"),
        ("person.linked.together", "together"),
    ),
    *_each(
        _l("Safe times"),
        ("safety.windows.zone", ""),
        ("safety.windows.days", "days"),
        ("safety.windows.from", ""),
        ("safety.windows.to", ""),
    ),
    *_each(
        _l("Decision"),
        ("concern.decisions.status", "decision_statuses"),
        ("concern.decisions.by", "org_kinds"),
    ),
    Field("concern.decisions.date", _l("Decision"), Kind.DAY),
    *_CONSENT,
    *_BASIS,
)
_IDENTITY: Final = (
    _line("name.full", _l("Full name")),
    _line("name.known_as", _l("Known as")),
    _line("name.script", _l("Script of the name")),
    Field("date_of_birth", _l("Date of birth"), Kind.DAY),
    _code("contact.mode", _l("May they contact the person?"), "contact_modes"),
    *_each(
        _l("Ways to reach the person"),
        ("contact.channels.kind", "channels"),
        ("contact.channels.value", ""),
    ),
    *_each(
        _l("Safe times"),
        ("contact.windows.zone", ""),
        ("contact.windows.days", "days"),
        ("contact.windows.from", ""),
        ("contact.windows.to", ""),
    ),
    _line("code_words.caller_says", _l("The caller says")),
    _line("code_words.person_answers", _l("The person answers")),
    *_each(
        _l("Never contact"), ("do_not_contact.role", "do_not_contact"), ("do_not_contact.name", "")
    ),
    *_each(
        _l("Documents"),
        ("documents.kind", "documents"),
        ("documents.number", ""),
    ),
    _code("documents.held_by", _l("Held by"), "document_holders"),
    _line("district.region", _l("State or division")),
    _line("district.text", _l("District")),
)
_JOURNEY: Final = (
    _line("leaving.place", _l("Leaving from")),
    _when("leaving.at", _l("Leaving at")),
    _line("leaving.zone", _l("Time zone there")),
    _line("arriving.place", _l("Arriving in")),
    _when("arriving.at", _l("Arriving at")),
    _line("arriving.zone", _l("Time zone of arrival")),
    _code("by", _l("Travelling by"), "carriers"),
    _line("carrier_ref", _l("Flight, bus or ship")),
    _code("with_whom", _l("Travelling with"), "companions"),
    _code("travel_document.kind", _l("Travel document"), "travel_documents"),
    _code("travel_document.held_by", _l("Who holds the travel document?"), "document_holders"),
    _code("exit_permission.needed", _l("Exit permission needed?"), "yes_no"),
    _code("exit_permission.had", _l("Exit permission given?"), "yes_no"),
    _code("paid_by", _l("Paid by"), "payers"),
    _code("health_concern", _l("Concern about health?"), "yes_no"),
    _code("self_harm_concern", _l("Concern about self-harm?"), "yes_no"),
    _code("met_by.role", _l("Met by"), "staff_roles"),
    _line("met_by.recognition_word", _l("Recognition word")),
    _code("if_nobody_there.call", _l("If nobody is there, call"), "staff_roles"),
    _line("if_nobody_there.text", _l("If nobody is there")),
    _code("family_told", _l("Has the family been told?"), "family_told"),
    _line("duty_numbers.referrer", _l("Duty number of the referring organisation")),
    _line("duty_numbers.receiver", _l("Duty number of the receiving organisation")),
)
_ARRIVAL: Final = (_when("at", _WHEN), _code("by_role", _BY_WHOM, "staff_roles"))

_TABLES: Final[Mapping[str, Iterable[Field]]] = {
    "referral.requested": _REQUESTED,
    "referral.acknowledged": (
        *all_fields(ACKNOWLEDGE),
        _when("decide_by", _l("They will decide by")),
    ),
    "referral.info_requested": (_code("questions", _l("Questions"), "questions"),),
    "referral.info_provided": _each(
        _l("Answers"), ("answers.question", "questions"), ("answers.answer", "answers")
    ),
    "referral.accepted": (
        *all_fields(ACCEPT),
        _line("own_case", _l("Their own number")),
        _when("first_contact.by", _l("First contact by")),
        _code("languages", _l("Languages they confirm"), "language"),
        _code("meeting_place.kind", _l("Meeting place"), "meeting_places"),
        _line("meeting_place.text", _l("More about the meeting place")),
        _when("meeting_place.at", _l("To meet at")),
        _line("meeting_place.zone", _l("Time zone there")),
    ),
    "identity.released": _IDENTITY,
    "referral.declined": (
        *all_fields(DECLINE),
        _line("alternatives", _l("Other services")),
        _when("retry_after", _l("Try again after")),
    ),
    "referral.status": (
        _code("status", _l("How the service goes"), "statuses"),
        Field("next_date", _l("Next date"), Kind.DAY),
    ),
    "journey.planned": _JOURNEY,
    "journey.changed": _JOURNEY,
    "journey.met": (
        *_ARRIVAL,
        _code("condition", _l("Condition on arrival"), "conditions_on_arrival"),
    ),
    "journey.not_met": (*_ARRIVAL, _code("tried", _l("What was tried"), "means_tried")),
    "lead.offered": (Field("first_contact_on", _l("First contact on"), Kind.DAY),),
    "lead.taken": (_code("role", _BY_WHOM, "staff_roles"),),
    "referral.outcome": (
        _code("outcome", _l("Outcome"), "outcomes"),
        _code("needs_met", _l("Needs that were met"), "services"),
        _code("follow_up_safe", _l("Is it safe to follow up?"), "yes_no"),
        _code("said_by_person.helped", _l("The person says: it helped"), "yes_no"),
        _code("said_by_person.felt_safe", _l("The person says: felt safe"), "yes_no"),
        _code("said_by_person.would_return", _l("The person says: would come again"), "yes_no"),
    ),
    "referral.closed": (_DELETE_AFTER,),
    "referral.cancelled": (_code("reason", _WHY, "cancel_reasons"), _DELETE_AFTER),
    "consent.updated": (*_CONSENT, *_BASIS),
    "consent.withdrawn": (
        _code("told_to", _l("Who was told?"), "staff_roles"),
        _when("told_at", _WHEN),
        _code("wish", _l("What the person wishes"), "withdrawal_wishes"),
        _code("passed_on", _l("Had it been passed on?"), "yes_no"),
    ),
    "erasure.requested": (
        _code("places", _l("What is to be erased"), "places"),
        _code("on_whose_wish", _l("On whose wish"), "on_whose_wish"),
    ),
    "erasure.confirmed": (
        *_each(
            _l("What became of it"),
            ("places.place", "places"),
            ("places.result", "erasure_results"),
            ("places.hold.ground", "hold_grounds"),
        ),
        Field("places.on", _l("What became of it"), Kind.DAY),
        Field("places.hold.until", _l("What became of it"), Kind.DAY),
    ),
    "contact.safety_alert": (
        _code("means", _l("Not safe"), "alert_means"),
        _code("reason", _WHY, "alert_reasons"),
        _when("since", _l("Since")),
        _code("instead", _l("Instead"), "contact_instead"),
    ),
    "message.problem": (
        _code("problem.code", _l("Problem"), "problem_codes"),
        _line("problem.field", _l("Field")),
        _line("about", _l("About the message")),
        _line("mid", _l("About the envelope")),
    ),
    "capacity.query": (
        _code("needs", _l("Asked for"), "services"),
        *_each(
            _l("How many"), ("headcount.count", ""), ("headcount.age_band", "age_bands"),
            ("headcount.gender", "genders"),
        ),
        Field("from_date", _l("From which day"), Kind.DAY),
        Field("until_date", _l("Until which day"), Kind.DAY),
        _code("country", _l("Country"), "country"),
        _line("region", _l("State or division")),
        _code("languages", _l("Languages"), "language"),
        _code("interpreter.language", _l("Language of the interpreter"), "language"),
        _line("interpreter.dialect", _l("Dialect")),
        _code("interpreter.gender", _l("Gender of the interpreter"), "interpreter_genders"),
        _code("interpreter.by", _l("How the interpreter is there"), "interpreted_by"),
    ),
    "capacity.reply": (
        _code("answer", _l("Answer"), "capacity_answers"),
        _when("valid_until", _l("Holds until")),
        _line("service_ids", _l("Services")),
        _line("of", _l("About the message")),
    ),
    "resend_request": (_line("ids", _l("Messages asked for again")),),
    "concern.reported": (
        _line("about_org", _l("About the organisation")),
        _line("service_id", _SERVICE),
        _code("kinds", _l("What is the concern?"), "concern_kinds"),
        _code("seen_by", _l("Who saw it?"), "seen_by"),
        _code("still_going_on", _l("Does it still go on?"), "yes_no"),
    ),
    "org.event": (
        _code("kind", _l("What happened"), "org_events"),
        _code("role", _BY_WHOM, "staff_roles"),
        _line("referral_ref", _l("Whole reference")),
        _line("peer", _l("With the organisation")),
        _line("to_device", _l("To the desk")),
        _line("of", _l("About the message")),
    ),
}  # fmt: skip

MEMBERS: Final[Mapping[str, Mapping[str, Field]]] = {
    message_type: {one.name: one for one in fields} for message_type, fields in _TABLES.items()
}
