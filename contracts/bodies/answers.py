"""What a receiver answers to a request: seen, asked back, accepted, declined, under way."""

from dataclasses import dataclass

from contracts.bodies.parts import NOT_ASKED, MaybeDay, Note, Quiet
from contracts.times import Utc


@dataclass(frozen=True, slots=True, repr=False)
class ReferralAcknowledged(Quiet):
    """The first sign that a human has seen it."""

    by_role: str
    decide_by: Utc | None = None


@dataclass(frozen=True, slots=True, repr=False)
class InfoRequested(Quiet):
    """Coded questions, so that nobody has to write the story; the note is for the rest."""

    questions: tuple[str, ...]
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Told(Quiet):
    """One question's answer in a word; `attached_in_note` where a word is not enough."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True, repr=False)
class InfoProvided(Quiet):
    """The answers; "declined to say" is one and may not be held against the person."""

    answers: tuple[Told, ...]
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class FirstContact(Quiet):
    """How and by when the receiver will first be in contact."""

    mode: str
    by: Utc | None = None


@dataclass(frozen=True, slots=True, repr=False)
class MeetingPlace(Quiet):
    """Where to meet. What must not be written down is `told_by_phone`, without text."""

    kind: str
    text: str | None = None
    at: Utc | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ReferralAccepted(Quiet):
    """The receiver takes the person up, on these conditions."""

    focal_role: str
    own_case: str | None = None
    first_contact: FirstContact | None = None
    languages: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    meeting_place: MeetingPlace | None = None
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
class ReferralStatus(Quiet):
    """Where the service stands, and when something happens next."""

    status: str
    next_date: MaybeDay = NOT_ASKED
    note: Note | None = None
