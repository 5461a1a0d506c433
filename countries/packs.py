"""The eight countries' packs: what differs from country to country and no library knows.

A pack is data that people who know the country keep true; every fact in it carries its source,
the day on which somebody checked it, and how sure they were. What this file reads it never
improves: a fact below confidence A is shown as "to be confirmed by the coordinator", and no
hotline counts as verified here, whatever its letter, because only a coordinator's signed
confirmation makes it so.

    packs = load_packs()
    packs["bd"].names["ta"], packs["bd"].hotlines[0].value.number

The shapes of the facts are in `countries.facts`. What a library knows stands in no pack: names
(`countries.names`), states and provinces (`countries.divisions`), holidays (`countries.working`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final, TypeVar

from contracts.codes import DAYS
from contracts.routing import RouteState
from countries.facts import (
    AGE_SUBJECTS,
    AUTHORITY_ROLES,
    CONSENT_DUTIES,
    DATA_LAW_STATES,
    HOTLINE_GROUPS,
    HOTLINE_MEANS,
    HOTLINE_WARNINGS,
    LANGUAGE_USES,
    LAW_TOPICS,
    TRANSFER_DUTIES,
    Age,
    Authority,
    Confidence,
    DataLaw,
    DaysOff,
    DefaultRoute,
    Duty,
    Fact,
    Hotline,
    Language,
    Law,
    Zone,
)
from countries.names import INTERFACE_LANGUAGES, bcp47, country_name, time_zones
from countries.reading import BadCountryData, Fault, Page, Place

COUNTRIES: Final = ("my", "bd", "id", "cn", "lk", "th", "vn", "pk")

_MEMBERS: Final = (
    "country",
    "languages",
    "laws",
    "ages",
    "authorities",
    "hotlines",
    "data_protection",
    "transfer",
    "consent_form",
    "office_zone",
    "weekly_days_off",
    "routes",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pack:
    """One country.

    `office_zone` stands only where the country has several time zones, `weekly_days_off` only
    where the library's are wrong.
    """

    country: str
    time_zones: tuple[str, ...]
    languages: tuple[Fact[Language], ...]
    laws: tuple[Fact[Law], ...]
    ages: tuple[Fact[Age], ...]
    authorities: tuple[Fact[Authority], ...]
    hotlines: tuple[Fact[Hotline], ...]
    data_protection: tuple[Fact[DataLaw], ...]
    transfer: tuple[Fact[Duty], ...]
    consent_form: tuple[Fact[Duty], ...]
    office_zone: Fact[Zone] | None
    weekly_days_off: Fact[DaysOff] | None
    routes: tuple[Fact[DefaultRoute], ...]

    @property
    def names(self) -> Mapping[str, str]:
        """Its name in all languages of the interface (BCP 47)."""
        names = {tag: country_name(self.country, tag) for tag in INTERFACE_LANGUAGES}
        return MappingProxyType(names)


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
    place.closed(*_MEMBERS)
    place.choice("country", (country,))
    return Pack(
        country=country,
        time_zones=time_zones(country),
        languages=_facts(place, "languages", _language),
        laws=_facts(place, "laws", _law),
        ages=_ages(place),
        authorities=_facts(place, "authorities", _authority),
        hotlines=_facts(place, "hotlines", lambda value: _hotline(value, country)),
        data_protection=_facts(place, "data_protection", _data_law),
        transfer=_duties(place, "transfer", TRANSFER_DUTIES),
        consent_form=_duties(place, "consent_form", CONSENT_DUTIES),
        office_zone=_office_zone(place, country),
        weekly_days_off=_one_fact(place, "weekly_days_off", _days_off),
        routes=_facts(place, "routes", lambda value: _route(value, country)),
    )


def _facts(
    place: Place, name: str, read: Callable[[Place], T], *, least: int = 1
) -> tuple[Fact[T], ...]:
    return tuple(_fact(item, read) for item in place.items(name, least=least))


def _one_fact(place: Place, name: str, read: Callable[[Place], T]) -> Fact[T] | None:
    return _fact(place.object(name), read) if place.has(name) else None


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


def _ages(place: Place) -> tuple[Fact[Age], ...]:
    ages = _facts(place, "ages", _age)
    subjects = [fact.value.about for fact in ages]
    if len(subjects) != len(set(subjects)):
        place.fault("ages", "says the same age twice", "Keep one fact for each kind of age")
    return ages


def _age(value: Place) -> Age:
    value.closed("about", "age", "law", "note")
    about = value.choice("about", AGE_SUBJECTS)
    age = value.number("age", least=1, most=30)
    return Age(about, age, value.optional_text("law"), value.optional_text("note"))


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
        country=country,
        number=number,
        means=value.choice("means", HOTLINE_MEANS, default="phone"),
        name=value.optional_text("name"),
        serves=value.choices("serves", HOTLINE_GROUPS, least=0),
        always_open=value.truth("always_open", default=False),
        warnings=value.choices("warnings", HOTLINE_WARNINGS, least=0),
        note=value.optional_text("note"),
    )


def _data_law(value: Place) -> DataLaw:
    value.closed("title", "state", "note")
    state = value.choice("state", DATA_LAW_STATES)
    if (state == "none_enacted") == value.has("title"):
        remedy = "Write the law's title, or the state none_enacted and no title"
        value.fault("title", "does not agree with the state", remedy)
    return DataLaw(value.optional_text("title"), state, value.optional_text("note"))


def _duties(place: Place, name: str, codes: tuple[str, ...]) -> tuple[Fact[Duty], ...]:
    """A list that must stand there and may be empty: no such duty is known."""
    return _facts(place, name, lambda value: _duty(value, codes), least=0)


def _duty(value: Place, codes: tuple[str, ...]) -> Duty:
    value.closed("code", "law", "note")
    return Duty(value.choice("code", codes), value.text("law"), value.optional_text("note"))


def _office_zone(place: Place, country: str) -> Fact[Zone] | None:
    zones = time_zones(country)
    if (len(zones) > 1) != place.has("office_zone"):
        remedy = "Write one exactly where the country has several time zones"
        place.fault("office_zone", "is missing, or stands where it need not", remedy)
    return _one_fact(place, "office_zone", lambda value: _zone(value, zones))


def _zone(value: Place, zones: tuple[str, ...]) -> Zone:
    value.closed("zone", "note")
    return Zone(value.choice("zone", zones), value.optional_text("note"))


def _days_off(value: Place) -> DaysOff:
    value.closed("weekdays", "note")
    days = value.choices("weekdays", DAYS, least=1)
    if len(days) == len(DAYS):
        value.fault("weekdays", "leaves no working day", "Leave at least one day out")
    return DaysOff(frozenset(DAYS.index(day) for day in days), value.optional_text("note"))


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
