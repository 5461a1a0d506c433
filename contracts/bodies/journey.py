"""A journey from one organisation's care into another's, so that nobody arrives to nobody."""

from dataclasses import dataclass

from contracts.bodies.parts import NOT_ASKED, Answer, Note, Quiet
from contracts.times import Utc


@dataclass(frozen=True, slots=True, repr=False)
class Stop(Quiet):
    """A place and a time, with the IANA zone in which people there read it."""

    place: str
    at: Utc
    zone: str


@dataclass(frozen=True, slots=True, repr=False)
class TravelDocument(Quiet):
    """What the person travels on, and in whose hands it is."""

    kind: Answer
    held_by: Answer


@dataclass(frozen=True, slots=True, repr=False)
class ExitPermission(Quiet):
    """Whether leaving the country needs leave, and whether it was given."""

    needed: Answer
    had: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class MetBy(Quiet):
    """Who waits, as a role, and the word by which the person knows them."""

    role: str
    recognition_word: str


@dataclass(frozen=True, slots=True, repr=False)
class IfNobodyThere(Quiet):
    """Whom the person calls, as a role, and what else they do."""

    call: str
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class DutyNumbers(Quiet):
    """The telephones of both duty desks: never of the person."""

    referrer: str
    receiver: str


@dataclass(frozen=True, slots=True, repr=False)
class _Journey(Quiet):
    leaving: Stop
    arriving: Stop
    by: str
    with_whom: str
    travel_document: TravelDocument
    exit_permission: ExitPermission
    paid_by: Answer
    met_by: MetBy
    if_nobody_there: IfNobodyThere
    family_told: str
    carrier_ref: str | None = None
    health_concern: Answer = NOT_ASKED
    self_harm_concern: Answer = NOT_ASKED
    duty_numbers: DutyNumbers | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class JourneyPlanned(_Journey):
    """Everything that the receiver needs in order to be there."""


@dataclass(frozen=True, slots=True, repr=False)
class JourneyChanged(_Journey):
    """The whole plan again: a receiver never has to put two together."""


@dataclass(frozen=True, slots=True, repr=False)
class JourneyMet(Quiet):
    """The person has been met."""

    at: Utc
    by_role: str
    condition: str
    note: Note | None = None


@dataclass(frozen=True, slots=True, repr=False)
class JourneyNotMet(Quiet):
    """The person was not there; both desks telephone."""

    at: Utc
    by_role: str
    tried: tuple[str, ...]
    note: Note | None = None
