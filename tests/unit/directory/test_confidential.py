"""A confidential place: what is not public changes no byte of any public answer."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from directory.imports import ImportRefused
from directory.models import Base, Place
from tests.unit.directory.support import ADDRESS, GOOD, Served, served, store

SECRET = {**GOOD, "service_key": "secret", "confidential": "yes"}
CANARIES = {
    **{name: f"qzqcanary{place}" for place, name in enumerate(ADDRESS)},
    "latitude": "1.23456789",
    "longitude": "98.7654321",
}
ADDRESSES = ["/services?full=true", "/organizations", "/services?search=qzqcanary1"]


def everything_public(directory: Served) -> list[bytes]:
    answers = [directory.client.get(address).data for address in ADDRESSES]
    listed = directory.client.get("/services").get_json()["contents"]
    for one in listed:
        answers.append(directory.client.get(f"/services/{one['id']}").data)
        answers.append(directory.client.get(f"/en/services/{one['id']}").data)
    return answers


@given(st.sets(st.sampled_from(sorted(CANARIES)), min_size=1))
@settings(max_examples=6, deadline=None)
def test_an_address_that_was_tried_leaves_no_trace(columns: set[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        directory = served(path)
        store(directory.engine, [{**GOOD, **ADDRESS}, SECRET])
        before = everything_public(directory)
        assert b"place" in b"".join(before)
        tried = {name: CANARIES[name] for name in columns}
        with pytest.raises(ImportRefused):
            store(directory.engine, [{**SECRET, **tried}])
        assert everything_public(directory) == before
        for file in path.iterdir():
            content = file.read_bytes()
            assert not any(value.encode() in content for value in tried.values()), file.name


@given(st.sampled_from(sorted(ADDRESS)), st.text("abcdefgh", min_size=6, max_size=12))
@settings(max_examples=6, deadline=None)
def test_becoming_confidential_takes_the_place_out_of_every_answer_and_file(
    column: str, word: str
) -> None:
    mark = f"qz{word}" if column not in ("latitude", "longitude") else ADDRESS[column]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        directory = served(path)
        store(directory.engine, [{**SECRET, "confidential": "no", **ADDRESS, column: mark}])
        assert any(mark.encode() in answer for answer in everything_public(directory))
        store(directory.engine, [SECRET])
        assert not any(mark.encode() in answer for answer in everything_public(directory))
        with directory.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        if column not in ("latitude", "longitude"):
            assert not any(mark.encode() in file.read_bytes() for file in path.iterdir())


def test_the_database_itself_refuses_the_address_of_a_confidential_service(
    tmp_path: Path,
) -> None:
    directory = served(tmp_path)
    store(directory.engine, [SECRET])
    place = {**ADDRESS, "latitude": None, "longitude": None}
    with directory.engine.connect() as connection:
        (service,) = connection.scalars(text("SELECT id FROM service"))
    for confidential in (False, True):
        row = {**place, "service_id": service, "confidential": confidential}
        with pytest.raises(IntegrityError), directory.engine.begin() as connection:
            connection.execute(insert(Place), row)


def test_a_service_with_an_address_cannot_be_made_confidential_behind_our_back(
    tmp_path: Path,
) -> None:
    directory = served(tmp_path)
    store(directory.engine, [{**GOOD, **ADDRESS}])
    with pytest.raises(IntegrityError), directory.engine.begin() as connection:
        connection.execute(text("UPDATE service SET confidential = true"))


def test_no_other_table_has_a_column_for_an_address() -> None:
    telling = {"address", "city", "postal", "latitude", "longitude", "street"}
    for table in Base.metadata.tables.values():
        named = {c.name for c in table.columns if any(word in c.name for word in telling)}
        assert not named or table.name == Place.__tablename__


def test_the_entry_says_that_the_place_is_confidential(tmp_path: Path) -> None:
    directory = served(tmp_path)
    store(directory.engine, [SECRET])
    (one,) = directory.client.get("/services?full=true").get_json()["contents"]
    assert "confidential" in {term["taxonomy_term"]["code"] for term in one["attributes"]}
    assert "service_at_locations" not in one
