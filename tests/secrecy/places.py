"""Where a secret might lie, read whole: folders, databases through SQL, running processes.

    scanner.scan([folder("the hub's files", path), sqlite("the hub's database", file)])

A database is read twice: its files hold what was deleted, SQL what they keep compressed or cut
into pages. It changes nothing it reads, and what it may not read is `Unread`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from tests.secrecy.scanner import Piece, Place, Unread
from tests.services.processes import descendants

_SQLITE: Final = b"SQLite format 3\0"
_EVERY_SECONDS: Final = 0.25
_BETWEEN: Final = b"\n"


def folder(name: str, *roots: Path, since: float = 0) -> Place:
    """Every file under `roots`, with its name.

    `since`: only what was written after this time; for the data of servers that other tests use
    too. What is older cannot hold a secret that is younger.
    """
    return Place(name, lambda: (piece for root in roots for piece in _files(root, since)))


def sqlite(name: str, *roots: Path) -> Place:
    """Every table of every SQLite database under `roots`, and the terms of full-text indexes."""
    return Place(name, lambda: _sqlite_pieces(name, roots))


def postgres(name: str, url: str) -> Place:
    """Every column of every table of a PostgreSQL database; statistics and statements too."""
    return Place(name, lambda: _postgres_pieces(url))


def given(name: str, pieces: Callable[[], Iterable[Piece]]) -> Place:
    """What a test has collected itself."""
    return Place(name, pieces)


class Watcher:
    """Arguments and environment of every process below us, as often as there is time to look."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bytes], None] = {}
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._own = os.environb.copy()

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Look until the end of the block."""
        thread = threading.Thread(target=self._watch, name="watcher")
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()

    def look(self) -> None:
        """Look once, now."""
        for pid in descendants(os.getpid()):
            for what in ("cmdline", "environ"):
                self.see(pid, what)

    def see(self, pid: int, what: str) -> None:
        """One file of one process; a process that has ended is nothing to see."""
        try:
            data = Path("/proc", str(pid), what).read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return
        except PermissionError:
            raise Unread(f"{what} of a process may not be read") from None
        with self._lock:
            self._seen[what, data] = None

    def places(self) -> tuple[Place, ...]:
        """What was seen, for the scanner."""
        return tuple(
            given(name, lambda what=what: self._pieces(what))  # type: ignore[misc]  # mypy types no lambda default
            for name, what in (
                ("arguments of processes", "cmdline"),
                ("environment of processes", "environ"),
            )
        )

    def _pieces(self, what: str) -> list[Piece]:
        with self._lock:
            return [Piece("a process", data) for kind, data in self._seen if kind == what]

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            self.look()


def _files(root: Path, since: float) -> Iterator[Piece]:
    if not root.exists():
        raise Unread(f"{root.name} is not there")
    for path in [root] if root.is_file() else sorted(root.rglob("*")):
        try:
            found = path.lstat()
            if found.st_mtime < since:
                continue
            name = str(path.relative_to(root)) if path != root else path.name
            yield Piece(name, _content(path, found.st_mode))
        except FileNotFoundError:
            continue  # a server removed it meanwhile
        except OSError as error:
            raise Unread(f"a file under {root.name}: {type(error).__name__}") from None


def _content(path: Path, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return os.fsencode(path.readlink())
    return path.read_bytes() if stat.S_ISREG(mode) else b""


def _sqlite_pieces(name: str, roots: Iterable[Path]) -> Iterator[Piece]:
    files = [file for root in roots for file in sorted(root.rglob("*")) if _is_sqlite(file)]
    if not files:
        raise Unread(f"{name}: no database is there")
    for file in files:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
            try:
                yield from _tables(database, file.name)
            except sqlite3.Error as error:
                raise Unread(f"{name}: {file.name}: {type(error).__name__}") from None


def _is_sqlite(file: Path) -> bool:
    return file.is_file() and file.read_bytes()[: len(_SQLITE)] == _SQLITE


def _tables(database: sqlite3.Connection, file: str) -> Iterator[Piece]:
    # As bytes: what is stored as text need not be valid text.
    database.text_factory = bytes
    tables = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
    yield Piece(f"{file}, schema", _joined(tables))
    for name, created in tables:
        table = name.decode()
        if b"fts5" in (created or b"").lower():
            yield Piece(f"{file}, terms of {table}", _joined(_terms(database, table)))
        quoted = table.replace('"', '""')
        rows = database.execute(f'SELECT * FROM "{quoted}"').fetchall()  # noqa: S608 - a table's own name
        yield Piece(f"{file}, table {table}", _joined(rows))


def _terms(database: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """The index stores a term without the beginning it shares with the last one: ask for them."""
    database.execute("DROP TABLE IF EXISTS temp.terms")
    quoted = table.replace("'", "''")
    database.execute(f"CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, '{quoted}', 'row')")
    return database.execute("SELECT term FROM temp.terms").fetchall()


def _postgres_pieces(url: str) -> Iterator[Piece]:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as session:
            # What is in the server's memory goes to its files, which are read besides.
            session.execute("CHECKPOINT")
            tables = session.execute(
                "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n"
                " ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm', 'p', 'v')"
                " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
            ).fetchall()
            seen_by_planner = [("pg_catalog", "pg_stats"), ("pg_catalog", "pg_stat_activity")]
            for schema, table in [*tables, *seen_by_planner]:
                yield Piece(f"table {table}", _joined(_rows(session, schema, table)))
    except psycopg.Error as error:
        raise Unread(f"a PostgreSQL database: {type(error).__name__}") from None


def _rows(session: psycopg.Connection[Any], schema: str, table: str) -> list[tuple[Any, ...]]:
    name = sql.Identifier(schema, table)
    columns = session.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name)).description or []
    wanted = sql.SQL(", ").join(_as_bytes(column.name, column.type_code) for column in columns)
    return session.execute(sql.SQL("SELECT {} FROM {}").format(wanted, name)).fetchall()


def _as_bytes(column: str, kind: int) -> sql.Composable:
    bytea = psycopg.adapters.types["bytea"].oid
    return sql.SQL("{}" if kind == bytea else "{}::text").format(sql.Identifier(column))


def _joined(rows: Iterable[tuple[Any, ...]]) -> bytes:
    return _BETWEEN.join(_bytes(value) for row in rows for value in row if value is not None)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def now() -> float:
    """The time for `since`, a little early: file systems keep times coarsely."""
    return time.time() - 2
