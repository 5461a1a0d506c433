"""What a referrer asks, told in such a way that nobody can be found by it.

No field here holds a name, a contact or a place below a country's first level, and none is to be
added: these travel in a message of their own, after acceptance. Nor does any hold an offence or a
"status" in a country: a referral is not evidence.
"""

from dataclasses import dataclass, field

from contracts.bodies.parts import NOT_ASKED, Answer, Answers, MaybeDay, Note, Quiet, Window
from contracts.bodies.permission import Basis, Consent
from contracts.identifiers import Ref
from contracts.times import Day, Utc


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
class Safety(Quiet):
    """How, when and through whom contact is safe; whom never to contact, as roles only."""

    contact_mode: str
    channels: Answers = NOT_ASKED
    windows: tuple[Window, ...] = ()
    code_word_agreed: Answer = NOT_ASKED
    do_not_contact: Answers = NOT_ASKED
    danger_now: Answer = NOT_ASKED
    self_harm_concern: Answer = NOT_ASKED
    verified_on: MaybeDay = NOT_ASKED


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
    deadline: MaybeDay = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class Handling(Quiet):
    """How long to keep it, and what a reader should be warned of first."""

    purge_after: Day | None = None
    content_flags: Answers = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class ReferralRequested(Quiet):
    """A referrer asks one organisation to take a person up; by consent or, else, by a basis."""

    urgency: str
    to: Service
    where: Where
    person: Person
    safety: Safety
    needs: tuple[str, ...]
    consent: Consent | None = None
    basis: Basis | None = None
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
