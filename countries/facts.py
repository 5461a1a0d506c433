"""What stands in a country's pack: facts, each with its source, its check and a letter.

Only the shapes and their code lists; nothing is read here and nothing is claimed. A fact below
confidence A is shown as "to be confirmed by the coordinator", and no hotline counts as verified
whatever its letter, because only a coordinator's signed confirmation makes it so.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Generic, TypeVar

from contracts.routing import RouteState

LANGUAGE_USES: Final = ("main", "used", "link")
LAW_TOPICS: Final = ("tip", "som")
AGE_SUBJECTS: Final = ("child_below", "child_in_trafficking_below", "majority")
AUTHORITY_ROLES: Final = ("lead", "enforcement", "victim_support", "receives_reports", "hotline")
HOTLINE_MEANS: Final = ("phone", "whatsapp")
HOTLINE_GROUPS: Final = ("migrants", "women", "children")
HOTLINE_WARNINGS: Final = ("calls_recorded_by_decree", "complaints_passed_to_police")
# `not_said`: a law is known by name, and nobody has read whether all of it is in force.
DATA_LAW_STATES: Final = ("in_force", "partly_in_force", "unverified", "not_said", "none_enacted")
# What a country asks for when data about a person cross its border.
TRANSFER_DUTIES: Final = ("transfer_dossier", "localisation_notice")
# What a country's law asks of the consent itself.
CONSENT_DUTIES: Final = ("silence_is_not_consent", "under_14_sensitive")

# A fact is read and never written to, so that a fact of a law is a fact of anything.
T_co = TypeVar("T_co", covariant=True)


class Confidence(StrEnum):
    """A: read in a primary or official page; B: a secondary page; C: from memory, not verified."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True)
class Fact(Generic[T_co]):
    """A value and how we know it. `verified_on` is the day of a check; None: nobody has."""

    value: T_co
    source: str
    verified_on: date | None
    confidence: Confidence

    @property
    def to_be_confirmed(self) -> bool:
        """Whether it is shown as "to be confirmed by the coordinator"."""
        return self.confidence is not Confidence.A


@dataclass(frozen=True, slots=True)
class Language:
    """A language in use: ISO 639-3 and the BCP 47 tag that CLDR gives it."""

    iso639_3: str
    bcp47: str
    use: str


@dataclass(frozen=True, slots=True)
class Law:
    """A law by its name, and what it is about: trafficking (tip), smuggling (som), or both."""

    title: str
    topics: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Age:
    """An age in whole years, below which the law says `about`. `law` empty: no law is named."""

    about: str
    age: int
    law: str
    note: str


@dataclass(frozen=True, slots=True)
class Authority:
    """A state body and its role."""

    name: str
    role: str
    note: str


@dataclass(frozen=True, slots=True)
class Hotline:
    """A public number of `country` as published. `serves` empty: not said.

    `always_open`: known to be open day and night; false means not known. `warnings` are what a
    caller must know before calling.
    """

    country: str
    number: str
    means: str
    name: str
    serves: tuple[str, ...]
    always_open: bool
    warnings: tuple[str, ...]
    note: str

    @property
    def dial(self) -> str:
        """E.164 where the number has that form; the digits of a short code, which works inside
        the country only.
        """
        # A desk that shows no number need not load the numbering plans of the world.
        from countries.dialling import dial

        return dial(self.number, self.country)


@dataclass(frozen=True, slots=True)
class DataLaw:
    """A data-protection law and how far it is in force; `title` empty where none is enacted."""

    title: str
    state: str
    note: str


@dataclass(frozen=True, slots=True)
class Duty:
    """Something the law asks for before data are sent: a code, and the law it comes from."""

    code: str
    law: str
    note: str


@dataclass(frozen=True, slots=True)
class Zone:
    """The IANA zone by which working days are counted, in a country that has several."""

    zone: str
    note: str


@dataclass(frozen=True, slots=True)
class DaysOff:
    """The weekly days off, Monday 0 to Sunday 6, where a pack corrects the library."""

    weekdays: frozenset[int]
    note: str


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """How far this country has come with another, until coordinators decide otherwise."""

    to: str
    state: RouteState
