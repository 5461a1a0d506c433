"""When a country works: weekly days off and public holidays, from the `holidays` library.

A pack may correct the weekly days off, and names the zone where a country has several; nothing
else of this is ours. Holidays of the Islamic calendar are the library's estimates until a country
has announced them, and a holiday that a cabinet adds next week is in no library: a date counted
here is an expectation, shown as such. Holidays of one state or province only are left out, and so
are the weekends on which an office works to make up for a bridge day (China, Vietnam): a date
counted here may lie a day off, and whoever waits is told the date and not a promise.

    working_days("bd", years=[2026, 2027]).days_off  →  frozenset({4, 5})
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Final

from contracts.country import WorkingDays
from countries.names import time_zones
from countries.packs import load_packs

if TYPE_CHECKING:
    from holidays import HolidayBase

# All eight countries' calendars have this language, and with it one word for an estimate.
_LANGUAGE: Final = "en_US"
_ESTIMATED: Final = "estimated)"


@dataclass(frozen=True, slots=True, order=True)
class PublicHoliday:
    """A public holiday, its name in English, and whether the library only estimates the day."""

    day: date
    name: str
    estimated: bool


def working_days(country: str, *, years: Iterable[int]) -> WorkingDays:
    """The working days of a country with a pack, with the holidays of these years.

    A year that the library does not cover is not among `known_years`. Raises `KeyError` for a
    country without a pack.
    """
    return _working_days(country, frozenset(years))


@cache
def public_holidays(country: str, year: int) -> tuple[PublicHoliday, ...]:
    """The holidays of the whole country in a year, by day; empty where they are not known."""
    known = _calendar(country)
    if not known.start_year <= year <= known.end_year:
        return ()
    days = _calendar(country, year)
    return tuple(PublicHoliday(day, name, _ESTIMATED in name) for day, name in sorted(days.items()))


def office_zone(country: str) -> str:
    """The IANA zone by which a country's working days are counted."""
    chosen = load_packs()[country].office_zone
    return time_zones(country)[0] if chosen is None else chosen.value.zone


def weekly_days_off(country: str) -> frozenset[int]:
    """The weekly days off, Monday 0 to Sunday 6: the pack's where it has them, else the library's.

    The library knows them by country (Bangladesh: Friday and Saturday), CLDR's week data do not.
    """
    corrected = load_packs()[country].weekly_days_off
    if corrected is not None:
        return corrected.value.weekdays
    return frozenset(int(day) for day in _calendar(country).weekend)


@cache
def _working_days(country: str, years: frozenset[int]) -> WorkingDays:
    found = {year: public_holidays(country, year) for year in years}
    return WorkingDays(
        country=country,
        zone=office_zone(country),
        days_off=weekly_days_off(country),
        holidays=frozenset(holiday.day for year in found.values() for holiday in year),
        known_years=frozenset(year for year, known in found.items() if known),
    )


@cache
def _calendar(country: str, *years: int) -> "HolidayBase":
    # A start in which nothing is due, as most are, need not load every country's calendar.
    from holidays import country_holidays

    return country_holidays(country.upper(), years=years, language=_LANGUAGE)
