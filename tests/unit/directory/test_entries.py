"""Entries and rows: the same rules for what a stranger signs as for what a file says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.entries import Entry, EntryPlace, parse_entry, render_entry
from directory.entries import EntryRefused, entries_of, listings_of
from directory.imports import ImportRefused, Listing, read_listings
from tests.unit.directory.support import ADDRESS, GOOD, OTHER, TODAY, csv_file

CANARY = "qzqcanary"
ROWS = [
    {**GOOD, **ADDRESS, "hotline": "+60 3-1000 0000", "org_alternate_names": "Hope;希望"},
    {
        **GOOD,
        "service_key": "secret",
        "confidential": "yes",
        "name_ur": "امید گھر",
        "org_alternate_names": "Hope;希望",
    },
    {**GOOD, "org_id": OTHER, "country": "BD", "coverage": "", "phone": ""},
]
# What would do something on a page, in a spreadsheet, or to somebody who rings or goes there.
HOSTILE = [
    f"<script>{CANARY}</script>",
    f"{CANARY}<img src=x onerror=alert(1)>",
    f"{CANARY} &lt;b&gt;",
    f'=HYPERLINK("{CANARY}")',
    f"@{CANARY}",
    f"\u202e{CANARY}",
    f"{CANARY}\x1b[2J",
    f"{CANARY}\x00",
    CANARY * 300,
]
LINKS = [
    f"javascript:{CANARY}",
    f"data:text/html,{CANARY}",
    f"https://{CANARY}.org/",
    f"https://a@{CANARY}.example/",
]
NUMBERS = ["+60 3-8000 8000", "03-0000 0000", "999", CANARY, "+60 3-0000 0000;ext=1"]


def listings(rows: list[dict[str, str]]) -> tuple[Listing, ...]:
    return read_listings(csv_file(rows), today=TODAY, demonstration=True)


@cache
def entry() -> Entry:
    return entries_of(listings(ROWS))[1]


def comparable(listing: Listing) -> dict[str, Any]:
    values = {name: value for name, value in listing.values.items() if name != "confirmed_on"}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def test_what_a_file_says_is_what_its_entries_show() -> None:
    read = listings(ROWS)
    shown = [
        one
        for made in entries_of(read)
        for one in listings_of(parse_entry(render_entry(made)), demonstration=True)
    ]
    by_key = {one.key: comparable(one) for one in shown}
    assert by_key == {one.key: comparable(one) for one in read}


def test_the_file_s_own_day_of_confirmation_enters_no_entry() -> None:
    later = [{**row, "confirmed_on": "2026-01-01"} for row in ROWS]
    assert entries_of(listings(later)) == entries_of(listings(ROWS))


@given(st.permutations(range(len(ROWS))))
@settings(deadline=None)
def test_the_order_of_the_rows_changes_no_entry(order: list[int]) -> None:
    assert entries_of(listings([ROWS[place] for place in order])) == entries_of(listings(ROWS))


def test_more_services_than_an_entry_holds_are_told_and_not_cut_off() -> None:
    rows = [{**GOOD, "service_key": f"s{number}"} for number in range(401)]
    with pytest.raises(ImportRefused, match="more than 400 services"):
        entries_of(listings(rows))
    long = [
        {**GOOD, "service_key": f"s{number}", "description": "希" * 2000} for number in range(50)
    ]
    with pytest.raises(ImportRefused, match="KiB together"):
        entries_of(listings(long))


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("name", ["name", "description", "website", "email", "alternate_names"])
def test_a_hostile_text_of_an_organisation_is_refused_and_not_quoted(
    name: str, hostile: str
) -> None:
    value: Any = f"{hostile} DEMO" if name == "name" else hostile
    changed: Any = {name: (value,) if name == "alternate_names" else value}
    refused(replace(entry(), **changed))


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize(
    "name",
    [
        "key",
        "name",
        "description",
        "region",
        "referral_how",
        "country",
        "coverage",
        "services",
        "languages",
        "populations",
        "availability",
        "phones",
        "hotlines",
        "names",
    ],
)
def test_a_hostile_text_of_a_service_is_refused_and_not_quoted(name: str, hostile: str) -> None:
    whole = entry()
    value: Any = hostile
    if name == "names":
        value = {"en": hostile}
    elif isinstance(getattr(whole.services[0], name), tuple):
        value = (hostile,)
    refused(replace(whole, services=(replace(whole.services[0], **{name: value}),)))


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_leads_elsewhere_is_refused(link: str) -> None:
    refused(replace(entry(), website=link))


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", ["phones", "hotlines"])
def test_a_number_that_somebody_may_answer_is_refused(name: str, number: str) -> None:
    whole = entry()
    changed: Any = {name: (number,)}
    refused(replace(whole, services=(replace(whole.services[0], **changed),)))


@pytest.mark.parametrize("place", [EntryPlace("1", "", "S", "4"), EntryPlace(HOSTILE[0], *"abc")])
def test_half_an_address_or_a_hostile_one_is_refused(place: EntryPlace) -> None:
    whole = entry()
    open_one = next(one for one in whole.services if not one.confidential)
    refused(replace(whole, services=(replace(open_one, place=place),)))


def test_a_fictional_organisation_stays_out_of_a_real_network() -> None:
    with pytest.raises(EntryRefused, match="fictional organisation in a network of real ones"):
        listings_of(entry(), demonstration=False)
    with pytest.raises(EntryRefused):
        listings_of(replace(entry(), name="Harapan"), demonstration=True)


def test_a_name_in_a_language_of_nobody_s_is_refused() -> None:
    whole = entry()
    refused(replace(whole, services=(replace(whole.services[0], names={"xx": "Rumah"}),)))


def refused(bad: Entry) -> None:
    with pytest.raises(EntryRefused) as found:
        listings_of(bad, demonstration=True)
    assert CANARY not in str(found.value)
    assert found.value.rule
    assert found.value.remedy
