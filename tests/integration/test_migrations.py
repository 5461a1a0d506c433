"""Migrations on PostgreSQL: the same as on SQLite, and once when processes start together."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from broker.service.database import migrate, open_engine
from broker.service.settings import database_url
from tests.unit.service.packages import make_package, migrate_together

CREATE = 'op.create_table("t", sa.Column("id", sa.Integer, primary_key=True))'
SLOW = 'op.execute("INSERT INTO t SELECT generate_series(1, 300000)")'
FAIL = 'op.create_table("u", sa.Column("id", sa.Integer))\nraise RuntimeError("half-way")'


def test_processes_that_start_together_migrate_once(postgres: str, tmp_path: Path) -> None:
    make_package(tmp_path, "toy_postgres", CREATE, SLOW)
    migrate_together(tmp_path, "toy_postgres", database_url(postgres))


def test_a_failed_migration_changes_nothing(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_package(tmp_path, "toy_failing", CREATE, FAIL)
    monkeypatch.syspath_prepend(tmp_path)
    engine = open_engine(database_url(postgres))
    with pytest.raises(RuntimeError, match="half-way"):
        migrate(engine, "toy_failing")
    assert inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize("package", ["broker.hub", "broker.mirror", "directory"])
def test_our_tables_are_the_same_there(postgres: str, tmp_path: Path, package: str) -> None:
    there = open_engine(database_url(postgres))
    here = open_engine(f"sqlite:///{tmp_path}/here.db")
    for engine in (there, here):
        migrate(engine, package)
        migrate(engine, package)
    assert columns(there) == columns(here)
    there.dispose()


def columns(engine: Engine) -> dict[str, list[str]]:
    inspector = inspect(engine)
    return {
        table: [column["name"] for column in inspector.get_columns(table)]
        for table in sorted(inspector.get_table_names())
    }
