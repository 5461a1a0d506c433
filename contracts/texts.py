"""What people write freely, looked at for what must not stand there before acceptance.

    findings(body, identity=draft)

Refused is text that repeats a value of the identity draft, or looks like a telephone, document or
account number, an e-mail or a web address, in the digits of any script. Dates, times, amounts with
their currency and the years of a law are none of these. It is a net with holes: a village, "the
girl from the news", a number spelt in words or shorter than seven digits pass, so the screens say
it too. A number of another system (a UUID) is refused like any other: it finds one person there.
Nothing here quotes a text or says which word it was.
"""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from contracts.bodies import Body, IdentityReleased, MeetingPlace, Note
from contracts.findings import Finding, Rule
from contracts.repeats import repeats
from contracts.shapes import json_name
from contracts.spelling import plain

_BETWEEN: Final = r"(?:[\s().\-/_*+|~:\u2010-\u2015\u00b7\u2022\u2800]|,(?=[0-9])){0,5}"
# The shortest number by which somebody can be reached or found from abroad.
_NUMBER: Final = re.compile(rf"(?:[0-9]{_BETWEEN}){{6}}[0-9]")
# A passport's, a refugee card's: a letter with five digits behind it.
_DOCUMENT: Final = re.compile(r"[a-z]-?[0-9]{5}")
_UUID: Final = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(?![0-9a-z])")
_ADDRESS: Final = re.compile(
    r"@[^\W\d_][^\s@]{2}"  # an account's name, or what follows it in an e-mail
    r"|[^\s@] ?@ ?[^\s@]{1,100}\.[^\W\d_]{2}"
    r"|https?://|(?<![a-z0-9])www\.|(?<![a-z0-9])(?:t|wa|m)\.me/"
    r"|[a-z0-9]\.(?:com|net|org|info)(?![a-z0-9])"
    r"|[a-z0-9]\.(?:ly|co|io|app|me|my|bd|id|cn|lk|th|vn|pk)/[^\s]"
)
_SPELT_AT: Final = re.compile(
    r"\s?[(\[{<]\s?at\s?[)\]}>]\s?|\sat(?=\s(?:gmail|yahoo|hotmail)\s?\.)"
)
_SPELT_DOT: Final = re.compile(r"\s?[(\[{<]\s?dot\s?[)\]}>]\s?|\sdot\s(?=(?:com|net|org)(?![a-z]))")
_SPELT_DASH: Final = re.compile(r"(?<![a-z])(?:dash|hyphen|minus|dot|space)(?![a-z])")
# Chinese numerals, as telephone numbers are written out in them.
_NUMERALS: Final = str.maketrans("〇零一二三四五六七八九幺", "001234567891")

_YEAR: Final = r"(?:19|20|24|25)[0-9]{2}"  # 24.., 25..: Thailand's calendar
_MONTH: Final = r"(?:0?[1-9]|1[0-2])"
_OF_MONTH: Final = r"(?:0?[1-9]|[12][0-9]|3[01])"
_AT: Final = r"(?:[01]?[0-9]|2[0-4])[:.][0-5][0-9](?::[0-5][0-9])?"
_SHORT: Final = rf"{_OF_MONTH}[-./]{_MONTH}[-./][0-9]{{2}}"
_CURRENCY: Final = (
    r"(?:rm|myr|usd|us\$|\$|eur|€|£|bdt|tk\.?|taka|৳|idr|rp\.?|rupiah|cny|rmb|yuan|¥|元|lkr|pkr"
    r"|rs\.?|rupees|thb|baht|฿|vnd|dong|₫|ringgit)"
)
_AMOUNT: Final = r"[1-9][0-9]{0,8}(?:[.,][0-9]{2,3}){0,4}"
_ALONE, _ENDS = r"(?<![0-9])(?<![0-9][-./:,])", r"(?![-./:,]?[0-9])"
# What has many digits and finds nobody. In this order, because the first that fits is taken.
_HARMLESS: Final = re.compile(
    "|".join(
        (
            rf"(?<![a-z0-9]){_CURRENCY} ?{_AMOUNT}{_ENDS}",
            rf"{_ALONE}{_AMOUNT} ?{_CURRENCY}(?![a-z0-9])",
            rf"{_ALONE}[1-9][0-9]{{0,2}}(?:,[0-9]{{2,3}})*,[0-9]{{3}}(?:\.[0-9]{{1,2}})?{_ENDS}",
            rf"(?<![0-9]){_YEAR} ?[-./] ?{_MONTH} ?[-./] ?{_OF_MONTH}(?![0-9])",
            rf"(?<![0-9]){_OF_MONTH} ?[-./] ?{_MONTH} ?[-./] ?{_YEAR}(?![0-9])",
            rf"(?<![0-9]){_MONTH} ?[-./] ?{_OF_MONTH} ?[-./] ?{_YEAR}(?![0-9])",
            rf"{_ALONE}{_SHORT}(?: ?[-\u2013] ?{_SHORT})?{_ENDS}",
            rf"{_ALONE}{_MONTH}/{_YEAR}(?: ?[-\u2013] ?{_MONTH}/{_YEAR})?{_ENDS}",
            rf"{_ALONE}{_YEAR} ?[-\u2013/(] ?{_YEAR}{_ENDS}",
            rf"{_ALONE}[1-9][0-9]{{0,2}}/{_YEAR}{_ENDS}",  # a law's number and year
            rf"{_ALONE}{_AT}(?: ?[-\u2013] ?{_AT})?{_ENDS}",
        )
    )
)


def findings(body: Body, *, identity: IdentityReleased | None = None) -> tuple[Finding, ...]:
    """What stands in the texts of a body and must not; each kind once a text.

    `identity` is the draft that the desk keeps and has not sent.
    """
    return tuple(
        finding for path, note in _notes(body) for finding in _of_text(path, note, identity)
    )


def texts_of(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every free text in a body, as the path of its member and its text."""
    return ((where, note.text) for where, note in _notes(value, path))


def _notes(value: Any, path: str = "") -> Iterator[tuple[str, Note]]:
    if isinstance(value, Note):
        yield f"{path}/text", value
    elif isinstance(value, MeetingPlace) and value.text is not None:
        yield f"{path}/text", Note(value.text, "und")
    elif is_dataclass(value):
        for spec in fields(value):
            yield from _notes(getattr(value, spec.name), f"{path}/{json_name(spec)}")
    elif isinstance(value, tuple):
        for item in value:
            yield from _notes(item, path)


def _of_text(path: str, note: Note, identity: IdentityReleased | None) -> Iterator[Finding]:
    text = plain(note.text)
    if _has_address(text):
        yield Finding(Rule.TWO_STEPS, "text_has_address", path)
    if _has_number(text):
        yield Finding(Rule.TWO_STEPS, "text_has_number", path)
    if identity is not None and repeats(note.text, identity, language=note.language):
        yield Finding(Rule.TWO_STEPS, "text_repeats_identity", path)


def _has_address(text: str) -> bool:
    return _ADDRESS.search(_SPELT_AT.sub("@", _SPELT_DOT.sub(".", text))) is not None


def _has_number(text: str) -> bool:
    dashed = _SPELT_DASH.sub("-", text.translate(_NUMERALS))
    left = _HARMLESS.sub("#", dashed)
    return any(pattern.search(left) for pattern in (_NUMBER, _DOCUMENT, _UUID))
