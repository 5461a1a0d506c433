"""The migrations make exactly the tables that the code means."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Table

from broker.hub import models
from tests.unit.hub.hubs import migrated_engine, sqlite


def test_migrated_tables_are_the_tables_of_the_models(tmp_path: Path) -> None:
    engine = migrated_engine(sqlite(tmp_path))
    ours = set(models.metadata.tables)

    def is_ours(thing: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or (isinstance(thing, Table) and name in ours)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_ours})
        assert compare_metadata(context, models.metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    migrated_engine(sqlite(tmp_path)).dispose()
    migrated_engine(sqlite(tmp_path)).dispose()
