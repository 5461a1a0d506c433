"""What a country's pack has, what it lacks, and of what nobody is sure.

A report for the coordinator who keeps the pack: it lists every fact below confidence A and every
fact that the software asks for and no pack has. Nothing here judges a fact; a gap is not a fault.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from countries.cases import Outcome
from countries.divisions import divisions
from countries.facts import (
    AGE_SUBJECTS,
    LAW_TOPICS,
    Age,
    Authority,
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
from countries.packs import Pack
from countries.working import public_holidays


@dataclass(frozen=True, slots=True)
class Unsure:
    """A fact below confidence A: its section in the pack, what it says, and the letter."""

    section: str
    what: str
    confidence: str
    verified_on: date | None


@dataclass(frozen=True, slots=True)
class Report:
    """One country. `counts`: how many facts or entries a section has, 0 where it is empty."""

    country: str
    name: str
    counts: Mapping[str, int]
    missing: tuple[str, ...]
    unsure: tuple[Unsure, ...]
    estimated_holidays: int
    outcomes: tuple[Outcome, ...]

    @property
    def holds(self) -> bool:
        """Whether every case holds."""
        return all(outcome.holds for outcome in self.outcomes)


def report(pack: Pack, outcomes: tuple[Outcome, ...], *, year: int) -> Report:
    """The report of one pack; holidays are looked for in `year` and the year after."""
    known = [public_holidays(pack.country, each) for each in (year, year + 1)]
    sections = _sections(pack)
    libraries = {
        "divisions": len(divisions(pack.country)),
        "time_zones": len(pack.time_zones),
        "holidays": sum(len(days) for days in known),
    }
    return Report(
        country=pack.country,
        name=pack.names["en"],
        counts={name: len(facts) for name, facts in sections.items()} | libraries,
        missing=(*_missing(pack), *_unknown_years(pack.country, year)),
        unsure=tuple(_unsure(sections)),
        estimated_holidays=sum(holiday.estimated for days in known for holiday in days),
        outcomes=outcomes,
    )


def _sections(pack: Pack) -> Mapping[str, tuple[Fact[object], ...]]:
    return {
        "languages": pack.languages,
        "laws": pack.laws,
        "ages": pack.ages,
        "authorities": pack.authorities,
        "hotlines": pack.hotlines,
        "data_protection": pack.data_protection,
        "transfer": pack.transfer,
        "consent_form": pack.consent_form,
        "office_zone": (pack.office_zone,) if pack.office_zone else (),
        "weekly_days_off": (pack.weekly_days_off,) if pack.weekly_days_off else (),
        "routes": pack.routes,
    }


def _missing(pack: Pack) -> Iterator[str]:
    topics = {topic for fact in pack.laws for topic in fact.value.topics}
    yield from (f"law on {topic}" for topic in LAW_TOPICS if topic not in topics)
    told = {fact.value.about for fact in pack.ages}
    yield from (f"age {subject}" for subject in AGE_SUBJECTS if subject not in told)
    states = {fact.value.state for fact in pack.data_protection}
    if states & {"not_said", "unverified", "partly_in_force"}:
        yield "data protection: what is in force"
    if states != {"none_enacted"}:
        yield from ("transfer requirements",) if not pack.transfer else ()
        yield from ("consent-form requirements",) if not pack.consent_form else ()


def _unknown_years(country: str, year: int) -> Iterator[str]:
    return (
        f"holidays of {each}" for each in (year, year + 1) if not public_holidays(country, each)
    )


def _unsure(sections: Mapping[str, tuple[Fact[object], ...]]) -> Iterator[Unsure]:
    for section, facts in sections.items():
        for fact in facts:
            if fact.to_be_confirmed:
                what = said(fact.value)
                yield Unsure(section, what, fact.confidence.value, fact.verified_on)


def said(value: object) -> str:
    """A fact's value in a few words, without its note."""
    match value:
        case Law(title=text) | Authority(name=text) | Hotline(number=text) | Duty(code=text):
            return text
        case Language(iso639_3=text) | Zone(zone=text):
            return text
        case Age(about=about, age=age):
            return f"{about} {age}"
        case DataLaw(title=title, state=state):
            return f"{title} ({state})" if title else state
        case DefaultRoute(to=to, state=state):
            return f"to {to} {state}"
        case DaysOff(weekdays=days):
            return " ".join(str(day) for day in sorted(days))
        case _:
            raise TypeError("not a value of a pack")
