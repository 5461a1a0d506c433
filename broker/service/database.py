"""One way to open a database and to bring its tables up to date.

SQLite and PostgreSQL, chosen by the URL. What is committed survives a crash of the process and,
as far as the disk keeps its promises, of the machine (SQLite: WAL with synchronous=FULL).

    engine = open_engine(settings.database_url)
    migrate(engine, "broker.hub")
    with begin_immediate(engine) as connection: ...          # reads, decides, writes
    with engine.connect() as connection: ...                 # reads

Python's sqlite3 starts transactions late and on its own; here it is told not to, so that a
transaction begins where SQLAlchemy says so. A plain one begins as a reader; if it writes after
somebody else did, SQLite refuses it at once and no timeout helps. So whatever will write opens
with `begin_immediate` (or `writing(engine)` for sessions), which waits for its turn first.

It knows no table. It logs nothing: parameters are other people's data.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import (
    Connection,
    Engine,
    StaticPool,
    String,
    column,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    table,
    text,
)

__all__ = ["begin_immediate", "migrate", "open_engine", "version_table", "writing"]

# Milliseconds a writer waits for the one before it. Migrations of a large file are the longest.
BUSY_TIMEOUT: Final = 30_000
_IMMEDIATE: Final = "rujukan_begin_immediate"
_REVISION: Final = re.compile(r"""^(revision|down_revision) = ["'](\w+)["']$""", re.MULTILINE)
_one_migration_a_process: Final = threading.Lock()


class _Cursor(Protocol):
    def execute(self, statement: str, /) -> object: ...
    def close(self) -> None: ...


def open_engine(url: str) -> Engine:
    """An engine for `url`, as `database_url` of the settings gives it.

    Errors raised by it name the statement and hide its parameters. An in-memory SQLite database
    (`sqlite://`) is one connection shared by all threads: for tests of one thread.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _open_sqlite(url)
    return create_engine(url, pool_pre_ping=True, hide_parameters=True)


def writing(engine: Engine) -> Engine:
    """The same engine and pool, whose transactions begin as writers."""
    return engine.execution_options(**{_IMMEDIATE: True})


@contextmanager
def begin_immediate(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write: committed at the end, rolled back by any exception.

    On SQLite it waits here for its turn (30 s at most, then `OperationalError`), so that nothing
    it reads can change before it writes. On PostgreSQL it is an ordinary transaction: lock the
    rows a decision depends on.
    """
    with writing(engine).begin() as connection:
        yield connection


def migrate(engine: Engine, package: str) -> None:
    """Bring the tables of `package` up to date with its `migrations/versions/*.py`.

    All or nothing, in one transaction. Safe when several processes start together: the second
    waits for the first and finds nothing to do. Each package keeps its own version table, so
    that two packages can live in one database. Where nothing is due, as at nearly every start, it
    costs a look: no lock is taken, and Alembic, a fifth of a second, is not even imported.
    """
    folder, versions = _migrations(package), version_table(package)
    newest = _newest(folder)
    if newest and _applied(engine, versions) == newest:
        return
    from broker.service.upgrading import upgrade

    # Alembic's `op` is one per process.
    with _one_migration_a_process, _alone(engine, versions) as connection:
        upgrade(connection, folder, versions=versions)


def version_table(package: str) -> str:
    """The table that says which migrations of `package` have been applied."""
    return f"alembic_version_{package.replace('.', '_')}"


def _open_sqlite(url: str) -> Engine:
    options: dict[str, Any] = {"hide_parameters": True}
    database = make_url(url).database
    if database in {None, "", ":memory:"}:
        options |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    else:
        _make_private(Path(f"{database}"))
    engine = create_engine(url, **options)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_private(file: Path) -> None:
    """A new database is its owner's alone: a hub's says who wrote to whom.

    SQLite would make it as the umask says; its -wal and -shm take the mode of the database. Where
    the file cannot be made, SQLite's own error follows.
    """
    with suppress(OSError):
        file.touch(mode=0o600)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    with _cursor(connection) as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        _use_wal(cursor)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # Deleted rows are overwritten: what was deleted for a reason is not found by a raw scan.
        cursor.execute("PRAGMA secure_delete = ON")


def _use_wal(cursor: _Cursor) -> None:
    """Changing the journal of a new file is the one step SQLite's busy timeout does not cover.

    Two processes that open it at the same moment meet here; once changed, it stays so.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def _cursor(connection: Any) -> Iterator[_Cursor]:
    cursor = connection.cursor()
    try:
        yield cursor
    finally:
        cursor.close()


def _migrations(package: str) -> Path:
    folder = files(package) / "migrations"
    if not isinstance(folder, Path) or not (folder / "versions").is_dir():
        raise LookupError(f"{package} has no folder migrations/versions")
    return folder


def _applied(engine: Engine, versions: str) -> set[str]:
    """The revisions the database says it stands at; none where it is new."""
    with engine.connect() as connection:
        if not inspect(connection).has_table(versions):
            return set()
        return set(
            connection.scalars(select(column("version_num", String)).select_from(table(versions)))
        )


def _newest(folder: Path) -> set[str]:
    """The revisions that no other follows, read without running the files that hold them.

    None where a file is not written as ours are: then Alembic looks.
    """
    scripts = [file for file in (folder / "versions").glob("*.py") if file.name != "__init__.py"]
    found = [dict(_REVISION.findall(file.read_text(encoding="utf-8"))) for file in scripts]
    if any("revision" not in one for one in found):
        return set()
    followed = {one.get("down_revision") for one in found}
    return {one["revision"] for one in found} - followed


@contextmanager
def _alone(engine: Engine, versions: str) -> Iterator[Connection]:
    """A transaction no other migration of this database runs beside."""
    lock = _alone_sqlite if engine.dialect.name == "sqlite" else _alone_postgresql
    with lock(engine, versions) as connection:
        yield connection


@contextmanager
def _alone_postgresql(engine: Engine, versions: str) -> Iterator[Connection]:
    key = int.from_bytes(hashlib.sha256(versions.encode()).digest()[:8], "big", signed=True)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
        yield connection


@contextmanager
def _alone_sqlite(engine: Engine, _versions: str) -> Iterator[Connection]:
    """Foreign keys are off meanwhile: to change a table, it is copied and the old one dropped,
    which would delete the rows that refer to it (https://sqlite.org/lang_altertable.html, §7).
    """
    with writing(engine).connect() as connection:
        raw = connection.connection
        with _cursor(raw) as cursor:
            cursor.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield connection
                _refuse_dangling_rows(connection)
        finally:
            with _cursor(raw) as cursor:
                cursor.execute("PRAGMA foreign_keys = ON")


def _refuse_dangling_rows(connection: Connection) -> None:
    tables = {row[0] for row in connection.exec_driver_sql("PRAGMA foreign_key_check")}
    if tables:
        raise RuntimeError(f"the migration leaves rows without parents in {sorted(tables)}")
