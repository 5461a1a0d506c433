"""The network of the secrecy test: real processes at DEBUG, everything they leave under one folder.

    with network_in(folder, backing, passphrases) as network:
        desk = network.new_desk("my", passphrase)
        network.run("find", desk.environ, "rujukan", "find", "--country", "bd")

What may hold secrets for good reasons (keys, passphrases, the organisation's own system) lies in
`network.kept_apart`, which is not searched; everything else is. Every process has its temporary
folder and its home here, and everything it prints is remembered.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.secrecy.places import Watcher
from tests.secrecy.recorder import Recorder, recording
from tests.secrecy.scanner import Piece
from tests.services.ports import free_port, wait_for_port
from tests.services.processes import Child, start, wait_until

NET: Final = "demo.secrecy"
COUNTRIES: Final = ("my", "bd")
_BIN: Final = Path(sys.executable).parent
_PATIENCE: Final = 90


@dataclass(frozen=True, slots=True)
class Backing:
    """What the servers stand on. Addresses with passwords in them; `queue` as settings take it."""

    hub_database: str = field(repr=False)
    directory_database: str = field(repr=False)
    queue: str | None = field(repr=False, default=None)
    management: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended. `label` says which step it was."""

    label: str
    code: int
    out: bytes = field(repr=False)
    err: bytes = field(repr=False)

    @property
    def value(self) -> Any:
        """Its one line of JSON; the command must have succeeded."""
        assert self.code == 0, f"{self.label} ended with {self.code}: {self.err.decode()}"
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class DeskAt:
    """One desk: where its files are, and what its commands are told."""

    name: str
    home: Path
    passphrase_file: Path
    environ: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CoordinatorAt:
    """One coordinator: a stick with its passphrase, and a folder for a copy of the log."""

    country: str
    key_file: Path
    passphrase_file: Path
    public: Path
    environ: Mapping[str, str] = field(repr=False)

    @property
    def signing(self) -> tuple[str, ...]:
        """How a command of theirs finds the key; they agree to everything."""
        key, passphrase = f"--key-file={self.key_file}", f"--passphrase-file={self.passphrase_file}"
        return key, passphrase, "--yes", "--json"


@dataclass(slots=True)
class Network:
    """Folders, settings and what was printed."""

    folder: Path
    watcher: Watcher
    hub: Recorder
    directory: Recorder
    ports: tuple[int, int]
    backing: Backing = field(repr=False)
    coordinators: tuple[CoordinatorAt, ...] = ()
    said: list[Said] = field(default_factory=list, repr=False)

    @property
    def kept_apart(self) -> Path:
        return self.folder / "kept-apart"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def everyone(self) -> dict[str, str]:
        """The environment that all processes share."""
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "user"),
            "TMPDIR": str(self.folder / "tmp"),
            "RUJUKAN_LOG_LEVEL": "DEBUG",
            "RUJUKAN_ROOT_FILE": str(self.folder / "root.json"),
        }

    @property
    def directory_environ(self) -> dict[str, str]:
        return self.everyone | {
            "RUJUKAN_DATABASE_URL_FILE": self._secret("directory", self.backing.directory_database),
            "RUJUKAN_INDEX_FILE": str(self.folder / "directory" / "index.db"),
            "RUJUKAN_LOG_KEY_FILE": str(self.kept_apart / "log.key"),
            "RUJUKAN_PORT": str(self.ports[0]),
            "RUJUKAN_WORKERS": "1",
            "RUJUKAN_PUBLIC_URL": self.directory.url,
        }

    @property
    def hub_environ(self) -> dict[str, str]:
        environ = self.everyone | {
            "RUJUKAN_DATABASE_URL_FILE": self._secret("hub", self.backing.hub_database),
            "RUJUKAN_DIRECTORY_URL": self.directory.url,
            "RUJUKAN_ROUTES_FILE": str(self.folder / "routes.json"),
            "RUJUKAN_HUB_KEY_FILE": str(self.kept_apart / "hub.key"),
            "RUJUKAN_PORT": str(self.ports[1]),
            "RUJUKAN_WORKERS": "1",
        }
        if self.backing.queue is not None:
            environ["RUJUKAN_QUEUE_URL_FILE"] = self._secret("queue", self.backing.queue)
        if self.backing.management is not None:
            environ["RUJUKAN_QUEUE_MANAGEMENT_URL"] = self.backing.management
        return environ

    def new_desk(self, name: str, passphrase: str) -> DeskAt:
        """The folder and the settings of a desk; nothing is in it yet."""
        file = self.new_passphrase(name, passphrase)
        home = self.folder / "desks" / name
        environ = self.everyone | {
            "RUJUKAN_HOME": str(home),
            "RUJUKAN_DIRECTORY_URL": self.directory.url,
            "RUJUKAN_ROUTES_FILE": str(self.folder / "routes.json"),
            "RUJUKAN_PASSPHRASE_FILE": str(file),
        }
        return DeskAt(name, home, file, environ)

    def new_passphrase(self, name: str, passphrase: str) -> Path:
        """A file with it, where nobody searches."""
        file = self.kept_apart / f"passphrase-{name}"
        file.write_text(f"{passphrase}\n", encoding="utf-8")
        return file

    def run(
        self, label: str, environ: Mapping[str, str], *command: str | Path, given: bytes = b""
    ) -> Said:
        """Run a command to its end; what it printed is remembered under `label`."""
        words = [str(_BIN / command[0]), *map(str, command[1:])]
        with subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            cwd=self.folder,
        ) as process:
            for what in ("cmdline", "environ"):
                self.watcher.see(process.pid, what)
            out, err = process.communicate(given, timeout=_PATIENCE)
        said = Said(label, process.returncode, out, err)
        self.said.append(said)
        return said

    @contextmanager
    def serving(self, name: str) -> Iterator[Child]:
        """Run `directory`, `hub` or `relay` for the length of the block."""
        program, words = ("hub", "relay") if name == "relay" else (name, "serve")
        environ = self.directory_environ if name == "directory" else self.hub_environ
        with start(
            name,
            [_BIN / f"rujukan-{program}", words],
            log=self.logs / f"{name}.log",
            environ=environ,
            folder=self.folder,
        ) as child:
            if name != "relay":
                wait_for_port(self.ports[0 if name == "directory" else 1], child=child)
            yield child

    @contextmanager
    def web_desk(self, desk: DeskAt) -> Iterator[str]:
        """Run a desk for a browser; the link that opens it."""
        log = self.logs / f"web-desk-{desk.name}.log"
        words: list[str | Path] = [_BIN / "rujukan", "desk", "--port", str(free_port()), "--json"]
        with start("desk", words, log=log, environ=desk.environ, folder=self.folder) as child:
            wait_until(lambda: "}" in child.said(), "the desk's link", child=child, seconds=60)
            line = next(one for one in child.said().splitlines() if '"url"' in one)
            yield str(json.loads(line)["url"])

    def stdout_of(self, *labels: str) -> list[Piece]:
        """What these commands printed for their user."""
        return [Piece(one.label, one.out) for one in self.said if one.label in labels]

    def stdout_but(self, *labels: str) -> list[Piece]:
        """What all other commands printed for their user."""
        return [Piece(one.label, one.out) for one in self.said if one.label not in labels]

    def stderr(self) -> list[Piece]:
        """What all commands logged and said about failures."""
        return [Piece(one.label, one.err) for one in self.said]

    def prepare(self, passphrases: Sequence[str]) -> None:
        """The network's own files: keys, root file, routes. One passphrase for each coordinator."""
        for name in ("hub", "directory", "desks", "logs", "kept-apart", "user", "tmp"):
            (self.folder / name).mkdir()
        route = {"pair": ["my", "bd"], "state": "signed", "note": "DEMO: signed for this test only"}
        routes = {"demo": True, "routes": [route]}
        (self.folder / "routes.json").write_text(json.dumps(routes), encoding="utf-8")
        hub_key = {"RUJUKAN_HUB_KEY_FILE": str(self.kept_apart / "hub.key")}
        self.coordinators = tuple(map(self._coordinator, COUNTRIES, passphrases))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._make_coordinator, self.coordinators))
        made = self.run("hub key", self.everyone | hub_key, "rujukan-hub", "key", "--json").value
        done = self.run(
            "root file", self.everyone, "rujukan-directory", "root-file", "--net", NET,
            "--hub-url", self.hub.url, "--hub-key", made["key"],
            "--out", self.folder / "root.json", "--log-key-file", self.kept_apart / "log.key",
            *(f"--coordinator={one.public}" for one in self.coordinators),
        )  # fmt: skip
        assert done.code == 0, done.err.decode()

    def _coordinator(self, country: str, passphrase: str) -> CoordinatorAt:
        name = f"coordinator-{country}"
        environ = self.everyone | {
            "RUJUKAN_HOME": str(self.folder / "desks" / name),
            "RUJUKAN_DIRECTORY_URL": self.directory.url,
        }
        return CoordinatorAt(
            country,
            self.kept_apart / f"{name}.key",
            self.new_passphrase(name, passphrase),
            self.folder / f"{name}.json",
            environ,
        )

    def _make_coordinator(self, one: CoordinatorAt) -> None:
        done = self.run(
            "coordinator init", one.environ, "rujukan", "coordinator", "init", "--net", NET,
            "--country", one.country, "--out", one.public, *one.signing[:2],
        )  # fmt: skip
        assert done.code == 0, done.err.decode()

    def _secret(self, name: str, value: str) -> str:
        file = self.kept_apart / f"address-{name}"
        if not file.exists():
            file.write_text(value, encoding="utf-8")
        return str(file)


@contextmanager
def network_in(folder: Path, backing: Backing, passphrases: Sequence[str]) -> Iterator[Network]:
    """A prepared network in an empty folder; no server of it runs yet.

    `passphrases` are for the coordinators' sticks.
    """
    ports = free_port(), free_port()
    with (
        Watcher().watching() as watcher,
        recording(ports[0]) as directory,
        recording(ports[1]) as hub,
    ):
        network = Network(folder, watcher, hub, directory, ports, backing)
        network.prepare(passphrases)
        yield network
