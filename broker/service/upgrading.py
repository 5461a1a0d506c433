"""Runs migrations; the one file that imports Alembic, and itself imported only when some are due.

    with engine.begin() as connection:
        upgrade(connection, folder, versions="alembic_version_broker_hub")

It knows no table and takes no lock: `broker.service.database.migrate` does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection, folder: Path, *, versions: str) -> None:
    """Apply what is due of `folder/versions/*.py`, and write into the table `versions` what was."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    # The same callback as alembic.command.upgrade; an env.py per package would only repeat this.
    due: Callable[..., Any] = lambda revision, _context: script._upgrade_revs("head", revision)  # noqa: E731
    with EnvironmentContext(config, script, fn=due, destination_rev="head") as environment:
        environment.configure(
            connection=connection,
            version_table=versions,
            transactional_ddl=True,
            render_as_batch=True,
        )
        with environment.begin_transaction():
            environment.run_migrations()
