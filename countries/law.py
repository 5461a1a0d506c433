"""The ages in a country's law, as the value that the agreement's rules take.

The facts stay in the pack with their letters; a profile has the bare ages, because a rule that
protects must not wait until somebody has confirmed them. A country without a pack has an empty
profile: the agreement's own 18 years hold there.

    law_profile("vn").child_below  →  16
"""

from collections.abc import Mapping
from functools import cache

from contracts.country import LawProfile
from countries.facts import Age, Fact
from countries.packs import Pack, load_packs


@cache
def law_profile(country: str) -> LawProfile:
    """The profile of an ISO 3166-1 alpha-2 country, lower case."""
    return profile_in(load_packs(), country)


def profile_in(packs: Mapping[str, Pack], country: str) -> LawProfile:
    """The profile that these packs give."""
    return LawProfile(
        country=country,
        child_below=_age(packs, country, "child_below"),
        child_in_trafficking_below=_age(packs, country, "child_in_trafficking_below"),
        majority=_age(packs, country, "majority"),
    )


def age_fact(packs: Mapping[str, Pack], country: str, about: str) -> Fact[Age] | None:
    """The fact behind one of a profile's ages; None where the pack has none."""
    ages = packs[country].ages if country in packs else ()
    return next((fact for fact in ages if fact.value.about == about), None)


def _age(packs: Mapping[str, Pack], country: str, about: str) -> int | None:
    fact = age_fact(packs, country, about)
    return None if fact is None else fact.value.age
