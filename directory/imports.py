"""Reading listings from a CSV file: read whole, check whole, then all of it or nothing.

UTF-8, with or without a byte order mark; one service a row; the columns of `directory.columns`.
Every broken row is reported, by row and column as a spreadsheet shows them, with the rule and
the remedy and never with what stands in the cell. Nothing is stored here: the listings become
entries that somebody signs (`directory.entries`), and an entry is held to the same rules of cells
and rows (`read_row`), whoever wrote it.

    listings = read_listings(data, today=date, demonstration=True)     # raises ImportRefused
    listing, problems = read_row(1, cells, demonstration=True)
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

from broker.service.failures import Failure
from directory.columns import (
    ADDRESS_COLUMNS,
    COLUMNS,
    ORGANISATION_COLUMNS,
    PLACE_COLUMNS,
    Broken,
    Column,
)
from directory.phones import fictional_number, real_number

# A hundred thousand services with long descriptions fit; reading it all takes some hundred MB.
MAX_FILE: Final = 128 * 1024 * 1024
MAX_ROWS: Final = 200_000
# More than this nobody reads; the count of all is still told.
SHOWN_PROBLEMS: Final = 200
_HEADER_ROW: Final = 1
# Each name of the header is compared with all before it.
_MOST_COLUMNS: Final = 1000
_RESERVED: Final = ("example", "test", "invalid", "example.org", "example.com", "example.net")
DEMO_WORD: Final = "DEMO"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell, or with a whole row or file where `column` is ""."""

    row: int
    column: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        where = f"row {self.row}, {self.column}" if self.column else f"row {self.row}"
        return f"{where}: {self.rule}. {self.remedy}"


class ImportRefused(Failure):
    """The file was not imported; `problems` holds every one of them, in the order of the rows."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = "\n".join(f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS])
        more = len(self.problems) - SHOWN_PROBLEMS
        rest = f"\n  and {more} more." if more > 0 else ""
        count = len(self.problems)
        super().__init__(
            f"The file has {count} {'problem' if count == 1 else 'problems'} and nothing was"
            f" prepared from it. Whoever keeps the file corrects it and tries again.\n{shown}{rest}"
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """One good row: its number, and its values by column. Phones are ready to be shown."""

    row: int
    values: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """What a later import knows the service by."""
        return self.values["org_id"], self.values["service_key"]


def read_listings(data: bytes, *, today: date, demonstration: bool) -> tuple[Listing, ...]:
    """The listings in a file. Raises `ImportRefused` with all that is wrong with it.

    `demonstration`: whether this network may hold fictional organisations.
    """
    header, rows = _rows(_text(data))
    problems = list(_header_problems(header))
    if problems:
        raise ImportRefused(problems)
    listings: list[Listing] = []
    for number, cells in rows:
        found, wrong = read_row(
            number, dict(zip(header, cells, strict=False)), demonstration=demonstration
        )
        problems += _too_many_cells(number, header, cells)
        problems += wrong or _days_to_come(found, today=today)
        listings.append(found)
    problems += _between_rows([one for one in listings if "service_key" in one.values])
    if problems:
        raise ImportRefused(sorted(problems, key=lambda problem: problem.row))
    return tuple(listings)


def read_row(
    number: int, cells: Mapping[str, str], *, demonstration: bool
) -> tuple[Listing, list[Problem]]:
    """A row's values, its numbers as they are shown, and what breaks a rule of cell or row.

    Where there are problems, the listing holds what could be read and is not to be shown.
    """
    listing, problems = _listing(number, cells)
    problems = problems or _row_rules(listing, demonstration=demonstration)
    return (listing if problems else _as_shown(listing)), problems


def _text(data: bytes) -> str:
    if len(data) > MAX_FILE:
        raise ImportRefused([Problem(1, "", "the file is too large", "Split it.")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
    raise ImportRefused(
        [Problem(row, "", "bytes that are not UTF-8", 'Save the file as "CSV UTF-8".')]
    )


def _rows(text: str) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, and each row that is not empty with the number that a spreadsheet shows."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        rule, remedy = "quotation marks that do not match", "Save it again from a spreadsheet."
        raise ImportRefused([Problem(1, "", rule, remedy)]) from None
    if len(rows) > MAX_ROWS + 1:
        raise ImportRefused([Problem(MAX_ROWS, "", "too many rows", "Split the file.")])
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    numbered = enumerate(rows[1:], start=_HEADER_ROW + 1)
    return header, ((number, cells) for number, cells in numbered if any(map(str.strip, cells)))


def _header_problems(header: list[str]) -> Iterator[Problem]:
    """Whole-file problems; an unknown column's name is the file's, so its place is told instead."""
    if len(header) > _MOST_COLUMNS:
        yield Problem(_HEADER_ROW, "", "too many columns", "Keep those that are documented.")
        return
    for place, name in enumerate(header, start=1):
        if name not in _BY_NAME:
            rule = f"column {place} has a name that is not documented"
            yield Problem(_HEADER_ROW, "", rule, "Rename it or take it out.")
        elif name in header[: place - 1]:
            yield Problem(_HEADER_ROW, name, "the column is there twice", "Take one out.")
    for column in COLUMNS:
        if column.required and column.name not in header:
            yield Problem(_HEADER_ROW, column.name, "the column is missing", "Add it.")


_BY_NAME: Final[Mapping[str, Column]] = {column.name: column for column in COLUMNS}
_EMPTY: Final[Mapping[str, object]] = {
    **dict.fromkeys((column.name for column in COLUMNS), ""),
    **dict.fromkeys(
        [
            "org_alternate_names",
            "services",
            "populations",
            "languages",
            "coverage",
            "availability",
            "phone",
            "hotline",
        ],
        (),
    ),
    **dict.fromkeys(("demo", "accepts_referrals"), False),
    **dict.fromkeys(("confidential", "confirmed_on", "latitude", "longitude")),
}


def _too_many_cells(number: int, header: list[str], cells: list[str]) -> Iterator[Problem]:
    if any(map(str.strip, cells[len(header) :])):
        rule = "more cells than the header has columns"
        yield Problem(number, "", rule, "Put cells with commas in quotation marks.")


def _listing(number: int, cells: Mapping[str, str]) -> tuple[Listing, list[Problem]]:
    """A row's readable values, and what is wrong with the others."""
    problems: list[Problem] = []
    values = dict(_EMPTY)
    for column in COLUMNS:
        cell = cells.get(column.name, "").strip()
        try:
            if cell:
                values[column.name] = column.read(cell)
            elif column.required:
                raise Broken("the cell is empty", "Fill it in.")
        except Broken as broken:
            values.pop(column.name, None)
            problems.append(Problem(number, column.name, broken.rule, broken.remedy))
    return Listing(number, values), problems


def _row_rules(listing: Listing, *, demonstration: bool) -> list[Problem]:
    """The rules between the columns of a row whose cells are good."""
    values = listing.values
    found = [*_place_rules(values), *_number_rules(values)]
    if values["demo"]:
        found += _demo_rules(values)
        if not demonstration:
            rule = "a fictional organisation in a network of real ones"
            found.append(("demo", rule, "Enter it in a demonstration network."))
    return [Problem(listing.row, column, rule, remedy) for column, rule, remedy in found]


def _days_to_come(listing: Listing, *, today: date) -> list[Problem]:
    said = listing.values["confirmed_on"]
    if said is None or said <= today:
        return []
    remedy = "Write the day of the last confirmation."
    return [Problem(listing.row, "confirmed_on", "a day to come", remedy)]


_Rule = tuple[str, str, str]


def _place_rules(values: Mapping[str, Any]) -> Iterator[_Rule]:
    given = [name for name in PLACE_COLUMNS if values[name] not in ("", None)]
    if values["confidential"]:
        for name in given:
            yield (
                name,
                "part of an address of a confidential service",
                "Empty the cell: the place is told to the receiver in the sealed acceptance only.",
            )
        return
    if given and values["confidential"] is None:
        # A list that was made without the column would otherwise publish a shelter's address.
        rule = "an address without a word on whether it may be known"
        yield "confidential", rule, "Write no if everybody may know it; if not, empty the address."
    for name in ADDRESS_COLUMNS if given else ():
        if name not in given:
            rule = "an address must be whole"
            yield name, rule, "Fill in all of the address, or use region and coverage alone."
    if (values["latitude"] is None) != (values["longitude"] is None):
        yield "latitude", "one coordinate alone", "Give latitude and longitude, or neither."


def _number_rules(values: Mapping[str, Any]) -> Iterator[_Rule]:
    for name in ("phone", "hotline"):
        if all(_shown(number, name, values) for number in values[name]):
            continue
        if values["demo"]:
            rule = "a number of a fictional organisation that might be answered"
            yield name, rule, "Write + and the country's code, and end it with six zeros."
        else:
            rule = "a number that cannot be dialled"
            yield name, rule, "Write it with + and the country's code."


def _demo_rules(values: Mapping[str, Any]) -> Iterator[_Rule]:
    if DEMO_WORD not in values["org_name"]:
        yield "org_name", "a fictional organisation must say so", f"Put {DEMO_WORD} in its name."
    hosts = {
        "org_website": urlsplit(values["org_website"]).hostname or "",
        "org_email": values["org_email"].rpartition("@")[2],
    }
    for name, host in hosts.items():
        if host and not any(host == one or host.endswith(f".{one}") for one in _RESERVED):
            rule = "an address of a fictional organisation that might be somebody's"
            yield name, rule, "Use example.org or a name that ends with .example (RFC 2606)."


def _shown(number: str, column: str, values: Mapping[str, Any]) -> str | None:
    if values["demo"]:
        return fictional_number(number)
    return real_number(number, country=values["country"], hotline=column == "hotline")


def _as_shown(listing: Listing) -> Listing:
    """The listing with its numbers in the form in which they are shown, and nothing unsaid."""
    shown = {
        name: [_shown(number, name, listing.values) or number for number in listing.values[name]]
        for name in ("phone", "hotline")
    }
    confidential = bool(listing.values["confidential"])
    return Listing(listing.row, {**listing.values, **shown, "confidential": confidential})


def _between_rows(listings: Iterable[Listing]) -> Iterator[Problem]:
    """A service twice, or an organisation that its rows describe differently."""
    seen: dict[object, int] = {}
    first: dict[object, Listing] = {}
    for listing in listings:
        org = listing.values.get("org_id")
        if org is None:
            continue
        other = seen.setdefault(listing.key, listing.row)
        if other != listing.row:
            rule = f"the same service as in row {other}"
            yield Problem(listing.row, "service_key", rule, "Take one out or give it a new key.")
        yield from _differences(first.setdefault(org, listing), listing)


def _differences(first: Listing, listing: Listing) -> Iterator[Problem]:
    for name in (*ORGANISATION_COLUMNS, "demo"):
        both = name in first.values and name in listing.values
        if both and first.values[name] != listing.values[name]:
            rule = f"not the same as in row {first.row} of this organisation"
            yield Problem(listing.row, name, rule, "Write the same in all its rows.")
