"""A term ends on a day on which nobody works, or is counted by a calendar nobody knows."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countries.packs import COUNTRIES
from countries.working import office_zone, public_holidays, weekly_days_off, working_days

COUNTRY = st.sampled_from(COUNTRIES)
DAY = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@given(country=COUNTRY, day=DAY)
def test_an_office_that_works_on_its_day_off(country: str, day: date) -> None:
    calendar = working_days(country, years=[day.year])
    off = day.weekday() in weekly_days_off(country)
    holiday = any(day == each.day for each in public_holidays(country, day.year))
    assert calendar.is_working_day(day) == (not off and not holiday)


@given(country=COUNTRY, day=DAY)
def test_a_term_that_never_ends(country: str, day: date) -> None:
    calendar = working_days(country, years=range(2024, 2029))
    following = [day + timedelta(days=ahead) for ahead in range(1, 22)]
    assert any(calendar.is_working_day(each) for each in following)


@given(country=COUNTRY, day=DAY)
def test_more_years_open_an_office(country: str, day: date) -> None:
    one = working_days(country, years=[day.year])
    many = working_days(country, years=range(day.year - 1, day.year + 2))
    assert one.is_working_day(day) == many.is_working_day(day)
    assert one.known_years <= many.known_years


def test_a_year_that_the_library_does_not_know_counts_as_known() -> None:
    for country in COUNTRIES:
        calendar = working_days(country, years=[1800, 2026, 9000])
        assert calendar.known_years == {2026}
        assert {day.year for day in calendar.holidays} == {2026}
    assert working_days("lk", years=[]).known_years == frozenset()


def test_friday_in_dhaka() -> None:
    assert weekly_days_off("bd") == {4, 5}
    assert all(weekly_days_off(country) == {5, 6} for country in set(COUNTRIES) - {"bd"})


def test_a_moon_that_nobody_has_seen_yet() -> None:
    eid = [each for each in public_holidays("bd", 2027) if each.name.startswith("Eid al-Fitr")]
    assert eid
    assert all(each.estimated for each in eid)
    (victory,) = [each for each in public_holidays("bd", 2027) if each.name == "Victory Day"]
    assert victory.day == date(2027, 12, 16)
    assert not victory.estimated


def test_a_zone_of_a_province_counts_for_the_country() -> None:
    assert office_zone("id") == "Asia/Jakarta"
    assert office_zone("my") == "Asia/Kuala_Lumpur"
    assert office_zone("cn") == "Asia/Shanghai"
    assert all(ZoneInfo(office_zone(country)) for country in COUNTRIES)


def test_a_country_without_a_pack() -> None:
    with pytest.raises(KeyError):
        working_days("sg", years=[2026])
