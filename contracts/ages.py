"""Whether somebody counts as a child, or as not yet of age, in any of the countries concerned.

Nobody tells an exact age here, only a band, and whoever is protected in one of the countries is
protected in all of them: a band is a child's if any part of it lies under 18, or under the age of
childhood in one country's law. Nothing is looked up and no law is known here; the profiles come in
and a word goes out. Adding a country never makes anybody less protected.

    minority("18_19", [thailand]) is Minority.UNDER_MAJORITY    # of age at 20 there
    may_be_under_majority("20_24", [indonesia])                 # of age at 21 there: ask
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Final

from contracts.codes import AGE_BANDS
from contracts.country import CHILD_BELOW, LawProfile
from contracts.errors import Malformed

_OLDEST: Final = 150  # above every age; an open band ends here
_BELIEVED: Final = {
    "believed_minor": (0, CHILD_BELOW - 1),
    "believed_adult": (CHILD_BELOW, _OLDEST),
}


class Minority(StrEnum):
    """Child: under 18 or a country's age of childhood. Under majority: an adult elsewhere only."""

    CHILD = "child"
    UNDER_MAJORITY = "under_majority"
    ADULT = "adult"


def minority(age_band: str, profiles: Collection[LawProfile]) -> Minority:
    """What the most protective of the profiles makes of an age band of `AGE_BANDS`.

    A band that lies only partly under an age of majority is an adult's: see
    `may_be_under_majority`. Raises `Malformed("unknown_age_band", "age_band")`.
    """
    youngest, oldest = years(age_band)
    if youngest < _child_below(profiles):
        return Minority.CHILD
    return Minority.UNDER_MAJORITY if oldest < _majority(profiles) else Minority.ADULT


def is_minor(age_band: str, profiles: Collection[LawProfile]) -> bool:
    """Whether a guardian and the best interest are asked for: a child, or under majority."""
    return minority(age_band, profiles) is not Minority.ADULT


def may_be_under_majority(age_band: str, profiles: Collection[LawProfile]) -> bool:
    """Whether the band is an adult's, but begins under one country's age of majority."""
    youngest, _ = years(age_band)
    return not is_minor(age_band, profiles) and youngest < _majority(profiles)


def years(age_band: str) -> tuple[int, int]:
    """The youngest and the oldest age of a band, both within it."""
    if age_band not in AGE_BANDS:
        raise Malformed("unknown_age_band", "age_band")
    if age_band in _BELIEVED:
        return _BELIEVED[age_band]
    first, _, last = age_band.partition("_")
    return int(first), _OLDEST if last == "plus" else int(last)


def _child_below(profiles: Collection[LawProfile]) -> int:
    said = [(p.child_below, p.child_in_trafficking_below) for p in profiles]
    return max([CHILD_BELOW, *(age for ages in said for age in ages if age is not None)])


def _majority(profiles: Collection[LawProfile]) -> int:
    return max([0, *(p.majority for p in profiles if p.majority is not None)])
