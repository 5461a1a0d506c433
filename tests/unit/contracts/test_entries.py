"""The bytes of an entry: one spelling, closed, and no place for a confidential address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import ORG_KINDS
from contracts.entries import (
    MAX_ENTRY,
    MAX_SERVICES,
    Entry,
    EntryPlace,
    EntryService,
    entry_hash,
    parse_entries,
    parse_entry,
    read_entry,
    render_entries,
    render_entry,
)
from contracts.errors import ContractError, Malformed, Refused
from contracts.identifiers import OrgId

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SAID = TEXT.filter(bool)
LISTS = st.lists(SAID, max_size=3, unique=True).map(tuple)
PLACES = st.builds(EntryPlace, TEXT, TEXT, TEXT, TEXT, latitude=TEXT, longitude=TEXT)


@st.composite
def services(draw: st.DrawFn, key: str) -> EntryService:
    confidential = draw(st.booleans())
    return EntryService(
        key=key,
        name=draw(TEXT),
        services=draw(LISTS),
        languages=draw(LISTS),
        country=draw(TEXT),
        confidential=confidential,
        names=draw(st.dictionaries(st.sampled_from(["en", "bn", "zh"]), SAID, max_size=3)),
        description=draw(TEXT),
        coverage=draw(LISTS),
        accepts_referrals=draw(st.booleans()),
        phones=draw(LISTS),
        hotlines=draw(LISTS),
        place=None if confidential else draw(st.none() | PLACES),
    )


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    keys = draw(st.lists(SAID, min_size=1, max_size=3, unique=True))
    return Entry(
        org=OrgId(draw(st.from_regex(r"[a-z]{2}-[0-9a-f]{16}", fullmatch=True))),
        kind=draw(st.sampled_from(ORG_KINDS)),
        name=draw(TEXT),
        description=draw(TEXT),
        services=tuple(draw(services(key)) for key in keys),
        alternate_names=draw(LISTS),
        website=draw(TEXT),
        demo=draw(st.booleans()),
    )


SERVICE: dict[str, Any] = {
    "key": "shelter",
    "name": "Rumah",
    "services": ["shelter"],
    "languages": ["msa"],
    "country": "my",
    "confidential": False,
}
ENTRY: dict[str, Any] = {
    "v": 1,
    "org": "my-0123456789abcdef",
    "kind": "ngo",
    "name": "Harapan",
    "description": "Fictional.",
    "services": [SERVICE],
}
PLACE = {"address_1": "1 Jalan", "city": "Klang", "state_province": "S", "postal_code": "4"}


def carried(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@given(entries())
def test_an_entry_comes_back_as_it_was_and_with_the_same_hash(entry: Entry) -> None:
    data = render_entry(entry)
    assert parse_entry(data) == entry
    assert render_entry(parse_entry(data)) == data
    assert entry_hash(data) == entry_hash(render_entry(entry))


@given(st.lists(entries(), max_size=3, unique_by=lambda entry: entry.org))
def test_a_file_of_entries_comes_back_as_it_was(some: list[Entry]) -> None:
    assert parse_entries(render_entries(some)) == tuple(some)


@given(entries(), st.sampled_from([1, None]))
def test_the_same_entry_spelt_in_another_way_has_no_hash(entry: Entry, indent: int | None) -> None:
    other = json.dumps(json.loads(render_entry(entry)), indent=indent).encode()
    assert read_entry(other) == entry
    with pytest.raises(Malformed, match="not canonical"):
        parse_entry(other)


def test_a_confidential_service_has_no_place_in_bytes_or_in_memory() -> None:
    secret = {**SERVICE, "confidential": True, "place": PLACE}
    with pytest.raises(Refused, match="confidential place"):
        read_entry(carried({**ENTRY, "services": [secret]}))
    empty = {**SERVICE, "confidential": True, "place": {}}
    with pytest.raises(Refused, match="confidential place"):
        read_entry(carried({**ENTRY, "services": [empty]}))
    with pytest.raises(Refused, match="confidential place"):
        EntryService("a", "b", (), (), "my", True, place=EntryPlace("1", "2", "3", "4"))


@pytest.mark.parametrize("name", sorted(PLACE))
def test_an_address_stands_in_no_other_member(name: str) -> None:
    for there in ({**ENTRY, name: "x"}, {**ENTRY, "services": [{**SERVICE, name: "x"}]}):
        with pytest.raises(Malformed, match="unknown member"):
            read_entry(carried(there))


@pytest.mark.parametrize("name", sorted(SERVICE))
def test_what_must_be_said_is_said(name: str) -> None:
    service = {key: value for key, value in SERVICE.items() if key != name}
    with pytest.raises(Malformed, match="missing member"):
        read_entry(carried({**ENTRY, "services": [service]}))


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2},
        {"org": "Harapan"},
        {"kind": "shop"},
        {"demo": "yes"},
        {"services": [SERVICE, SERVICE]},
        {"services": [{**SERVICE, "key": str(key)} for key in range(MAX_SERVICES + 1)]},
        {"services": [{**SERVICE, "confidential": "no"}]},
        {"services": [{**SERVICE, "phones": ["1", "1"]}]},
        {"services": [{**SERVICE, "phones": [""]}]},
        {"services": [{**SERVICE, "names": {"English": "x"}}]},
        {"services": [{**SERVICE, "names": {"en": 1}}]},
        {"services": [{**SERVICE, "place": {**PLACE, "latitude": 3}}]},
        {"description": "x" * MAX_ENTRY},
    ],
)
def test_what_is_no_entry_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_entry(carried({**ENTRY, **changed}))


def test_a_file_has_one_entry_for_an_organisation() -> None:
    entry = read_entry(carried(ENTRY))
    with pytest.raises(Malformed, match="id repeated"):
        parse_entries(render_entries([entry, entry]))


@given(st.recursive(st.none() | st.booleans() | TEXT, lambda inner: st.lists(inner, max_size=2)))
def test_any_value_in_any_member_does_no_worse_than_to_be_refused(value: Any) -> None:
    for name in (*ENTRY, "alternate_names", "website", "demo"):
        _try({**ENTRY, name: value})
    for name in (*SERVICE, "names", "place", "phones", "accepts_referrals"):
        _try({**ENTRY, "services": [{**SERVICE, name: value}]})


def _try(value: dict[str, Any]) -> None:
    try:
        entry = read_entry(carried(value))
    except ContractError:
        return
    assert parse_entry(render_entry(entry)) == entry
