"""What must hold in a country, as data: `cases.json` beside each pack, and what runs it.

People who know the country write the cases, so that a change of a pack, of a library or of a rule
that makes one of them false is noticed. A case has a kind (`about`), what goes in, and what must
come out:

    {"about": "age", "band": "16_17", "expect": "child"}
    {"about": "hotline", "number": "03-8000 8000", "dial": "+60380008000"}
    {"about": "working_days", "first": "2026-03-02", "last": "2026-03-08", "expect": 5}
    {"about": "division", "code": "MY-10", "name": "Selangor"}

A case about a corridor tells all that is not met, in the shipped packs and routes.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from contracts.ages import Minority, minority
from contracts.codes import AGE_BANDS, FEARS, FREE_TO_LEAVE, ORG_KINDS, OWN_WISH, SERVICES
from countries.corridor import Corridor, Requirement, Weight, check
from countries.divisions import divisions
from countries.law import law_profile
from countries.packs import COUNTRIES, load_packs
from countries.reading import BadCountryData, Page, Place
from countries.requirements import WORDINGS
from countries.working import working_days

_LONGEST: Final = 366  # days that one case may count
_AGES: Final = ("child_below", "child_in_trafficking_below", "majority")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: where it stands, what it is about, what must come out and what came out."""

    path: str
    about: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether the case holds."""
        return self.expected == self.found


def run_cases(country: str) -> tuple[Outcome, ...]:
    """Every case of a country's file. Raises `BadCountryData` with every fault of the file."""
    try:
        text = (files("countries") / country / "cases.json").read_bytes()
    except OSError:
        text = b""  # reads as "is not a strict JSON object", with the file's name
    return run_text(text, country)


def run_text(text: bytes, country: str) -> tuple[Outcome, ...]:
    """Every case in these bytes. Raises `BadCountryData` with every fault."""
    page = Page(f"{country}/cases.json")
    top = page.parse(text)
    top.closed("cases")
    outcomes = [_run(case, country) for case in top.items("cases")]
    if page.faults:
        raise BadCountryData(page.faults)
    return tuple(outcomes)


def _run(case: Place, country: str) -> Outcome:
    about = case.choice("about", tuple(_KINDS))
    before = len(case.page.faults)
    expected, find = _KINDS[about](case, country)
    found = "" if len(case.page.faults) > before else find()
    return Outcome(case.path, about, expected, found)


# What a case expects, and how to find out; a case with a fault is never run.
_Read = tuple[str, Callable[[], str]]


def _age(case: Place, country: str) -> _Read:
    case.closed("about", "why", "band", "with", "expect")
    case.optional_text("why")
    band = case.choice("band", AGE_BANDS)
    other = case.choice("with", COUNTRIES, default=country)
    expected = case.choice("expect", tuple(Minority))
    return expected, lambda: minority(band, [law_profile(country), law_profile(other)])


def _profile(case: Place, country: str) -> _Read:
    """The ages as in the pack; null: the pack must not claim one."""
    case.closed("about", "why", *_AGES)
    case.optional_text("why")
    said = {name: case.number(name, least=1, most=30) if case.has(name) else None for name in _AGES}
    profile = law_profile(country)
    return str(said), lambda: str({name: getattr(profile, name) for name in _AGES})


def _hotline(case: Place, country: str) -> _Read:
    case.closed("about", "why", "number", "dial")
    case.optional_text("why")
    number, dial = case.text("number"), case.text("dial")
    numbers = {fact.value.number: fact.value.dial for fact in load_packs()[country].hotlines}
    return dial, lambda: numbers.get(number, "not in the pack")


def _division(case: Place, country: str) -> _Read:
    case.closed("about", "why", "code", "name")
    case.optional_text("why")
    code, name = case.text("code"), case.text("name")
    names = {division.code: division.name for division in divisions(country)}
    return name, lambda: names.get(code, "not a first-level division")


def _divisions(case: Place, country: str) -> _Read:
    case.closed("about", "why", "expect")
    case.optional_text("why")
    expected = case.number("expect", least=1, most=500)
    return str(expected), lambda: str(len(divisions(country)))


def _working_days(case: Place, country: str) -> _Read:
    """How many working days there are from the first day to the last, both included."""
    case.closed("about", "why", "first", "last", "expect")
    case.optional_text("why")
    first, last = case.day("first"), case.day("last")
    if first is None or last is None or not 0 <= (last - first).days < _LONGEST:
        case.fault("last", "is not a day within a year of the first", "Write both as YYYY-MM-DD")
        first = last = date(2000, 1, 1)
    expected = case.number("expect", least=0, most=_LONGEST)
    return str(expected), lambda: str(_count(country, first, last))


def _count(country: str, first: date, last: date) -> int:
    calendar = working_days(country, years=range(first.year, last.year + 1))
    days = (first + timedelta(days=after) for after in range((last - first).days + 1))
    return sum(calendar.is_working_day(day) for day in days)


def _corridor(case: Place, country: str) -> _Read:
    case.closed("about", "why", *_CORRIDOR_WORDS, "blocking", "look_at")
    case.optional_text("why")
    corridor = _corridor_of(case, country)
    blocking = case.choices("blocking", tuple(WORDINGS), least=0)
    look_at = case.choices("look_at", tuple(WORDINGS), least=0)
    return _told(blocking, look_at), lambda: _unmet(check(corridor))


_CORRIDOR_WORDS: Final = (
    "to",
    "band",
    "receiver",
    "languages",
    "nationality",
    "needs",
    "fear_of",
    "own_wish",
    "risk_assessed",
    "free_to_leave",
    "guardian_status",
    "best_interest",
)


def _corridor_of(case: Place, country: str) -> Corridor:
    """A consent stands in every case; what is not written was not asked."""
    return Corridor(
        ours=country,
        theirs=case.choice("to", COUNTRIES),
        receiver_kind=case.choice("receiver", ORG_KINDS, default="ngo"),
        age_band=case.choice("band", AGE_BANDS),
        languages=tuple(case.text("languages", pattern="[a-z]{3}( [a-z]{3})*").split()),
        nationality=case.choice("nationality", (*COUNTRIES, "not_asked"), default="not_asked"),
        needs=case.choices("needs", SERVICES, least=0),
        own_wish=case.choice("own_wish", (*OWN_WISH, "not_asked"), default="not_asked"),
        risk_assessed=case.truth("risk_assessed", default=False),
        fear_of=case.choices("fear_of", FEARS, least=0),
        ground="consent",
        free_to_leave=case.choice("free_to_leave", FREE_TO_LEAVE, default="yes"),
        guardian_status=case.optional_text("guardian_status") or "not_asked",
        best_interest=case.optional_text("best_interest") or "not_asked",
    )


def _unmet(requirements: Collection[Requirement]) -> str:
    codes = {
        weight: [item.code for item in requirements if item.weight is weight and not item.met]
        for weight in Weight
    }
    return _told(codes[Weight.BLOCKING], codes[Weight.LOOK_AT])


def _told(blocking: Collection[str], look_at: Collection[str]) -> str:
    return f"blocking: {_listed(blocking)}; look at: {_listed(look_at)}"


def _listed(codes: Collection[str]) -> str:
    return ", ".join(sorted(codes)) or "nothing"


_KINDS: Final[Mapping[str, Callable[[Place, str], _Read]]] = MappingProxyType(
    {
        "age": _age,
        "profile": _profile,
        "hotline": _hotline,
        "division": _division,
        "divisions": _divisions,
        "working_days": _working_days,
        "corridor": _corridor,
    }
)
