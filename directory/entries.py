"""Entries and rows: what was signed, and what the directory shows of it.

An entry's every value goes through the rules of the import's columns, so that what a stranger
signs can bring no markup, no formula, no number that somebody else answers, no fictional
organisation into a network of real ones. What is shown is what these rules made of the signed
bytes and nothing else.

    entries = entries_of(read_listings(data, ...))        # one for each organisation of a file
    listings = listings_of(entry, demonstration=True)      # raises EntryRefused
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from contracts.encoding import JsonInput
from contracts.entries import (
    MAX_ENTRY,
    MAX_SERVICES,
    Entry,
    EntryPlace,
    EntryService,
    render_entry,
)
from contracts.errors import Refused
from contracts.identifiers import OrgId
from directory.columns import SEPARATOR
from directory.imports import ImportRefused, Listing, Problem, read_row
from directory.taxonomies import INTERFACE_LANGUAGES

BREAKS_A_RULE: Final = "entry_breaks_a_rule"


class EntryRefused(Refused):
    """An entry breaks a rule of the columns. `rule` and `remedy` are ours and quote nothing."""

    def __init__(self, column: str, rule: str, remedy: str) -> None:
        super().__init__(BREAKS_A_RULE, column)
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.field}: {self.rule}. {self.remedy}"


def entries_of(listings: Sequence[Listing]) -> tuple[Entry, ...]:
    """The entries of an import's rows, in the order of the organisations' ids.

    Raises `ImportRefused` where an organisation has more than one entry holds.
    """
    ordered = sorted(listings, key=lambda listing: listing.key)
    groups = [list(rows) for _, rows in groupby(ordered, key=lambda listing: listing.key[0])]
    problems = [problem for rows in groups for problem in _too_large(rows)]
    if problems:
        raise ImportRefused(sorted(problems, key=lambda problem: problem.row))
    return tuple(_entry(rows) for rows in groups)


def listings_of(entry: Entry, *, demonstration: bool) -> tuple[Listing, ...]:
    """The rows of an entry, numbered from 1 by service. Raises `EntryRefused` for the first fault.

    `demonstration`: whether this network may hold fictional organisations.
    """
    found: list[Listing] = []
    for number, service in enumerate(entry.services, start=1):
        cells = _cells(entry, service)
        listing, problems = read_row(number, cells, demonstration=demonstration)
        for problem in problems:
            raise EntryRefused(problem.column, problem.rule, problem.remedy)
        found.append(listing)
    return tuple(found)


def _too_large(rows: Sequence[Listing]) -> Iterator[Problem]:
    remedy = "Join services that differ little, or shorten their texts."
    if len(rows) > MAX_SERVICES:
        rule = f"more than {MAX_SERVICES} services of one organisation"
        yield Problem(rows[MAX_SERVICES].row, "service_key", rule, remedy)
    elif len(render_entry(_entry(rows))) > MAX_ENTRY:
        rule = f"the organisation's rows are larger than {MAX_ENTRY // 1024} KiB together"
        yield Problem(rows[0].row, "org_id", rule, remedy)


def _entry(rows: Sequence[Listing]) -> Entry:
    values = rows[0].values
    return Entry(
        org=OrgId(values["org_id"]),
        kind=values["org_kind"],
        name=values["org_name"],
        alternate_names=tuple(values["org_alternate_names"]),
        description=values["org_description"],
        website=values["org_website"],
        email=values["org_email"],
        demo=values["demo"],
        services=tuple(_service(row.values) for row in rows),
    )


_TEXTS: Final = ("description", "country", "region", "referral_how", "accepts_referrals")
_LISTS: Final = ("services", "populations", "languages", "coverage", "availability")


def _service(values: Mapping[str, Any]) -> EntryService:
    names = {language: values[f"name_{language}"] for language in INTERFACE_LANGUAGES}
    same: dict[str, Any] = {name: values[name] for name in _TEXTS}
    same |= {name: tuple(values[name]) for name in _LISTS}
    return EntryService(
        key=values["service_key"],
        name=values["service_name"],
        names={language: name for language, name in names.items() if name},
        confidential=values["confidential"],
        place=_place(values),
        phones=tuple(values["phone"]),
        hotlines=tuple(values["hotline"]),
        **same,
    )


def _place(values: Mapping[str, Any]) -> EntryPlace | None:
    if values["confidential"] or not values["address_1"]:
        return None
    return EntryPlace(
        address_1=values["address_1"],
        city=values["city"],
        state_province=values["state_province"],
        postal_code=values["postal_code"],
        latitude=_degrees(values["latitude"]),
        longitude=_degrees(values["longitude"]),
    )


def _degrees(value: float | None) -> str:
    if value is None:
        return ""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _cells(entry: Entry, service: EntryService) -> dict[str, str]:
    """The entry as a row of the import would say it."""
    texts = {name: getattr(service, name) for name in _TEXTS}
    lists = {name: getattr(service, name) for name in _LISTS}
    values: dict[str, JsonInput] = {
        "org_id": entry.org,
        "org_name": entry.name,
        "org_alternate_names": entry.alternate_names,
        "org_kind": entry.kind,
        "org_description": entry.description,
        "org_website": entry.website,
        "org_email": entry.email,
        "demo": entry.demo,
        "service_key": service.key,
        "service_name": service.name,
        **{f"name_{language}": name for language, name in _names(service).items()},
        **texts,
        **lists,
        "confidential": service.confidential,
        "phone": service.phones,
        "hotline": service.hotlines,
        **_place_cells(service.place),
    }
    return {column: _cell(column, value) for column, value in values.items()}


def _names(service: EntryService) -> Mapping[str, str]:
    if not service.names.keys() <= set(INTERFACE_LANGUAGES):
        remedy = f"Use one of: {', '.join(INTERFACE_LANGUAGES)}."
        raise EntryRefused("names", "a name in a language that the directory does not have", remedy)
    return service.names


def _place_cells(place: EntryPlace | None) -> dict[str, str]:
    if place is None:
        return {}
    return {
        "address_1": place.address_1,
        "city": place.city,
        "state_province": place.state_province,
        "postal_code": place.postal_code,
        "latitude": place.latitude,
        "longitude": place.longitude,
    }


def _cell(column: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    parts = [str(part) for part in value] if isinstance(value, tuple) else []
    if any(SEPARATOR in part for part in parts):
        raise EntryRefused(column, "a semicolon within a value", "Write two values, or a comma.")
    return SEPARATOR.join(parts)
