"""How a published number is dialled from abroad, by Google's numbering plans in `phonenumbers`.

dial("03-8000 8000", "my")  →  "+60380008000"
"""

import phonenumbers


def dial(number: str, country: str) -> str:
    """E.164 where the number has that form in the country; else, as of a short code, its digits."""
    digits = "".join(char for char in number if char.isdigit())
    try:
        parsed = phonenumbers.parse(number, country.upper())
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_valid_number(parsed):  # a short code, or one the library does not know
        return digits
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
