"""By what right something is told: consent or a legal basis; their change and withdrawal; erasure.

Consent is given for one receiving organisation. Where nobody could be asked or a law leaves no
choice there is a basis of its own, with a code and a second person: there is no field in which
consent is overridden.
"""

from dataclasses import dataclass

from contracts.bodies.parts import NOT_ASKED, Answer, MaybeDay, Note, Quiet
from contracts.times import Day, Utc


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
class Basis(Quiet):
    """A legal duty or a vital interest, decided by two persons, or by one alone on shift."""

    ground: str
    code: str
    recipients: tuple[str, ...]
    fields: tuple[str, ...]
    decided_by: str
    decided_at: Utc
    expires_at: Utc
    second_person: str | None = None
    alone_on_shift: str = "no"


@dataclass(frozen=True, slots=True, repr=False)
class ConsentUpdated(Quiet):
    """The whole new consent or basis, of which there is exactly one."""

    consent: Consent | None = None
    basis: Basis | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ConsentWithdrawn(Quiet):
    """The person takes it back, before whomever; nobody may ask why."""

    told_to: str
    told_at: Utc
    wish: str
    passed_on: Answer = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class ErasureRequested(Quiet):
    """Please erase what you hold, in these places."""

    places: tuple[str, ...]
    on_whose_wish: str


@dataclass(frozen=True, slots=True, repr=False)
class Hold(Quiet):
    """The law that prevents erasure, and until when."""

    ground: str
    until: MaybeDay = NOT_ASKED


@dataclass(frozen=True, slots=True, repr=False)
class ErasedPlace(Quiet):
    """One place: erased (backups: by which day), held by law, or it was never there."""

    place: str
    result: str
    on: Day | None = None
    hold: Hold | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ErasureConfirmed(Quiet):
    """A person's statement of what was erased, place by place; no proof."""

    places: tuple[ErasedPlace, ...]
    note: Note | None = None
