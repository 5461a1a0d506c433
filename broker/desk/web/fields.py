"""What the desk's forms ask: tables of fields, read by the forms and by what shows a message.

A field's name is its place in the message's body, so that a broken rule of the schema finds its
input, and a received message finds its words. The tables know labels and kinds of input; what is
legal is the schema's business. What no form asks is in `members`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.service.language import Text
from broker.service.language import lazy_gettext as _l


class Kind(StrEnum):
    """How a field is asked. Each of `ONE`, `MANY` and `FEW` names a list of codes."""

    ONE = "one"  # one of a list
    MANY = "many"  # any of a list
    FEW = "few"  # up to three of a long list, in order
    TICK = "tick"  # said or not said
    LINE = "line"
    LINES = "lines"  # free text
    DAY = "day"
    UNTIL = "until"  # a day whose end is meant, as a time
    MOMENT = "moment"


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `unsaid`: it may also be answered by saying why there is no answer."""

    name: str
    label: Text
    kind: Kind = Kind.ONE
    table: str = ""
    required: bool = False
    unsaid: bool = False
    hint: Text | None = None

    @property
    def pointer(self) -> str:
        """Its JSON Pointer in the body."""
        return "/" + self.name.replace(".", "/")

    @property
    def id(self) -> str:
        """Its id on a page."""
        return "field-" + self.name.replace(".", "-").replace("_", "-")


@dataclass(frozen=True, slots=True)
class Section:
    """Questions that belong together; an optional section is folded."""

    title: Text
    fields: tuple[Field, ...]
    optional: bool = False


def _optional(name: str, label: Text, table: str, hint: Text | None = None) -> Field:
    return Field(name, label, table=table, unsaid=True, hint=hint)


_NOTE: Final = (
    Field(
        "note.text",
        _l("Note"),
        Kind.LINES,
        hint=_l("No names, no phone numbers, no addresses. At most 4,000 characters."),
    ),
    Field("note.language", _l("Language of the note"), table="language"),
)

COMPULSORY: Final = (
    Section(
        _l("What is asked for"),
        (
            Field("urgency", _l("How urgent is it?"), table="urgencies", required=True),
            Field("needs", _l("What does the person need?"), Kind.MANY, "services", required=True),
        ),
    ),
    Section(
        _l("Where"),
        (
            Field("where.now.country", _l("Country now"), table="country", required=True),
            Field("where.now.setting", _l("Where there?"), table="settings", required=True),
            Field("where.wants.country", _l("Country wanted"), table="country", required=True),
        ),
    ),
    Section(
        _l("The person"),
        (
            Field("person.age_band", _l("Age"), table="age_bands", required=True),
            Field(
                "person.languages",
                _l("Languages the person speaks, best first"),
                Kind.FEW,
                "language",
                required=True,
            ),
        ),
    ),
    Section(
        _l("Contact"),
        (
            Field(
                "safety.contact_mode",
                _l("May they contact the person?"),
                table="contact_modes",
                required=True,
                hint=_l("No contact, unless the person has agreed to it."),
            ),
        ),
    ),
)

CONSENT: Final = Section(
    _l("Consent"),
    (
        Field("consent.recipients", _l("Recipient"), Kind.TICK, required=True),
        Field(
            "consent.fields",
            _l("What may this organisation be told?"),
            Kind.MANY,
            "consent_fields",
            required=True,
            hint=_l("Tick everything that this referral tells; ask about each."),
        ),
        Field("consent.purposes", _l("What for?"), Kind.MANY, "purposes", required=True),
        Field(
            "consent.feedback",
            _l("What may they tell us back?"),
            table="feedback",
            hint=_l("Without a choice: that the referral arrived."),
        ),
        Field(
            "consent.method", _l("How was consent given?"), table="consent_methods",
            required=True,
        ),
        Field(
            "consent.language", _l("In which language was it asked?"), table="language",
            required=True,
        ),
        Field("consent.obtained_by", _l("Who asked?"), table="staff_roles", required=True),
        Field("consent.obtained_at", _l("When was it given?"), Kind.MOMENT, required=True),
        Field(
            "consent.expires_at",
            _l("Until which day does it hold?"),
            Kind.UNTIL,
            required=True,
            hint=_l("To the end of that day."),
        ),
        Field(
            "consent.free_to_leave",
            _l("Was the person free to leave when it was asked?"),
            table="free_to_leave",
            required=True,
        ),
    ),
)  # fmt: skip

OPTIONAL: Final = (
    Section(
        _l("More about the request"),
        (
            Field("reply_by", _l("Please answer by"), Kind.MOMENT),
            Field("from.role", _l("Who of us asks?"), table="staff_roles"),
            _optional("from.callback", _l("Whom should they call back?"), "staff_roles"),
            Field(
                "where.now.region",
                _l("State or division now"),
                Kind.LINE,
                hint=_l("Its ISO 3166-2 code, such as MY-14. Nothing below it."),
            ),
            Field(
                "where.wants.region",
                _l("State or division wanted"),
                Kind.LINE,
                hint=_l("Its ISO 3166-2 code, such as BD-C. Nothing below it."),
            ),
            _optional("where.wants.about_when", _l("About when?"), "when_wanted"),
            Field("already_provided", _l("What has been provided?"), Kind.MANY, "services"),
            _optional("support_at_interview.when", _l("Support at interviews"), "support_when"),
        ),
        optional=True,
    ),
    Section(
        _l("More about the person"),
        (
            _optional("person.minor_basis", _l("How is the age known?"), "minor_bases"),
            _optional("person.gender", _l("Gender"), "genders"),
            _optional("person.nationality", _l("Nationality"), "nationality"),
            _optional("person.dependants", _l("Dependants who come along"), "dependants"),
            Field("person.access_needs", _l("Needs help with"), Kind.MANY, "access_needs"),
            _optional("person.interpreter.needed", _l("Interpreter needed?"), "yes_no"),
            _optional("person.interpreter.language", _l("Language of the interpreter"), "language"),
            _optional(
                "person.interpreter.gender", _l("Gender of the interpreter"), "interpreter_genders"
            ),
            _optional(
                "person.interpreter.not_own_community",
                _l("Interpreter not from their own community?"),
                "yes_no",
            ),
        ),
        optional=True,
    ),
    Section(
        _l("Safety"),
        (
            _optional("safety.danger_now", _l("In danger now?"), "yes_no"),
            _optional("safety.self_harm_concern", _l("Concern about self-harm?"), "yes_no"),
            Field("safety.do_not_contact", _l("Never contact"), Kind.MANY, "do_not_contact"),
            Field(
                "safety.channels",
                _l("Ways the person has agreed to"),
                Kind.MANY,
                "channels",
                hint=_l("Only where direct contact is agreed."),
            ),
            _optional("safety.code_word_agreed", _l("Code word agreed?"), "yes_no"),
            Field("safety.verified_on", _l("Last checked on"), Kind.DAY),
        ),
        optional=True,
    ),
    Section(
        _l("Guardian or representative"),
        (
            _optional("guardian.status", _l("Guardian of a minor"), "guardian_statuses"),
            _optional("guardian.assent", _l("Does the child agree?"), "yes_no"),
            _optional("guardian.best_interest", _l("Best interest"), "best_interest"),
            _optional(
                "representative.kind", _l("Who stands beside the person?"), "representatives"
            ),
            _optional("representative.may_speak", _l("May speak for the person?"), "yes_no"),
            _optional("representative.may_be_told", _l("May be told about the case?"), "yes_no"),
        ),
        optional=True,
    ),
    Section(
        _l("Return"),
        (
            _optional("return.own_wish", _l("Does the person wish to return?"), "own_wish"),
            _optional(
                "return.alternatives_explained", _l("Were alternatives explained?"), "yes_no"
            ),
            Field("return.fear_of", _l("Fears"), Kind.MANY, "fears"),
            _optional("return.protection_claim", _l("Claim to protection"), "protection_claims"),
            Field("return.risk_assessment.date", _l("Risk assessed on"), Kind.DAY),
            Field("return.risk_assessment.role", _l("Risk assessed by"), table="staff_roles"),
        ),
        optional=True,
    ),
    Section(
        _l("Trafficking or smuggling, preferences, legal"),
        (
            _optional(
                "concern.about",
                _l("What is the concern?"),
                "concerns",
                hint=_l("Your view; it is no evidence and no decision."),
            ),
            _optional(
                "preferences.caseworker_gender",
                _l("Gender of the caseworker"),
                "caseworker_genders",
            ),
            _optional("preferences.faith", _l("Faith"), "faiths"),
            Field("preferences.diet", _l("Diet"), Kind.MANY, "diets"),
            _optional("legal.police_report", _l("Police report"), "police_reports"),
            _optional("legal.protection_order", _l("Protection order?"), "yes_no"),
            Field("legal.deadline", _l("Deadline"), Kind.DAY),
        ),
        optional=True,
    ),
    Section(
        _l("Note and handling"),
        (
            *_NOTE,
            Field("handling.content_flags", _l("Warn the reader of"), Kind.MANY, "content_flags"),
            Field("handling.purge_after", _l("Delete after"), Kind.DAY),
        ),
        optional=True,
    ),
)

REQUEST: Final = (*COMPULSORY, *OPTIONAL, CONSENT)

ACKNOWLEDGE: Final = (
    Section(
        _l("Acknowledge"),
        (Field("by_role", _l("Who of us has seen it?"), table="staff_roles", required=True),),
    ),
)
ACCEPT: Final = (
    Section(
        _l("Accept"),
        (
            Field(
                "focal_role", _l("Who of us is responsible?"), table="staff_roles", required=True
            ),
            Field("first_contact.mode", _l("First contact"), table="first_contact_modes"),
            Field("conditions", _l("Conditions"), Kind.MANY, "conditions"),
        ),
    ),
)
DECLINE: Final = (
    Section(
        _l("Decline"),
        (
            Field("reason", _l("Why?"), table="decline_reasons", required=True),
            Field("next_step", _l("What can they do now?"), table="next_steps", required=True),
            *_NOTE,
        ),
    ),
)


def all_fields(sections: tuple[Section, ...]) -> tuple[Field, ...]:
    """The fields of sections, in order."""
    return tuple(field for section in sections for field in section.fields)
