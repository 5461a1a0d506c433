"""A desk that was in use before messages apart from any case: nothing of it may be lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, select, text

from broker.desk.archive import Archive, new_archive_key
from broker.desk.models import CASE, ENTRY, HANDOVER
from broker.desk.records import Case, Entry, Sending
from broker.desk.store import FILE_NAME, IntegrityError, Rows, open_store
from broker.service.database import migrate, open_engine
from contracts.fold import Place
from contracts.identifiers import EventId, OrgId, Ref
from contracts.lifecycle import Side, State

PEER = OrgId("bd-0123456789abcdef")
TABLES = (CASE, ENTRY, HANDOVER)


@pytest.fixture
def archive() -> Archive:
    return Archive(new_archive_key())


@pytest.fixture
def old(tmp_path: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The database as the first version left it: two cases, six entries, three to hand over."""
    engine = open_engine(f"sqlite:///{tmp_path / FILE_NAME}")
    with monkeypatch.context() as patch:
        latest = ScriptDirectory._upgrade_revs
        patch.setattr(
            ScriptDirectory, "_upgrade_revs", lambda self, _head, base: latest(self, "0001", base)
        )
        migrate(engine, "broker.desk")
    with engine.begin() as connection:
        rows = Rows(connection, archive)
        for number in range(2):
            rows.add_case(case(number))
        for number in range(6):
            rows.add_entry(entry(number), author=PEER, message=f"said {number}".encode())
        for number in range(3):
            rows.add_handover(entry(number).row, due_at=number)
        rows.postpone_handover(entry(1).row, attempts=4, due_at=77)
    return engine


def case(number: int) -> Case:
    return Case(
        row=f"{number:032x}", peer=PEER, ref=Ref(f"{number:032x}"), side=Side.RECEIVER,
        state=State.DELIVERED, urgency="normal_14d", service="s", needs=(), began=0, changed=0,
    )  # fmt: skip


def entry(number: int) -> Entry:
    return Entry(
        row=f"{number + 16:032x}", case_row=case(number % 2).row, id=EventId(f"{number:032x}"),
        type="referral.acknowledged", own=False, after=(), at="2026-11-20T02:30:00Z", kept=number,
        sending=Sending.RECEIVED, place=Place.APPLIED,
    )  # fmt: skip


def contents(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in TABLES
        }


def test_entries_and_what_waits_to_be_handed_over_survive(
    old: Engine, tmp_path: Path, archive: Archive
) -> None:
    before = contents(old)
    assert [len(before[table.name]) for table in TABLES] == [2, 6, 3]
    migrate(old, "broker.desk")
    assert contents(old) == before  # byte for byte, in the order in which they came
    old.dispose()
    with open_store(tmp_path, archive).writing() as rows:
        assert [one.kept for one in rows.entries(case(0).row)] == [0, 2, 4]
        assert rows.message(entry(5).row) == b"said 5"
        assert rows.entry_of(PEER, entry(3).id) == entry(3)
        assert rows.next_handover(0, latest=10**9) == (entry(0).row, 0)
        rows.finish_handover(entry(0).row)
        rows.finish_handover(entry(2).row)
        assert rows.next_handover(77, latest=10**9) == (entry(1).row, 4)


def test_afterwards_a_message_may_belong_to_no_case(
    old: Engine, tmp_path: Path, archive: Archive
) -> None:
    old.dispose()
    with open_store(tmp_path, archive).writing() as rows:
        apart = replace(entry(9), case_row="", peer=PEER)
        rows.add_entry(apart, author=PEER, message=b"apart")
        rows.add_handover(apart.row, due_at=0)
        assert rows.apart() == (apart,)
        assert len(rows.entries(case(0).row)) == 3


@pytest.mark.parametrize("table", ["entry", "handover"])
def test_afterwards_rows_still_need_what_they_point_to(
    old: Engine, tmp_path: Path, archive: Archive, table: str
) -> None:
    old.dispose()
    store = open_store(tmp_path, archive)
    nowhere = "f" * 32
    with pytest.raises(IntegrityError), store.writing() as rows:
        _add(rows, table, nowhere)


def _add(rows: Rows, table: str, points_to: str) -> None:
    if table == "entry":
        rows.add_entry(replace(entry(9), case_row=points_to), author=PEER, message=b"")
    else:
        rows.add_handover(points_to, due_at=0)


def test_an_event_is_still_known_once(old: Engine, tmp_path: Path, archive: Archive) -> None:
    old.dispose()
    store = open_store(tmp_path, archive)
    with pytest.raises(IntegrityError), store.writing() as rows:
        rows.add_entry(replace(entry(0), row="e" * 32), author=PEER, message=b"")
    with pytest.raises(IntegrityError), store.writing() as rows:
        rows.add_handover(entry(0).row, due_at=0)


def test_a_migration_that_stops_half_way_leaves_the_desk_as_it_was(
    old: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(old)
    with old.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys = OFF"))
        connection.execute(text("UPDATE handover SET attempts = 5 WHERE attempts = 0"))
    before = contents(old)
    monkeypatch.setattr("broker.service.database._refuse_dangling_rows", _stop)
    with pytest.raises(OSError, match="disk full"):
        migrate(old, "broker.desk")
    assert contents(old) == before


def _stop(_connection: object) -> None:
    raise OSError("disk full")
