"""The columns of the listings CSV: what each means and what may stand in it.

The table here is the documentation (`columns_table()` renders it), the reader and the rule, so
they cannot differ. A cell becomes a value or raises `Broken` with a rule and a remedy, which
never hold the value itself: a cell pasted into the wrong column may be a person's name.

Text is plain text. Control characters, characters that turn the direction of writing, markup,
and a first character that spreadsheets take for a formula are refused, so that nothing that was
imported can do anything on a page or in an export.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from contracts.errors import Malformed
from contracts.identifiers import parse_org_id
from directory import taxonomies

LONGEST_NAME: Final = 200
LONGEST_TEXT: Final = 2000
LONGEST_URL: Final = 300
MOST_VALUES: Final = 60
SEPARATOR: Final = ";"


class Broken(Exception):
    """A cell breaks a rule. Both sentences are ours; neither quotes the cell."""

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its meaning for people, how a cell is read, whether it may be empty."""

    name: str
    meaning: str
    read: Callable[[str], object]
    required: bool = False


def plain(longest: int) -> Callable[[str], str]:
    """Plain text of one line, at most `longest` characters, NFC, spaces made single."""

    def read(cell: str) -> str:
        text = " ".join(unicodedata.normalize("NFC", cell).split())
        if len(text) > longest:
            raise Broken(f"longer than {longest} characters", "Say it in fewer words.")
        _refuse_active(text)
        return text

    return read


def texts(cell: str) -> list[str]:
    """Several plain texts, separated by semicolons, without repeats."""
    return _several(cell, plain(LONGEST_NAME))


def codes(allowed: Sequence[str]) -> Callable[[str], list[str]]:
    """Several codes out of a list, separated by semicolons, in the list's order."""

    def read(cell: str) -> list[str]:
        found = set(_several(cell.lower(), str.strip))
        if not found <= set(allowed):
            raise Broken("a code that is not in the list", "Use the codes of the documentation.")
        return [code for code in allowed if code in found]

    return read


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """One code out of a list."""

    def read(cell: str) -> str:
        code = cell.strip().lower()
        if code not in allowed:
            raise Broken("not a code of the list", f"Use one of: {', '.join(allowed)}.")
        return code

    return read


def yes_no(cell: str) -> bool:
    """`yes` or `no`; an empty cell is no."""
    return bool(cell) and one_of(("yes", "no"))(cell) == "yes"


def organisation_id(cell: str) -> str:
    """The organisation's id in the network."""
    try:
        return parse_org_id(cell)
    except Malformed:
        raise Broken(
            "not an organisation id", "Two letters, a hyphen, 16 hex digits, all lower case."
        ) from None


def service_key(cell: str) -> str:
    """A key that the organisation chooses once for a service and keeps."""
    if not _KEY.fullmatch(cell):
        raise Broken("not a key", "Up to 64 of a-z, 0-9 and hyphens, beginning with a letter.")
    return cell


def country(cell: str) -> str:
    """An ISO 3166-1 alpha-2 code."""
    code = cell.strip().lower()
    if not (code.isascii() and taxonomies.is_country(code.upper())):
        raise Broken("not a country code", "Use the two letters of ISO 3166-1, such as MY.")
    return code


def website(cell: str) -> str:
    """An http or https address of a public host."""
    try:
        parts = urlsplit(cell)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in cell
    except ValueError:
        good = False
    if not good or not _VISIBLE.fullmatch(cell) or len(cell) > LONGEST_URL:
        raise Broken("not a web address", "Write it whole, beginning with https://.")
    return cell


def email(cell: str) -> str:
    """An address of the office, never of a person."""
    if not _EMAIL.fullmatch(cell) or len(cell) > LONGEST_URL:
        raise Broken("not an e-mail address", "Write one address of the office, or leave it empty.")
    return cell


def day(cell: str) -> date | None:
    """A day as 2026-01-31."""
    if not _DAY.fullmatch(cell):
        raise Broken("not a day", "Write it as year-month-day, such as 2026-01-31.")
    try:
        return date.fromisoformat(cell)
    except ValueError:
        raise Broken("not a day of the calendar", "Write a day that exists.") from None


def degrees(limit: int) -> Callable[[str], float]:
    """Decimal degrees, between minus and plus `limit`."""

    def read(cell: str) -> float:
        if not _DEGREES.fullmatch(cell) or not -limit <= float(cell) <= limit:
            raise Broken("not decimal degrees", f"A number from -{limit} to {limit}, with a point.")
        return float(cell)

    return read


def numbers(cell: str) -> list[str]:
    """Telephone numbers, separated by semicolons; whether they can be dialled is checked later."""
    found = _several(cell, str.strip)
    if not all(_NUMBER.fullmatch(number) for number in found):
        raise Broken("not a telephone number", "Digits, spaces and hyphens, + first if abroad.")
    return found


def columns_table() -> str:
    """The columns as a Markdown table, for docs/import.md."""
    rows = [
        f"| `{column.name}` | {'yes' if column.required else ''} | {column.meaning} |\n"
        for column in COLUMNS
    ]
    return "| column | must be filled | what stands in it |\n|---|---|---|\n" + "".join(rows)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _several(cell: str, read: Callable[[str], str]) -> list[str]:
    parts = [read(part) for part in cell.split(SEPARATOR)]
    found = list(dict.fromkeys(part for part in parts if part))
    if len(found) > MOST_VALUES:
        raise Broken(f"more than {MOST_VALUES} values", "Leave some out.")
    return found


def _refuse_active(text: str) -> None:
    if any(unicodedata.category(c) in _REFUSED or c in _TURNING or c == "\ufffd" for c in text):
        raise Broken(
            "a control character or one that turns the direction of writing",
            "Type the text anew instead of pasting it; save the file as UTF-8.",
        )
    if _MARKUP.search(text):
        raise Broken("markup", "Write plain text, without tags or entities.")
    if text.lstrip(_UNSEEN)[:1] in _FORMULA:
        raise Broken("a first character that makes a formula of the text", "Begin with a letter.")


_REFUSED: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
# Overrides and isolates; the plain marks U+200E and U+200F stay, Urdu text needs them.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
# What may stand before a text without being seen: joiners, direction marks, byte order marks.
_UNSEEN: Final = "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_MARKUP: Final = re.compile(r"<[A-Za-z/!?]|&[A-Za-z]{2,31};|&#")
_FORMULA: Final = frozenset("=+-@|\uff1d\uff0b\uff0d\uff20")
_KEY: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_VISIBLE: Final = re.compile(r"[!-;=?-\[\]-~]+")
_EMAIL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DEGREES: Final = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,8})?")
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ()-]{1,24}")

_NAMES: Final = tuple(
    Column(
        f"name_{language}",
        f"the service's name in {taxonomies.interface_language_name(language)}",
        plain(LONGEST_NAME),
    )
    for language in taxonomies.INTERFACE_LANGUAGES
)

COLUMNS: Final = (
    Column("org_id", "the organisation's id in the network, such as `my-0123456789abcdef`",
           organisation_id, required=True),
    Column("org_name", "the organisation's name; the same in all its rows, and so for every"
           " column that begins with `org_` and for `demo`", plain(LONGEST_NAME), required=True),
    Column("org_alternate_names", "its other names, in any script, separated by `;`", texts),
    Column("org_kind", f"what it is: {_listed(taxonomies.CODES['organisation_kind'])}",
           one_of(taxonomies.CODES["organisation_kind"]), required=True),
    Column("org_description", "what it does, in a few sentences", plain(LONGEST_TEXT),
           required=True),
    Column("org_website", "its web address", website),
    Column("org_email", "an address of the office, never of a person", email),
    Column("demo", "`yes` for a fictional organisation: its name must say DEMO, its addresses on"
           " the web must be reserved ones (`example.org`, `.example`, `.test`, `.invalid`), and"
           " its telephone numbers must be ones that cannot be dialled", yes_no),
    Column("service_key", "a short key that the organisation gives the service once and keeps:"
           " a later import of the same key changes the service", service_key, required=True),
    Column("service_name", "the service's name as the organisation says it", plain(LONGEST_NAME),
           required=True),
    *_NAMES,
    Column("description", "what the service does, for whom, what happens there",
           plain(LONGEST_TEXT)),
    Column("services", f"kinds of help, separated by `;`: {_listed(taxonomies.CODES['service'])}",
           codes(taxonomies.CODES["service"]), required=True),
    Column("populations", "whom it serves, separated by `;`; empty if everybody:"
           f" {_listed(taxonomies.CODES['population'])}", codes(taxonomies.CODES["population"])),
    Column("languages", "languages spoken, ISO 639-3, separated by `;`:"
           f" {_listed(tuple(taxonomies.SPOKEN_LANGUAGES))}",
           codes(tuple(taxonomies.SPOKEN_LANGUAGES)), required=True),
    Column("country", "where it is, ISO 3166-1 alpha-2", country, required=True),
    Column("region", "the state, province or division it is in", plain(LONGEST_NAME)),
    Column("coverage", "the places it serves, separated by `;`", texts),
    Column("availability", f"separated by `;`: {_listed(taxonomies.AVAILABILITY)}",
           codes(taxonomies.AVAILABILITY)),
    Column("accepts_referrals", "`yes` or `no`: whether other organisations may refer a person",
           yes_no),
    Column("referral_how", "how to refer, and what is needed", plain(LONGEST_TEXT)),
    Column("confidential", "`yes` for a place that must not be known: every column of an address"
           " and the coordinates must then be empty, and are refused otherwise; `no` must be"
           " written where there is an address", yes_no),
    Column("address_1", "street and number; an address needs this, `city`, `state_province` and"
           " `postal_code` together", plain(LONGEST_NAME)),
    Column("city", "city", plain(LONGEST_NAME)),
    Column("state_province", "state or province of the address", plain(LONGEST_NAME)),
    Column("postal_code", "postal code", plain(LONGEST_NAME)),
    Column("latitude", "decimal degrees, together with `longitude` and an address", degrees(90)),
    Column("longitude", "decimal degrees", degrees(180)),
    Column("phone", "telephone numbers of the office, separated by `;`", numbers),
    Column("hotline", "numbers that a person in need may ring, separated by `;`; short numbers of"
           " the country too", numbers),
    Column("confirmed_on", "what the file says of the day of the last confirmation; checked, and"
           " not published: the day that is shown is the log's", day),
)  # fmt: skip
PLACE_COLUMNS: Final = (
    "address_1",
    "city",
    "state_province",
    "postal_code",
    "latitude",
    "longitude",
)
ADDRESS_COLUMNS: Final = PLACE_COLUMNS[:4]
ORGANISATION_COLUMNS: Final = tuple(c.name for c in COLUMNS if c.name.startswith("org_"))
