"""The words the directory uses for what it lists: codes that never change, labels in ten languages.

The codes are the agreement's own (`contracts.codes`); the labels and other words for them stand
beside this file as data, one taxonomy a file, each marked with the state of its review by people
who speak the languages. The first word of a language is its label, the others are only searched.
Names of countries and languages come from CLDR through Babel and are not repeated here.

    label("service", "shelter", "bn")      country_name("MY", "th")      language_name("ben", "en")
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from babel import Locale

from contracts.codes import ORG_KINDS, POPULATIONS, SERVICES
from contracts.record_ids import entity_id

# The interface languages, in the order in which they are offered; BCP 47.
INTERFACE_LANGUAGES: Final = ("en", "ms", "id", "bn", "zh", "si", "ta", "th", "vi", "ur")
AVAILABILITY: Final = (
    "all_hours",
    "walk_in",
    "by_appointment",
    "referral_only",
    "outreach",
    "by_phone",
)
SEALED_REFERRALS: Final = ("can_receive", "cannot_receive_yet")
CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "service": tuple(SERVICES),
    "population": tuple(POPULATIONS),
    "organisation_kind": tuple(ORG_KINDS),
    "availability": AVAILABILITY,
    "sealed_referrals": SEALED_REFERRALS,
    "place": ("confidential",),
    "referrals": ("accepts_referrals", "no_referrals"),
}
# Languages a service may be given in: ISO 639-3 code to the key of its name in CLDR, which uses
# the two-letter code where there is one. Those of the eight countries, of the people who work
# in them, and of neighbours whose nationals are trafficked there.
_SPOKEN: Final = """
eng:en msa:ms zsm:ms ind:id ben:bn zho:zh cmn:zh yue:yue nan:nan hak:hak wuu:wuu sin:si
tam:ta tha:th vie:vi urd:ur hin:hi pan:pa pus:ps snd:sd bal:bal kas:ks nep:ne mya:my
rhg:rhg khm:km lao:lo fil:fil tgl:tl ceb:ceb jav:jv sun:su mad:mad ace:ace min:min bug:bug
tet:tet uig:ug bod:bo mon:mn kor:ko jpn:ja ara:ar fas:fa prs:fa_AF tel:te mal:ml kan:kn
guj:gu asm:as rus:ru uzb:uz fra:fr spa:es por:pt swa:sw som:so
"""
SPOKEN_LANGUAGES: Final[Mapping[str, str]] = {
    code: key for code, _, key in (pair.partition(":") for pair in _SPOKEN.split())
}


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """One published list of codes. `terms` maps a code to a language to its words, label first."""

    name: str
    title: str
    description: str
    review: str
    terms: Mapping[str, Mapping[str, tuple[str, ...]]]


@cache
def taxonomy(name: str) -> Taxonomy:
    """The taxonomy of this name, one of `CODES`; KeyError for any other."""
    codes = CODES[name]
    data = json.loads((files(__name__) / f"{name}.json").read_text(encoding="utf-8"))
    terms = {
        code: {language: tuple(words) for language, words in data["terms"][code].items()}
        for code in codes
    }
    return Taxonomy(name, data["title"], data["description"], data["review"], terms)


def label(name: str, code: str, language: str) -> str:
    """What a person reading `language` sees for a code; in English where there is no such label."""
    words = taxonomy(name).terms[code]
    return words.get(language, words["en"])[0]


def words_for(name: str, code: str) -> tuple[str, ...]:
    """Every word for a code, in all languages: what a searcher may type."""
    languages = taxonomy(name).terms[code].values()
    return tuple(dict.fromkeys(word for words in languages for word in words))


def country_name(code: str, language: str) -> str:
    """The CLDR name of an ISO 3166-1 alpha-2 code, whatever its case; the code if it has none."""
    return str(_locale(language).territories.get(code.upper(), code.upper()))


def is_country(code: str) -> bool:
    """Whether CLDR knows this as a country: two letters, not one of its private codes."""
    return len(code) == 2 and code.isalpha() and code in _locale("en").territories


def language_name(code: str, language: str) -> str:
    """The CLDR name of one of `SPOKEN_LANGUAGES`; the code itself where CLDR has no name."""
    key = SPOKEN_LANGUAGES.get(code, code)
    names = _locale(language).languages
    return names.get(key) or names.get(key.partition("_")[0]) or code


def interface_language_name(tag: str) -> str:
    """The English name of one of `INTERFACE_LANGUAGES`, for documentation."""
    return str(_locale("en").languages[tag])


def taxonomy_id(name: str) -> str:
    """The UUID of a taxonomy, as published."""
    return entity_id("taxonomy", name)


def term_id(name: str, code: str) -> str:
    """The UUID of a term, as published and as accepted by `taxonomy_term_id`."""
    return entity_id("taxonomy_term", name, code)


@cache
def countries() -> tuple[str, ...]:
    """Every code that `is_country`, upper case."""
    return tuple(code for code in map(str, _locale("en").territories) if is_country(code))


@cache
def terms_by_id() -> Mapping[str, tuple[str, str]]:
    """Published UUID of a term to its taxonomy and code."""
    return {term_id(name, code): (name, code) for name, codes in CODES.items() for code in codes}


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language)
