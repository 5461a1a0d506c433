"""A private PostgreSQL cluster on a free port; a fresh database for each test.

    with run_cluster() as cluster, cluster.database() as url:
        engine = open_engine(database_url(url))

PostgreSQL refuses to run as root, so as root its programs get the rights of Debian's user
`postgres`, and the folder lies where that user may enter.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.services.folders import service_folder
from tests.services.missing import Missing
from tests.services.ports import LOOPBACK, free_port
from tests.services.processes import Child, run, start, wait_until

USER: Final = "rujukan"
START_SECONDS: Final = 30.0
_DEBIAN: Final = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster. Only the tests' user is in it, and it needs no password."""

    server: Child
    port: int
    data: Path

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@{LOOPBACK}:{self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new empty database, gone afterwards even if connections are open."""
        name = f"t{secrets.token_hex(6)}"
        self._tell(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield self.url(name)
        finally:
            self._tell(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def is_ready(self) -> bool:
        try:
            self._tell(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def _tell(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5) as session:
            session.execute(statement)


@contextmanager
def run_cluster() -> Iterator[Cluster]:
    """A running cluster, gone afterwards. `Missing` where PostgreSQL is not there."""
    programs = _programs()
    user = _user()
    with service_folder("pg") as folder:
        data, port = folder / "data", free_port()
        if user is not None:
            shutil.chown(folder, user)
        run(_initdb(programs, data), user=user)
        # SIGINT is PostgreSQL's fast shutdown: it ends sessions and leaves nothing to recover.
        with start(
            "postgresql",
            _postgres(programs, data, folder, port),
            log=folder / "server.log",
            dies_by="INT",
            user=user,
        ) as server:
            cluster = Cluster(server, port, data)
            wait_until(
                cluster.is_ready, "PostgreSQL to answer", child=server, seconds=START_SECONDS
            )
            try:
                yield cluster
            finally:
                server.stop(signal.SIGINT)


def _initdb(programs: Path, data: Path) -> list[str | Path]:
    identity = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    return [programs / "initdb", "-D", data, "--no-sync", *identity]


def _postgres(programs: Path, data: Path, sockets: Path, port: int) -> list[str | Path]:
    address = ["-c", f"listen_addresses={LOOPBACK}", "-p", str(port), "-k", str(sockets)]
    return [programs / "postgres", "-D", data, *address]


def _programs() -> Path:
    """The newest of Debian's versions, else wherever `initdb` is."""
    found = sorted(
        (path.parent for path in _DEBIAN.glob("*/bin/initdb")),
        key=lambda path: float(path.parent.name),
    )
    if found:
        return found[-1]
    initdb = shutil.which("initdb")
    if initdb is None:
        raise Missing("PostgreSQL is not installed (Debian: postgresql)")
    return Path(initdb).resolve().parent


def _user() -> str | None:
    """Whom to be instead of root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise Missing("PostgreSQL has no user postgres here (Debian: postgresql)") from None
