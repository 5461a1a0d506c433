"""The eight countries' packs: what differs from country to country and no library knows.

A pack is data that people who know the country keep true; every fact in it carries its source,
the day on which somebody checked it, and how sure they were. What this file reads it never
improves: a fact below confidence A is shown as "to be confirmed by the coordinator", and no
hotline counts as verified here, whatever its letter, because only a coordinator's signed
confirmation makes it so.

    packs = load_packs()
    packs["bd"].names["ta"], packs["bd"].hotlines[0].value.number
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final, Generic, TypeVar

import phonenumbers

from contracts.routing import RouteState
from countries.names import INTERFACE_LANGUAGES, bcp47, country_name, time_zones
from countries.reading import BadCountryData, Fault, Page, Place

COUNTRIES: Final = ("my", "bd", "id", "cn", "lk", "th", "vn", "pk")

LANGUAGE_USES: Final = ("main", "used", "link")
LAW_TOPICS: Final = ("tip", "som")
AUTHORITY_ROLES: Final = ("lead", "enforcement", "victim_support", "receives_reports", "hotline")
HOTLINE_MEANS: Final = ("phone", "whatsapp")
HOTLINE_GROUPS: Final = ("migrants", "women", "children")
HOTLINE_WARNINGS: Final = ("calls_recorded_by_decree", "complaints_passed_to_police")

T = TypeVar("T")


class Confidence(StrEnum):
    """A: read in a primary or official page; B: a secondary page; C: from memory, not verified."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """A value and how we know it. `verified_on` is the day of a check; None: nobody has."""

    value: T
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
class Authority:
    """A state body and its role."""

    name: str
    role: str
    note: str


@dataclass(frozen=True, slots=True)
class Hotline:
    """A public number as published. `dial` is E.164 where the number has that form.

    A short code keeps its digits: it works inside the country only. `serves` empty: not said.
    `always_open`: known to be open day and night; false means not known. `warnings` are what a
    caller must know before calling.
    """

    number: str
    dial: str
    means: str
    name: str
    serves: tuple[str, ...]
    always_open: bool
    warnings: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """How far this country has come with another, until coordinators decide otherwise."""

    to: str
    state: RouteState


@dataclass(frozen=True, slots=True)
class Pack:
    """One country. `names` has its name in all languages of the interface (BCP 47)."""

    country: str
    names: Mapping[str, str]
    time_zones: tuple[str, ...]
    languages: tuple[Fact[Language], ...]
    laws: tuple[Fact[Law], ...]
    authorities: tuple[Fact[Authority], ...]
    hotlines: tuple[Fact[Hotline], ...]
    routes: tuple[Fact[DefaultRoute], ...]


@cache
def load_packs() -> Mapping[str, Pack]:
    """All packs by country. Raises `BadCountryData` with every fault of every pack at once."""
    root = files("countries")
    return read_packs({country: _bytes_of(root, country) for country in COUNTRIES})


def read_packs(texts: Mapping[str, bytes]) -> Mapping[str, Pack]:
    """The packs in these texts, by country. Raises `BadCountryData` with every fault."""
    packs: dict[str, Pack] = {}
    faults: list[Fault] = []
    for country, text in texts.items():
        page = Page(f"{country}/pack.json")
        packs[country] = _pack(page.parse(text), country)
        faults += page.faults
    faults += _disagreements(packs)
    if faults:
        raise BadCountryData(faults)
    return MappingProxyType(packs)


def _bytes_of(root: Traversable, country: str) -> bytes:
    try:
        return (root / country / "pack.json").read_bytes()
    except OSError:
        return b""  # reads as "is not a strict JSON object", with the file's name


def _pack(place: Place, country: str) -> Pack:
    place.closed("country", "languages", "laws", "authorities", "hotlines", "routes")
    place.choice("country", (country,))
    return Pack(
        country=country,
        names=MappingProxyType({tag: country_name(country, tag) for tag in INTERFACE_LANGUAGES}),
        time_zones=time_zones(country),
        languages=_facts(place, "languages", _language),
        laws=_facts(place, "laws", _law),
        authorities=_facts(place, "authorities", _authority),
        hotlines=_facts(place, "hotlines", lambda value: _hotline(value, country)),
        routes=_facts(place, "routes", lambda value: _route(value, country)),
    )


def _facts(place: Place, name: str, read: Callable[[Place], T]) -> tuple[Fact[T], ...]:
    return tuple(_fact(item, read) for item in place.items(name))


def _fact(item: Place, read: Callable[[Place], T]) -> Fact[T]:
    item.closed("value", "source", "verified_on", "confidence")
    return Fact(
        value=read(item.object("value")),
        source=item.text("source", meaning="where the fact was read"),
        verified_on=item.day("verified_on"),
        confidence=Confidence(item.choice("confidence", tuple(Confidence))),
    )


def _language(value: Place) -> Language:
    value.closed("iso639_3", "use")
    code = value.text("iso639_3", pattern="[a-z]{3}", meaning="a three-letter code of ISO 639-3")
    return Language(code, bcp47(code), value.choice("use", LANGUAGE_USES))


def _law(value: Place) -> Law:
    value.closed("title", "topics", "note")
    topics = value.choices("topics", LAW_TOPICS, least=1)
    return Law(value.text("title"), topics, value.optional_text("note"))


def _authority(value: Place) -> Authority:
    value.closed("name", "role", "note")
    role = value.choice("role", AUTHORITY_ROLES)
    return Authority(value.text("name"), role, value.optional_text("note"))


def _hotline(value: Place, country: str) -> Hotline:
    value.closed("number", "means", "name", "serves", "always_open", "warnings", "note")
    number = value.text(
        "number", pattern=r"\+?[0-9][0-9 -]{1,24}", meaning="digits, spaces and hyphens"
    )
    return Hotline(
        number=number,
        dial=_dial(number, country),
        means=value.choice("means", HOTLINE_MEANS, default="phone"),
        name=value.optional_text("name"),
        serves=value.choices("serves", HOTLINE_GROUPS, least=0),
        always_open=value.truth("always_open", default=False),
        warnings=value.choices("warnings", HOTLINE_WARNINGS, least=0),
        note=value.optional_text("note"),
    )


def _dial(number: str, country: str) -> str:
    digits = "".join(char for char in number if char.isdigit())
    try:
        parsed = phonenumbers.parse(number, country.upper())
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_valid_number(parsed):  # a short code, or one the library does not know
        return digits
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _route(value: Place, country: str) -> DefaultRoute:
    value.closed("to", "state")
    others = tuple(other for other in COUNTRIES if other != country)
    state = RouteState(value.choice("state", tuple(RouteState)))
    return DefaultRoute(value.choice("to", others), state)


def _disagreements(packs: Mapping[str, Pack]) -> list[Fault]:
    """Both countries of a route must say the same of it, each once."""
    said = {
        (pack.country, route.value.to): route.value.state
        for pack in packs.values()
        for route in pack.routes
    }
    return [
        Fault(
            f"{country}/pack.json",
            "$.routes",
            f"does not say the same of the route between {country} and {to} as {to}/pack.json",
            "Write the same state in both packs, once in each",
        )
        for (country, to), state in said.items()
        if to in packs and said.get((to, country)) is not state
    ]
