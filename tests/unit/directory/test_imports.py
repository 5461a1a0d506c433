"""Importing listings: every broken row told, nothing half prepared, nothing quoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from directory.blobs import listed_bytes
from directory.columns import COLUMNS, columns_table
from directory.imports import ImportRefused, Problem, read_listings
from directory.listings import services_by_id
from directory.models import Generation, Organisation, Place, Service
from directory.preparing import Counts, Prepared, prepare
from tests.unit.directory.support import (
    ADDRESS,
    GOOD,
    NOW,
    ORG,
    OTHER,
    TODAY,
    Member,
    admit,
    csv_file,
    new_engine,
    new_log,
    store,
)

REPOSITORY = Path(__file__).parents[3]
CANARY = "zqxcanaryzqx"


def problems(data: bytes, *, demonstration: bool = True) -> tuple[Problem, ...]:
    with pytest.raises(ImportRefused) as refused:
        read_listings(data, today=TODAY, demonstration=demonstration)
    return refused.value.problems


def where(data: bytes) -> list[tuple[int, str]]:
    return [(problem.row, problem.column) for problem in problems(data)]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("org_id", CANARY),
        ("org_id", "MY-0123456789abcdef"),
        ("org_name", ""),
        ("org_name", f"Harapan {CANARY}"),  # fictional, and does not say DEMO
        ("org_kind", CANARY),
        ("org_website", f"javascript:{CANARY}"),
        ("org_website", f"https://{CANARY}.org"),  # fictional, and somebody may own it
        ("org_website", "https://harapan.example/\u202egpj"),
        ("org_email", CANARY),
        ("org_email", f"office@{CANARY}.org"),
        ("demo", CANARY),
        ("service_key", f"Key {CANARY}"),
        ("service_name", f"<b>{CANARY}</b>"),
        ("service_name", f"{CANARY} &amp; co"),
        ("service_name", f"{CANARY}\x00"),
        ("service_name", f"{CANARY}\u202e"),
        ("service_name", f"{CANARY}\ufffd"),
        ("service_name", f'=HYPERLINK("https://{CANARY}.example")'),
        ("service_name", f"@{CANARY}"),
        ("service_name", f"＝{CANARY}"),
        ("service_name", CANARY * 40),
        ("name_bn", f"+{CANARY}"),
        ("services", f"shelter;{CANARY}"),
        ("services", ""),
        ("populations", CANARY),
        ("languages", CANARY),
        ("languages", "en"),
        ("country", CANARY),
        ("country", "XX"),
        ("availability", CANARY),
        ("accepts_referrals", CANARY),
        ("phone", CANARY),
        ("phone", "+60 3-8000 8000"),  # fictional, and somebody answers it
        ("phone", "03-0000 0000"),
        ("hotline", "999"),
        ("confirmed_on", "31/12/2025"),
        ("confirmed_on", "2026-02-30"),
        ("confirmed_on", "2026-01-16"),
        ("address_1", f"{CANARY} street"),  # not whole
        ("latitude", CANARY),
        ("latitude", "91"),
    ],
)
def test_a_broken_cell_is_told_by_row_and_column_and_not_quoted(column: str, cell: str) -> None:
    rows = [GOOD, {**GOOD, "service_key": "second", column: cell}]
    found = problems(csv_file(rows))
    assert {problem.row for problem in found} == {3}
    told = {problem.column for problem in found}
    assert column in told or told <= set(ADDRESS)
    assert CANARY not in str(ImportRefused(found))
    assert all(problem.rule and problem.remedy for problem in found)


def test_all_broken_rows_are_told_at_once() -> None:
    rows = [
        {**GOOD, "service_key": f"key-{row}", "country": "XX" if row % 2 else "MY"}
        for row in range(20)
    ]
    assert where(csv_file(rows)) == [(row + 2, "country") for row in range(1, 20, 2)]


@pytest.mark.parametrize("column", sorted(ADDRESS))
def test_a_confidential_services_address_is_refused(column: str) -> None:
    row = {**GOOD, "confidential": "yes", column: ADDRESS[column]}
    assert where(csv_file([row])) == [(2, column)]


def test_a_service_twice_in_a_file_is_refused() -> None:
    assert where(csv_file([GOOD, GOOD])) == [(3, "service_key")]


def test_rows_that_describe_one_organisation_differently_are_refused() -> None:
    other = {**GOOD, "service_key": "second", "org_kind": "union"}
    assert where(csv_file([GOOD, other])) == [(3, "org_kind")]


def test_a_fictional_organisation_stays_out_of_a_real_network() -> None:
    found = problems(csv_file([GOOD]), demonstration=False)
    assert [problem.column for problem in found] == ["demo"]


def test_a_real_organisations_numbers_must_be_ones_that_ring() -> None:
    real = {**GOOD, "demo": "no", "org_name": "Harapan", "hotline": "", "phone": "03-8000 8000"}
    (listing,) = read_listings(csv_file([real]), today=TODAY, demonstration=False)
    assert listing.values["phone"] == ["+60 3-8000 8000"]
    assert where(csv_file([{**real, "phone": "+60 3-0000 0000"}])) == [(2, "phone")]
    short = {**real, "country": "TH", "hotline": "191", "phone": ""}
    (listing,) = read_listings(csv_file([short]), today=TODAY, demonstration=False)
    assert listing.values["hotline"] == ["191"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "org_id"),
        (b"org_id;org_name\n", ""),
        (b"\xff\xfe" + "org_id".encode("utf-16-le"), ""),
        (csv_file([GOOD]) + b'"unfinished', ""),
        (csv_file([GOOD]).replace(b"org_kind", b"org_kind,org_kind", 1), "org_kind"),
        (csv_file([GOOD]).replace(b"org_kind", CANARY.encode(), 1), ""),
    ],
)
def test_a_file_that_is_no_listing_is_refused_in_a_sentence(data: bytes, expected: str) -> None:
    found = problems(data)
    assert expected in {problem.column for problem in found}
    assert CANARY not in str(ImportRefused(found))


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    data = b"\xef\xbb\xbf" + csv_file([GOOD]).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert len(read_listings(data, today=TODAY, demonstration=True)) == 1


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_no_bytes_do_worse_than_to_be_refused(data: bytes) -> None:
    for content in (data, csv_file([GOOD]) + data):
        with suppress(ImportRefused):
            read_listings(content, today=TODAY, demonstration=True)


def test_a_broken_file_changes_nothing_in_the_database(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    with pytest.raises(ImportRefused):
        store(engine, [GOOD, {**GOOD, "service_key": "second", "country": "XX"}])
    with Session(engine) as session:
        assert session.scalars(select(Organisation)).all() == []


def test_an_import_says_what_it_would_change_and_stores_nothing(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    prepared = prepared_of(engine, [GOOD, {**GOOD, "service_key": "second"}])
    assert (prepared.organisations, prepared.services) == (Counts(added=1), Counts(added=2))
    with Session(engine) as session:
        assert session.scalars(select(Service)).all() == []
    store(engine, [GOOD, {**GOOD, "service_key": "second"}])
    prepared = prepared_of(engine, [{**GOOD, "phone": ""}, {**GOOD, "service_key": "third"}])
    assert prepared.organisations == Counts(changed=1)
    assert prepared.services == Counts(added=1, changed=1, removed=1)
    same = prepared_of(engine, [GOOD, {**GOOD, "service_key": "second", "confirmed_on": ""}])
    assert (same.organisations, same.services) == (Counts(unchanged=1), Counts(unchanged=2))


def test_rows_of_an_organisation_that_lists_itself_are_refused(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    admit(new_log(engine), Member.new(ORG))
    with pytest.raises(ImportRefused) as refused:
        prepared_of(engine, [{**GOOD, "org_id": OTHER}, GOOD])
    assert [(one.row, one.column) for one in refused.value.problems] == [(3, "org_id")]


def prepared_of(engine: Engine, rows: Sequence[Mapping[str, str]]) -> Prepared:
    listings = read_listings(csv_file(rows), today=TODAY, demonstration=True)
    register = new_log(engine).register()
    return prepare(listings, register=register, shown=lambda name: listed_bytes(engine, name))


def test_a_later_entry_is_the_whole_of_its_organisation(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    store(engine, [GOOD, {**GOOD, "service_key": "second"}])
    changed = {**GOOD, "service_name": "Rumah Baharu", "phone": "+60 3-1000 0000"}
    rows = [changed, {**GOOD, "service_key": "third"}]
    report = store(engine, [*rows, {**GOOD, "org_id": OTHER, "country": "BD"}], now=NOW + 5)
    assert (report.services_added, report.services_changed, report.services_removed) == (2, 1, 1)
    assert (report.organisations_added, report.organisations_changed) == (1, 1)
    with Session(engine) as session:
        services = session.scalars(select(Service).order_by(Service.name, Service.key)).all()
        assert [(one.key, one.name, one.last_modified) for one in services] == [
            ("shelter", "Rumah Baharu", NOW + 5),
            ("shelter", "Rumah Harapan", NOW + 5),
            ("third", "Rumah Harapan", NOW + 5),
        ]
        assert [phone.number for phone in services[0].phones] == ["+60 3-1000 0000"]


def test_listing_the_same_again_touches_nothing(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    row = {**GOOD, **ADDRESS, "hotline": "+60 3-1000 0000"}
    store(engine, [row])
    with Session(engine) as session:
        generation = session.scalars(select(Generation.number)).one()
    assert store(engine, [row], now=NOW + 5).changes == 0
    with Session(engine) as session:
        assert session.scalars(select(Generation.number)).one() == generation
    with Session(engine) as session:
        assert session.scalars(select(Service)).one().last_modified == NOW


def test_a_place_that_becomes_confidential_is_deleted(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    store(engine, [{**GOOD, **ADDRESS}])
    store(engine, [{**GOOD, "confidential": "yes"}])
    with Session(engine) as session:
        assert session.scalars(select(Place)).all() == []
    store(engine, [{**GOOD, **ADDRESS}])
    with Session(engine) as session:
        (service,) = services_by_id(session, [session.scalars(select(Service.id)).one()])
        assert service.place is not None
        assert service.place.city == "Klang"


def test_the_documentation_has_the_table_of_the_code() -> None:
    text = (REPOSITORY / "docs" / "import.md").read_text(encoding="utf-8")
    assert columns_table() in text


def test_the_demonstration_listings_can_be_imported() -> None:
    text = (REPOSITORY / "docker" / "demo" / "listings.csv").read_text(encoding="utf-8")
    text = text.replace("{my_org}", "my-0123456789abcdef").replace("{bd_org}", OTHER)
    today = date(2026, 11, 1)
    listings = read_listings(text.encode(), today=today, demonstration=True)
    countries = {"my", "bd", "cn", "id", "lk", "pk", "th", "vn"}
    for country in countries:
        values = [one.values for one in listings if one.values["country"] == country]
        assert len({one["org_id"] for one in values}) >= 2
        assert len(values) >= 3
    assert {listing.values["country"] for listing in listings} == countries


def test_every_column_is_explained() -> None:
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    assert all(column.meaning for column in COLUMNS)
