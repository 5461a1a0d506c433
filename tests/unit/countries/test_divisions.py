"""A district is taken for a province, a code does not fit the messages, or a name is missing."""

import re

import pytest

from countries.divisions import divisions
from countries.names import INTERFACE_LANGUAGES
from countries.packs import COUNTRIES


@pytest.mark.parametrize("country", COUNTRIES)
def test_a_code_that_no_message_may_hold(country: str) -> None:
    found = divisions(country)
    assert all(re.fullmatch(rf"{country.upper()}-[A-Z0-9]{{1,3}}", each.code) for each in found)
    assert len({each.code for each in found}) == len(found)


@pytest.mark.parametrize("language", INTERFACE_LANGUAGES)
@pytest.mark.parametrize("country", COUNTRIES)
def test_a_division_without_a_name(country: str, language: str) -> None:
    found = divisions(country, language)
    assert all(each.name for each in found)
    assert {each.code for each in found} == {each.code for each in divisions(country)}


def test_a_district_among_the_provinces() -> None:
    codes = {country: {each.code for each in divisions(country)} for country in COUNTRIES}
    assert "BD-13" not in codes["bd"]  # a district
    assert "LK-11" not in codes["lk"]  # a district
    assert codes["bd"] == {f"BD-{letter}" for letter in "ABCDEFGH"}
    assert codes["lk"] == {f"LK-{digit}" for digit in range(1, 10)}


def test_a_group_of_islands_that_nobody_governs() -> None:
    codes = {each.code for each in divisions("id")}
    assert not codes & {"ID-JW", "ID-SM", "ID-KA", "ID-SL", "ID-ML", "ID-NU", "ID-PP"}
    assert {"ID-JK", "ID-YO", "ID-PA"} <= codes


def test_a_translation_that_the_library_has_is_not_used() -> None:
    selangor = {
        language: next(each.name for each in divisions("my", language) if each.code == "MY-10")
        for language in INTERFACE_LANGUAGES
    }
    assert selangor["en"] == selangor["ms"] == selangor["ur"] == "Selangor"
    assert selangor["zh"] == "雪兰莪"
    assert selangor["th"] != "Selangor"


def test_a_country_that_does_not_exist() -> None:
    assert divisions("zz") == ()
    assert divisions("my", "qq") == divisions("my")
