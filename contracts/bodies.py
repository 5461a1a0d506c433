"""What people tell each other in a referral, as frozen types, one for each object of the schemas.

The schemas decide what is legal; this file only gives it names. It prints nothing: the repr of
every body is its type's name, because bodies are plaintext and objects end in logs and tracebacks.
A field that a person did not answer holds an `Unsaid`; `NOT_ASKED` is what an absent member means.
No field holds a name, a contact or a place below a country's first level, and none is to be added:
these travel in a message of their own, after acceptance.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from contracts.codes import Unsaid
from contracts.identifiers import Ref
from contracts.times import Day, Utc

Answer: TypeAlias = str  # a code of the list that the schema names, or one of `Unsaid`
Answers: TypeAlias = tuple[str, ...] | Unsaid

NOT_ASKED: Final = Unsaid.NOT_ASKED


class Quiet:
    """Shows its type and nothing else, in repr, str and format alike."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True, repr=False)
class Note(Quiet):
    """Free text with its language (ISO 639-3), at most 4,000 characters."""

    text: str
    language: str


@dataclass(frozen=True, slots=True, repr=False)
class Caller(Quiet):
    """Who of the referrer's staff asks, and whom to call back, as roles."""

    role: str
    callback: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Service(Quiet):
    """The directory's id of the service asked for."""

    service_id: str


@dataclass(frozen=True, slots=True, repr=False)
class WhereNow(Quiet):
    """Where the person is: country (ISO 3166-1), first-level division (ISO 3166-2), setting."""

    country: str
    setting: str
    region: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class WhereWanted(Quiet):
    """Where the person wants the service, and roughly when."""

    country: str
    region: Answer = NOT_ASKED
    about_when: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Where(Quiet):
    """Now, and wanted."""

    now: WhereNow
    wants: WhereWanted


@dataclass(frozen=True, slots=True, repr=False)
class Interpreter(Quiet):
    """Whether and whom; somebody of the same community can be a danger."""

    needed: Answer = NOT_ASKED
    language: Answer = NOT_ASKED
    gender: Answer = NOT_ASKED
    not_own_community: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Linked(Quiet):
    """Another referral whose person should or must not be in the same place."""

    ref: Ref
    tie: Answer
    together: Answer


@dataclass(frozen=True, slots=True, repr=False)
class Person(Quiet):
    """What a receiver needs in order to decide, and nothing by which a person is found."""

    age_band: str
    languages: tuple[str, ...]
    minor_basis: Answer = NOT_ASKED
    gender: Answer = NOT_ASKED
    interpreter: Interpreter = field(default_factory=Interpreter)
    access_needs: Answers = NOT_ASKED
    dependants: Answer = NOT_ASKED
    nationality: Answer = NOT_ASKED
    linked: tuple[Linked, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Guardian(Quiet):
    """A minor's guardian, who may be the one who did harm."""

    status: Answer
    assent: Answer = NOT_ASKED
    best_interest: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Representative(Quiet):
    """Who stands beside the person, and what they may do."""

    kind: Answer
    may_speak: Answer = NOT_ASKED
    may_be_told: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class RiskAssessment(Quiet):
    """When it was made, and by which role."""

    date: Day
    role: str


@dataclass(frozen=True, slots=True, repr=False)
class Return(Quiet):
    """The wish to go back, which no receiver may assume."""

    own_wish: Answer
    alternatives_explained: Answer = NOT_ASKED
    fear_of: Answers = NOT_ASKED
    protection_claim: Answer = NOT_ASKED
    risk_assessment: RiskAssessment | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Window(Quiet):
    """When contact is safe, in local time of an IANA zone."""

    zone: str
    days: tuple[str, ...]
    from_: str
    to: str


@dataclass(frozen=True, slots=True, repr=False)
class Safety(Quiet):
    """How, when and through whom contact is safe; whom never to contact, as roles only."""

    contact_mode: str
    channels: Answers = NOT_ASKED
    windows: tuple[Window, ...] = ()
    code_word_agreed: Answer = NOT_ASKED
    do_not_contact: Answers = NOT_ASKED
    danger_now: Answer = NOT_ASKED
    self_harm_concern: Answer = NOT_ASKED
    verified_on: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class SupportAtInterview(Quiet):
    """Psychological first aid round the interviews."""

    when: Answer


@dataclass(frozen=True, slots=True, repr=False)
class Decision(Quiet):
    """What a body of some kind decided about the person's status, and when."""

    status: str
    by: str
    date: Day


@dataclass(frozen=True, slots=True, repr=False)
class Concern(Quiet):
    """Trafficking, smuggling, both or not known: the referrer's view, not evidence."""

    about: Answer
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Preferences(Quiet):
    """What makes a place bearable."""

    caseworker_gender: Answer = NOT_ASKED
    faith: Answer = NOT_ASKED
    diet: Answers = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Legal(Quiet):
    """What has been begun and when it must be answered; no offence has a field."""

    police_report: Answer = NOT_ASKED
    protection_order: Answer = NOT_ASKED
    deadline: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Consent(Quiet):
    """One release, for exactly one receiving organisation, until a date."""

    id: str
    version: int
    recipients: tuple[str, ...]
    fields: tuple[str, ...]
    purposes: tuple[str, ...]
    method: str
    language: str
    obtained_by: str
    obtained_at: Utc
    expires_at: Utc
    free_to_leave: str
    onward_sharing: bool
    feedback: str = "received"
    card_version: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Handling(Quiet):
    """How long to keep it, and what a reader should be warned of first."""

    purge_after: Day | None = None
    content_flags: Answers = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class ReferralRequested(Quiet):
    """A referrer asks one organisation to take a person up."""

    urgency: str
    to: Service
    where: Where
    person: Person
    safety: Safety
    needs: tuple[str, ...]
    consent: Consent
    kind: str = "service"
    reply_by: Utc | None = None
    from_: Caller | None = None
    guardian: Guardian | None = None
    representative: Representative | None = None
    return_: Return | None = None
    already_provided: Answers = NOT_ASKED
    support_at_interview: SupportAtInterview | None = None
    concern: Concern | None = None
    preferences: Preferences | None = None
    legal: Legal | None = None
    handling: Handling | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ReferralAcknowledged(Quiet):
    """The first sign that a human has seen it."""

    by_role: str
    decide_by: Utc | None = None


@dataclass(frozen=True, slots=True, repr=False)
class FirstContact(Quiet):
    """How and by when the receiver will first be in contact."""

    mode: str
    by: Utc | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ReferralAccepted(Quiet):
    """The receiver takes the person up, on these conditions."""

    focal_role: str
    own_case: str | None = None
    first_contact: FirstContact | None = None
    languages: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ReferralDeclined(Quiet):
    """The receiver cannot, and says what next; `other` needs the note."""

    reason: str
    next_step: str
    alternatives: tuple[str, ...] = ()
    retry_after: Utc | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Receipt(Quiet):
    """What a recipient's device says of one envelope; `code` only when rejected."""

    of_eid: str
    status: str
    at: Utc
    code: str | None = None
    v: str = "1.0"


Body: TypeAlias = ReferralRequested | ReferralAcknowledged | ReferralAccepted | ReferralDeclined
