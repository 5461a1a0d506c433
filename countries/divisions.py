"""States and provinces: the first level below a country, ISO 3166-2, from `pycountry`.

The standard lists more than a reader would call the first level: districts below divisions, and
in Indonesia groups of islands above the provinces that govern. Both are left out. The names are in
the language of the interface where the library has a translation, else as the standard writes
them. The list is the library's, not ours: a country's reform is here when the library has it.

    divisions("my", "ta")[0].code  →  "MY-…"
"""

import gettext
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import pycountry

# Groups of islands, which no office governs; the provinces in them are the first level.
_NO_GOVERNMENT: Final = "Geographical unit"
_LIBRARYS_TAG: Final = {"zh": "zh_CN"}


@dataclass(frozen=True, slots=True)
class Division:
    """A state, province or the like: its ISO 3166-2 code and its name."""

    code: str
    name: str


class _Entry(Protocol):
    """What is read of an entry of the library, which makes its attributes at run time."""

    code: str
    name: str
    type: str
    parent_code: str | None


@cache
def divisions(country: str, language: str = "en") -> tuple[Division, ...]:
    """The first-level divisions of a country (ISO 3166-1, lower case), by name.

    `language` is a BCP 47 tag. Empty for a country that the library does not know.
    """
    translate = _translations(language).gettext
    found = (Division(entry.code, translate(entry.name)) for entry in _first_level(country))
    return tuple(sorted(found, key=lambda division: (division.name.casefold(), division.code)))


def translated(country: str, language: str) -> int:
    """How many of a country's divisions the library names differently in this language."""
    return len(set(divisions(country, language)) - set(divisions(country)))


def _first_level(country: str) -> list[_Entry]:
    found: Iterable[_Entry] | None = pycountry.subdivisions.get(  # type: ignore[no-untyped-call]  # the library types its attributes, not this
        country_code=country.upper()
    )
    entries = list(found or ())
    above = {entry.code for entry in entries if entry.type == _NO_GOVERNMENT}
    return [
        entry
        for entry in entries
        if entry.code not in above and (entry.parent_code is None or entry.parent_code in above)
    ]


def _translations(language: str) -> gettext.NullTranslations:
    tag = _LIBRARYS_TAG.get(language, language)
    return gettext.translation("iso3166-2", pycountry.LOCALES_DIR, languages=[tag], fallback=True)
