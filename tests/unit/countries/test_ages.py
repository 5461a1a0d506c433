"""Nobody loses protection by an age band, by a country without a law, or by one country more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ages import Minority, is_minor, may_be_under_majority, minority, years
from contracts.codes import AGE_BANDS
from contracts.country import LawProfile
from contracts.errors import Malformed
from countries.law import law_profile
from countries.packs import COUNTRIES

AGES = st.none() | st.integers(1, 30)
PROFILES = st.lists(
    st.builds(
        LawProfile,
        country=st.sampled_from(COUNTRIES),
        child_below=AGES,
        child_in_trafficking_below=AGES,
        majority=AGES,
    ),
    max_size=4,
)
BANDS = st.sampled_from(AGE_BANDS)
PROTECTED = [Minority.ADULT, Minority.UNDER_MAJORITY, Minority.CHILD]


@given(band=BANDS, profiles=PROFILES, more=PROFILES)
def test_one_country_more_makes_somebody_less_protected(
    band: str, profiles: list[LawProfile], more: list[LawProfile]
) -> None:
    before, after = minority(band, profiles), minority(band, profiles + more)
    assert PROTECTED.index(after) >= PROTECTED.index(before)
    if may_be_under_majority(band, profiles):
        assert is_minor(band, profiles + more) or may_be_under_majority(band, profiles + more)


@given(band=BANDS, profiles=PROFILES)
def test_somebody_under_18_counts_as_an_adult(band: str, profiles: list[LawProfile]) -> None:
    youngest, _ = years(band)
    if youngest < 18:
        assert minority(band, profiles) is Minority.CHILD


@given(band=BANDS, profiles=PROFILES)
def test_the_order_of_two_desks_decides(band: str, profiles: list[LawProfile]) -> None:
    assert minority(band, profiles) is minority(band, profiles[::-1])
    assert is_minor(band, profiles) == (minority(band, profiles) is not Minority.ADULT)


@given(band=BANDS, profiles=PROFILES)
def test_an_age_at_the_edge_of_a_band_is_forgotten(band: str, profiles: list[LawProfile]) -> None:
    youngest, oldest = years(band)
    child, adult = LawProfile("my", child_below=youngest + 1), LawProfile("my", majority=oldest + 1)
    assert minority(band, [*profiles, child]) is Minority.CHILD
    assert is_minor(band, [*profiles, adult])
    just_of_age = [LawProfile("my", child_below=youngest, majority=oldest)]
    assert minority(band, just_of_age) is (Minority.CHILD if youngest < 18 else Minority.ADULT)


@given(profiles=PROFILES)
def test_an_older_band_is_protected_more_than_a_younger(profiles: list[LawProfile]) -> None:
    in_order = [band for band in AGE_BANDS if not band.startswith("believed")]
    found = [PROTECTED.index(minority(band, profiles)) for band in in_order]
    assert found == sorted(found, reverse=True)


@given(band=BANDS, profiles=PROFILES)
def test_a_law_nobody_wrote_is_made_up(band: str, profiles: list[LawProfile]) -> None:
    silent = LawProfile("my")
    assert minority(band, [*profiles, silent]) is minority(band, profiles)


@pytest.mark.parametrize(
    ("band", "countries", "expected"),
    [
        ("16_17", ("my", "vn"), Minority.CHILD),
        ("18_19", ("my", "vn"), Minority.ADULT),
        ("18_19", ("my", "th"), Minority.UNDER_MAJORITY),
        ("18_19", ("th", "my"), Minority.UNDER_MAJORITY),
        ("20_24", ("my", "th"), Minority.ADULT),
        ("18_19", ("my", "id"), Minority.UNDER_MAJORITY),
        ("20_24", ("my", "id"), Minority.ADULT),
        ("believed_minor", ("my", "bd"), Minority.CHILD),
        ("believed_adult", ("my", "th"), Minority.ADULT),
        ("65_plus", ("id", "th"), Minority.ADULT),
    ],
)
def test_the_ages_of_the_eight_countries(
    band: str, countries: tuple[str, str], expected: Minority
) -> None:
    assert minority(band, [law_profile(country) for country in countries]) is expected


def test_a_band_on_both_sides_of_majority_is_taken_for_certain() -> None:
    indonesia, thailand = law_profile("id"), law_profile("th")
    assert may_be_under_majority("20_24", [indonesia])
    assert not may_be_under_majority("20_24", [thailand])
    assert may_be_under_majority("believed_adult", [thailand])
    assert not may_be_under_majority("18_19", [thailand])  # is under it, for certain


def test_an_unknown_band_is_an_adults() -> None:
    for band in ("", "18", "20-24", "believed", "7_9"):
        with pytest.raises(Malformed, match="unknown age band"):
            minority(band, [])


def test_a_country_without_a_pack() -> None:
    assert law_profile("sg") == LawProfile("sg")
    assert law_profile("not_asked") == LawProfile("not_asked")
