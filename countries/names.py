"""Names of countries and languages, and time zones, from CLDR through Babel.

Only what no library knows stands in a pack. Nothing is read but the library's own data.
"""

from functools import cache
from typing import Final

from babel import Locale
from babel.core import get_global

# The languages of every public page, as BCP 47 tags.
INTERFACE_LANGUAGES: Final = ("en", "ms", "id", "bn", "zh", "si", "ta", "th", "vi", "ur")


def country_name(country: str, language: str) -> str:
    """The name of an ISO 3166-1 alpha-2 country (lower case) in a language (BCP 47).

    The code itself, upper case, where CLDR has no name: better than nothing on a screen.
    """
    code = country.upper()
    return str(_locale(language).territories.get(code, code))


def language_name(code: str, language: str) -> str:
    """The name of a language (ISO 639-3, or BCP 47) in another language (BCP 47); else its code."""
    return str(_locale(language).languages.get(bcp47(code), code))


def bcp47(iso639_3: str) -> str:
    """The BCP 47 tag of an ISO 639-3 language: the shortest code that CLDR has for it."""
    return str(get_global("language_aliases").get(iso639_3, iso639_3))


def time_zones(country: str) -> tuple[str, ...]:
    """The IANA time zones of a country, sorted; empty for a code that is no country."""
    return tuple(sorted(get_global("territory_zones").get(country.upper(), ())))


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language, sep="-")
