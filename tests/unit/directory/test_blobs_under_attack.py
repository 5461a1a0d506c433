"""Strangers at the door for entries' bytes: what they can make the directory do."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from contracts.entries import entry_hash, render_entry
from directory.entries import entries_of
from directory.imports import read_listings
from directory.models import EntryBytes
from directory.publication import Publication
from directory.store import Report
from tests.unit.directory.support import GOOD, TODAY, csv_file, served, store


def listed_data() -> bytes:
    listings = read_listings(csv_file([GOOD]), today=TODAY, demonstration=True)
    return render_entry(entries_of(listings)[0])


def test_whoever_repeats_a_listed_entry_does_not_hold_up_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Showing all listings anew holds the log's one write lock: no stranger may ask for it."""
    directory = served(tmp_path)
    store(directory.engine, [GOOD])
    asked: list[int] = []
    refresh = Publication.refresh

    def counted(self: Publication) -> Report:
        asked.append(1)
        return refresh(self)

    monkeypatch.setattr(Publication, "refresh", counted)
    for _ in range(5):
        assert directory.client.post("/blobs", data=listed_data()).status_code == 201
    assert not asked
    directory.close()


def test_bytes_that_were_lost_are_shown_again_at_once(tmp_path: Path) -> None:
    directory = served(tmp_path)
    store(directory.engine, [GOOD])
    name = entry_hash(listed_data())
    with directory.engine.begin() as connection:
        connection.execute(delete(EntryBytes).where(EntryBytes.hash == name))
    assert directory.client.get(f"/blobs/{name}").status_code == 404
    assert directory.client.post("/blobs", data=listed_data()).status_code == 201
    assert directory.client.get(f"/blobs/{name}").status_code == 200
    directory.close()
