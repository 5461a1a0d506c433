"""Entries' bytes: kept exactly, given out only where signed, forgotten in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from contracts.entries import MAX_ENTRY, entry_hash, render_entry
from contracts.times import DAY
from directory.blobs import MAX_WAITING, bytes_of_entry, forget_bytes, keep_bytes, listed_bytes
from directory.entries import entries_of
from directory.imports import read_listings
from directory.models import EntryBytes
from tests.unit.directory.support import (
    ADDRESS,
    GOOD,
    NOW,
    TODAY,
    Served,
    csv_file,
    new_engine,
    served,
    store,
)

CANARY = b"qzqcanary"


def data_of(**changed: str) -> bytes:
    listings = read_listings(csv_file([{**GOOD, **changed}]), today=TODAY, demonstration=True)
    return render_entry(entries_of(listings)[0])


@pytest.fixture
def directory(tmp_path: Path) -> Served:
    return served(tmp_path)


def post(directory: Served, data: bytes) -> tuple[int, str]:
    answer = directory.client.post("/blobs", data=data, content_type="application/json")
    assert CANARY not in answer.data
    content = answer.get_json()
    return answer.status_code, content.get("hash") or content["code"]


def test_bytes_are_given_out_exactly_and_only_once_somebody_has_signed_them(
    directory: Served,
) -> None:
    data = data_of()
    name = entry_hash(data)
    assert post(directory, data) == (201, name)
    assert directory.client.get(f"/blobs/{name}").status_code == 404
    store(directory.engine, [GOOD])
    answer = directory.client.get(f"/blobs/{name}")
    assert (answer.status_code, answer.data) == (200, data)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["", "x", "0" * 63, "0" * 64, "A" * 64, "../etc/passwd"])
def test_another_name_finds_nothing(directory: Served, name: str) -> None:
    assert directory.client.get(f"/blobs/{name}").status_code == 404


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not_json"),
        (b"{}", "missing_member"),
        (CANARY, "not_json"),
        (data_of() + b"\n", "not_canonical"),
        (data_of().replace(b'"msa"', CANARY.join([b'"', b'"'])), "entry_breaks_a_rule"),
        (data_of().replace(b"Ring first.", b"<b>" + CANARY), "entry_breaks_a_rule"),
        (data_of(**ADDRESS).replace(b'l":false', b'l":true'), "confidential_place"),
    ],
)
def test_what_could_not_be_shown_is_not_kept_and_not_quoted(
    directory: Served, data: bytes, code: str
) -> None:
    assert post(directory, data) == (422, code)
    with directory.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(EntryBytes)) == 0


def test_an_entry_larger_than_any_is_refused_unread(directory: Served) -> None:
    answer = directory.client.post("/blobs", data=b" " * (MAX_ENTRY + 1))
    assert answer.status_code == 413


def test_what_nobody_signs_is_forgotten_after_a_day(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    name = keep_bytes(engine, data_of(), demonstration=True, now=NOW)
    for now, there in ((NOW + DAY, True), (NOW + DAY + 1, False)):
        with engine.begin() as connection:
            forget_bytes(connection, set(), now=now)
            assert (bytes_of_entry(connection, name) is not None) is there


def test_what_was_replaced_is_forgotten_at_once(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    store(engine, [{**GOOD, **ADDRESS}])
    with_address = entry_hash(data_of(**ADDRESS))
    assert listed_bytes(engine, with_address) is not None
    store(engine, [{**GOOD, "confidential": "yes"}])
    with engine.connect() as connection:
        assert bytes_of_entry(connection, with_address) is None
        assert connection.scalar(select(func.count()).select_from(EntryBytes)) == 1


def test_a_flood_pushes_out_the_oldest_unsigned_and_nothing_that_is_listed(tmp_path: Path) -> None:
    engine = new_engine(tmp_path)
    store(engine, [GOOD])
    first = keep_bytes(engine, data_of(region="first"), demonstration=True, now=NOW)
    for number in range(MAX_WAITING):
        latest = data_of(region=f"place {number}")
        keep_bytes(engine, latest, demonstration=True, now=NOW + 1 + number)
    with engine.connect() as connection:
        count = connection.scalar(select(func.count()).select_from(EntryBytes))
        assert count == MAX_WAITING + 1
        assert bytes_of_entry(connection, first) is None
        assert bytes_of_entry(connection, entry_hash(latest)) == latest
    assert listed_bytes(engine, entry_hash(data_of())) == data_of()
