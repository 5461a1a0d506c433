"""The database: what begins, who waits, and migrations that start together."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from broker.service import database
from broker.service.database import begin_immediate, migrate, open_engine, version_table, writing
from tests.unit.service.packages import (
    add_migration,
    make_package,
    migrate_together,
    migrated_elsewhere,
)

CANARY = "CANARY-7f3a"
CREATE = 'op.create_table("parent", sa.Column("id", sa.Integer, primary_key=True))'
FILL = """
op.create_table(
    "child",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parent.id", ondelete="CASCADE")),
)
op.execute("INSERT INTO parent VALUES (1)")
op.execute("INSERT INTO child VALUES (1, 1)")
"""
OTHER = 'op.create_table("other", sa.Column("id", sa.Integer, primary_key=True))'
FAIL = 'op.execute("INSERT INTO parent VALUES (2)")\nraise RuntimeError("half-way")'
COPY = """
with op.batch_alter_table("parent", recreate="always") as batch:
    batch.add_column(sa.Column("name", sa.String(10)))
"""
SLOW = """
op.execute("CREATE TABLE slow AS WITH RECURSIVE c(i) AS"
           " (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 300000) SELECT i FROM c")
"""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(f"sqlite:///{tmp_path}/x.db")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which packages are imported."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def rows(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def test_a_commit_survives_and_foreign_keys_count(engine: Engine) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    assert {name: rows(engine, f"PRAGMA {name}")[0][0] for name in wanted} == wanted


def test_a_writer_waits_before_it_reads(engine: Engine) -> None:
    """Two that read, decide and write: with plain transactions the second would fail or be lost."""
    with begin_immediate(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE n (i INTEGER)")
        connection.exec_driver_sql("INSERT INTO n VALUES (0)")

    def add() -> None:
        for _ in range(20):
            with begin_immediate(engine) as connection:
                now = connection.exec_driver_sql("SELECT i FROM n").scalar_one()
                connection.exec_driver_sql("UPDATE n SET i = ?", (now + 1,))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(engine, "SELECT i FROM n") == [(80,)]


def test_what_failed_is_rolled_back_tables_included(engine: Engine) -> None:
    with suppress(ZeroDivisionError), begin_immediate(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE n (i INTEGER)")
        _ = 1 // 0
    assert inspect(engine).get_table_names() == []


def test_a_reader_sees_one_moment(engine: Engine) -> None:
    with begin_immediate(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE n (i INTEGER)")
    with engine.connect() as reader:
        before = reader.exec_driver_sql("SELECT count(*) FROM n").scalar_one()
        with begin_immediate(engine) as writer:
            writer.exec_driver_sql("INSERT INTO n VALUES (1)")
        assert reader.exec_driver_sql("SELECT count(*) FROM n").scalar_one() == before == 0


def test_a_session_can_begin_as_a_writer(engine: Engine) -> None:
    with Session(writing(engine)) as session, session.begin():
        session.connection()
        with open_engine(f"{engine.url}").connect() as other:
            other.exec_driver_sql("PRAGMA busy_timeout = 1")
            with pytest.raises(OperationalError, match="locked"):
                other.exec_driver_sql("CREATE TABLE n (i INTEGER)")


def test_a_database_error_hides_the_parameters(engine: Engine) -> None:
    with begin_immediate(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE n (i TEXT UNIQUE)")
        connection.exec_driver_sql("INSERT INTO n VALUES (?)", (CANARY,))
    with begin_immediate(engine) as connection, pytest.raises(IntegrityError) as refused:
        connection.exec_driver_sql("INSERT INTO n VALUES (?)", (CANARY,))
    assert CANARY not in str(refused.value)


def test_migrating_applies_what_is_new_and_nothing_twice(engine: Engine, packages: Path) -> None:
    make_package(packages, "toy_a", CREATE)
    migrate(engine, "toy_a")
    add_migration(packages / "toy_a" / "migrations" / "versions", 2, "0001", FILL)
    migrate(engine, "toy_a")
    migrate(engine, "toy_a")
    assert rows(engine, "SELECT * FROM child") == [(1, 1)]
    assert rows(engine, "SELECT * FROM alembic_version_toy_a") == [("0002",)]


@pytest.mark.parametrize("package", ["broker.desk", "broker.hub", "broker.mirror", "directory"])
def test_no_migration_of_ours_is_overlooked(engine: Engine, package: str) -> None:
    """What is read from the files, to spare Alembic, is what Alembic would have found."""
    migrate(engine, package)
    heads = ScriptDirectory(str(files(package) / "migrations")).get_heads()
    assert database._applied(engine, version_table(package)) == set(heads)
    assert database._newest(database._migrations(package)) == set(heads)


@pytest.mark.parametrize("applied", [0, 1, 2])
def test_a_migration_written_in_another_style_is_not_overlooked(
    engine: Engine, packages: Path, applied: int
) -> None:
    name = f"toy_s{applied}"
    make_package(packages, name, *[CREATE, FILL][:applied])
    migrate(engine, name)
    versions = packages / name / "migrations" / "versions"
    add_migration(versions, applied + 1, f"{applied:04}" if applied else None, OTHER)
    script = versions / f"{applied + 1:04}_step.py"
    script.write_text(script.read_text().replace("revision =", "revision: str | None ="))
    migrate(engine, name)
    migrate(engine, name)
    assert "other" in inspect(engine).get_table_names()


def test_a_start_with_nothing_due_waits_for_no_writer_and_loads_no_alembic(
    engine: Engine, packages: Path
) -> None:
    make_package(packages, "toy_n", CREATE)
    migrate(engine, "toy_n")
    with begin_immediate(open_engine(f"{engine.url}")):
        said = migrated_elsewhere(packages, "toy_n", f"{engine.url}")
    assert "sqlalchemy" in said
    assert "alembic" not in said


def test_two_packages_share_a_database(engine: Engine, packages: Path) -> None:
    make_package(packages, "toy_b", CREATE)
    make_package(packages, "toy_c", CREATE.replace("parent", "other"))
    migrate(engine, "toy_b")
    migrate(engine, "toy_c")
    assert {"parent", "other"} < set(inspect(engine).get_table_names())


def test_a_failed_migration_changes_nothing(engine: Engine, packages: Path) -> None:
    make_package(packages, "toy_d", CREATE, FAIL)
    with pytest.raises(RuntimeError, match="half-way"):
        migrate(engine, "toy_d")
    assert inspect(engine).get_table_names() == []


def test_copying_a_table_does_not_delete_its_children(engine: Engine, packages: Path) -> None:
    make_package(packages, "toy_e", CREATE, FILL, COPY)
    migrate(engine, "toy_e")
    assert rows(engine, "SELECT * FROM child") == [(1, 1)]
    assert rows(engine, "PRAGMA foreign_keys") == [(1,)]


def test_a_migration_that_leaves_orphans_is_refused(engine: Engine, packages: Path) -> None:
    make_package(packages, "toy_f", CREATE, FILL, 'op.execute("DELETE FROM parent")')
    with pytest.raises(RuntimeError, match="without parents"):
        migrate(engine, "toy_f")
    assert inspect(engine).get_table_names() == []


def test_a_package_without_migrations_is_named(engine: Engine) -> None:
    with pytest.raises(LookupError, match=r"tests\.unit has no folder"):
        migrate(engine, "tests.unit")


def test_processes_that_start_together_migrate_once(tmp_path: Path, packages: Path) -> None:
    make_package(packages, "toy_race", CREATE, FILL, SLOW)
    migrate_together(packages, "toy_race", f"sqlite:///{tmp_path}/race.db")
    assert rows(open_engine(f"sqlite:///{tmp_path}/race.db"), "SELECT * FROM child") == [(1, 1)]
