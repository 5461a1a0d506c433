"""Which telephone numbers may stand in a listing. Pure.

A real organisation's number must be one that can be dialled (libphonenumber's data, through
phonenumbers); a fictional one's must not be: somebody in need rings what is shown to them.
"""

from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

# No plan gives out subscriber numbers that end like this, and libphonenumber's data is asked too.
_FICTIONAL_ENDING: Final = "000000"


def real_number(number: str, *, country: str, hotline: bool) -> str | None:
    """The number as it is shown, or None if nobody can dial it.

    `country` (alpha-2) is where a number without + is rung; a hotline may be a short number of it.
    """
    parsed = _parsed(number, country)
    if parsed is None:
        return None
    if phonenumbers.is_valid_number(parsed):
        return str(phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL))
    region = country.upper()
    short = hotline and phonenumbers.is_valid_short_number_for_region(parsed, region)
    return " ".join(number.split()) if short else None


def fictional_number(number: str) -> str | None:
    """The number as it is shown, or None if somebody might answer it or it is not international."""
    parsed = _parsed(number, None) if number.startswith("+") else None
    if parsed is None or phonenumbers.is_valid_number(parsed):
        return None
    if not str(parsed.national_number).endswith(_FICTIONAL_ENDING):
        return None
    return " ".join(number.split())


def _parsed(number: str, country: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country.upper() if country else None)
    except NumberParseException:
        return None
