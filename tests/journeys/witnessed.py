"""A real log with real witnesses: a directory and three witnesses, of whom two must sign.

    with witnessed(tmp_path) as network:
        network.coordinators.join(*member.statements)
        network.wait_for_witnesses()
        network.stop("directory")

Each is a process of the installed command. Keys and root file are made here, because how people
make them is the onboarding's business; the network's name makes it no demonstration. There is no
hub and no desk.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from broker.service.database import open_engine
from contracts.checkpoints import Checkpoint, parse_checkpoint
from contracts.log import split_leaves
from contracts.notes import parse_note
from contracts.root import WITNESS_KEY, Hub, RootFile, VerifierKey, Witness, make_root, parse_root
from contracts.signing import SigningKey
from directory.logkey import log_key
from directory.witness.keyfile import witness_key
from directory.witness.store import Stop, Store
from tests.journeys.coordinators import Office
from tests.journeys.network import BIN
from tests.services.ports import LOOPBACK, free_port, wait_for_port
from tests.services.processes import start, wait_until
from tests.vouching import listed

NET: Final = "rujukan.test"
COUNTRIES: Final = ("my", "bd", "id")
NEEDED: Final = 2
DIRECTORY: Final = "directory"
_START_SECONDS: Final = 90.0


@dataclass
class Witnessed:
    """Who runs, and what the log and its witnesses say. Servers are named `directory`, `my`, …"""

    folder: Path
    ports: Mapping[str, int]
    root: RootFile
    coordinators: Office
    _running: dict[str, ExitStack] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Until its port is open; what it then has to find out first, it finds out by itself."""
        self._running[name] = stack = ExitStack()
        words = "serve" if name == DIRECTORY else "witness"
        command: list[str | Path] = [BIN / "rujukan-directory", words]
        log = self.folder / f"{name}.log"
        child = stack.enter_context(start(name, command, log=log, environ=self._environ(name)))
        wait_for_port(self.ports[name], child=child, seconds=_START_SECONDS)

    def stop(self, name: str) -> None:
        """As its operator does."""
        self._running.pop(name).close()

    def stop_all(self) -> None:
        """Side by side: each takes a few seconds to end."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.stop, list(self._running)))

    def url(self, name: str) -> str:
        return f"http://{LOOPBACK}:{self.ports[name]}"

    def backup(self, *files: str) -> Path:
        """Copies of files of servers that do not run."""
        kept = self.folder / f"backup-{len(list(self.folder.iterdir()))}"
        kept.mkdir()
        for name in files:
            if name.endswith(".db"):  # with what still lies beside it
                _copy_database(self.folder / name, kept / name)
            else:
                shutil.copy(self.folder / name, kept)
        return kept

    def restore(self, kept: Path) -> None:
        """Put them back, without what a database has written beside it since."""
        for file in kept.iterdir():
            for beside in self.folder.glob(f"{file.name}-*"):
                beside.unlink()
            shutil.copy(file, self.folder)

    def shown(self) -> Checkpoint | None:
        """The checkpoint that everybody is shown."""
        return _checkpoint(f"{self.url(DIRECTORY)}/log/checkpoint")

    def held_by(self, country: str) -> Checkpoint | None:
        """The checkpoint that this witness has signed last."""
        return _checkpoint(f"{self.url(country)}/log/checkpoint?origin={NET}")

    def leaves(self) -> tuple[bytes, ...]:
        """All that the log has taken."""
        return split_leaves(_get(f"{self.url(DIRECTORY)}/log/leaves").content)

    def wait_until_open(self) -> None:
        """Until the witnesses have said what they hold, and the log takes statements."""
        wait_until(lambda: self.shown() is not None, "the log to open", seconds=120, every=0.2)

    def wait_for_witnesses(self) -> Checkpoint:
        """Until all three have signed for all that was taken."""
        size = len(self.leaves())

        def signed() -> bool:
            found = [self.shown(), *map(self.held_by, COUNTRIES)]
            return all(one is not None and one.size >= size for one in found)

        wait_until(signed, f"all witnesses to sign {size} leaves", seconds=120, every=0.2)
        shown = self.shown()
        assert shown is not None
        return shown

    def rows(self, name: str) -> int:
        """How many leaves lie in a database."""
        table = "statement_leaf" if name.startswith(DIRECTORY) else "witness_leaf"
        with closing(sqlite3.connect(self.folder / name)) as database:
            return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own tables

    def alarms(self) -> list[Stop]:
        """Every stop that a witness has kept: the log has contradicted itself."""
        found: list[Stop] = []
        for country in COUNTRIES:
            store = Store(open_engine(_database(self.folder / f"{country}.db")))
            found += store.stops()
            store.engine.dispose()
        return found

    def _environ(self, name: str) -> dict[str, str]:
        if name == DIRECTORY:
            return {
                "RUJUKAN_ROOT_FILE": str(self.folder / "root.json"),
                "RUJUKAN_LOG_KEY_FILE": str(self.folder / "log.key"),
                "RUJUKAN_DATABASE_URL": _database(self.folder / "directory.db"),
                "RUJUKAN_INDEX_FILE": str(self.folder / "search.db"),
                "RUJUKAN_PORT": str(self.ports[name]),
            }
        return {
            "RUJUKAN_WITNESS_KEY_FILE": str(self.folder / f"{name}.key"),
            "RUJUKAN_WITNESS_DATABASE_URL": _database(self.folder / f"{name}.db"),
            "RUJUKAN_WITNESS_NAME": _witness_name(name),
            "RUJUKAN_WITNESS_LOGS_FILE": str(self.folder / "logs.json"),
            "RUJUKAN_WITNESS_PORT": str(self.ports[name]),
        }


@contextmanager
def witnessed(folder: Path) -> Iterator[Witnessed]:
    """A new log whose directory and witnesses run; they end with the block."""
    ports = {name: free_port() for name in (DIRECTORY, *COUNTRIES)}
    url = f"http://{LOOPBACK}:{ports[DIRECTORY]}"
    witnesses = [_witness(folder, country, ports[country]) for country in COUNTRIES]
    data = make_root(
        net=NET,
        log=log_key(folder / "log.key").public,
        hubs=[Hub.of(url=f"http://{LOOPBACK}:1", key=SigningKey.generate().public)],
        coordinators=listed(),
        witnesses=witnesses,
        k=NEEDED,
    )
    (folder / "root.json").write_bytes(data)
    logs = [{"root_file": "root.json", "directory_url": url}]
    (folder / "logs.json").write_text(json.dumps({"logs": logs}), encoding="utf-8")
    office = Office(NET, folder=folder, directory_url=url)
    network = Witnessed(folder, ports, parse_root(data), office)
    try:
        for name in (*COUNTRIES, DIRECTORY):
            network.start(name)
        network.wait_until_open()
        yield network
    finally:
        network.stop_all()


def _copy_database(file: Path, target: Path) -> None:
    with closing(sqlite3.connect(file)) as database, closing(sqlite3.connect(target)) as copy:
        database.backup(copy)


def _witness(folder: Path, country: str, port: int) -> Witness:
    key = witness_key(folder / f"{country}.key")
    vkey = VerifierKey(_witness_name(country), WITNESS_KEY, key.public)
    return Witness(country, f"http://{LOOPBACK}:{port}", vkey)


def _witness_name(country: str) -> str:
    return f"witness.{country}.test"


def _database(file: Path) -> str:
    return f"sqlite:///{file}"


def _checkpoint(url: str) -> Checkpoint | None:
    answer = _get(url)
    return parse_checkpoint(parse_note(answer.content).text) if answer.status_code == 200 else None


def _get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=30)
