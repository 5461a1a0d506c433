"""Coordinators and an organisation before a real directory, without a socket between them.

network = CoordinatedNetwork(tmp_path, monkeypatch)
network.done(0, "list", "entries.json")           # the first coordinator's command, as JSON
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from broker.desk import asking, cli_listing, keyfile, terminal
from broker.desk.cli import main
from broker.desk.client import DirectoryClient
from broker.desk.keyfile import Cost, Wrapping
from broker.desk.publishing import Network
from broker.desk.secretfile import Kind, Secret, write_secret_file
from broker.desk.settings import DeskSettings
from broker.mirror import Mirror
from broker.service.database import open_engine
from contracts.entries import Entry, render_entries
from contracts.register import Register
from contracts.root import RootFile, parse_root
from directory.entries import entries_of
from directory.imports import read_listings
from tests.unit.directory.support import NET, TODAY, Member, Served, admit, csv_file, served
from tests.vouching import COORDINATORS

PASSPHRASE = b"fig lantern meadow quartz"
URL = "http://127.0.0.1:8000"


def quick(passphrase: bytes, cost: Cost, salt: bytes) -> Wrapping:
    """Not Argon2id: nobody guesses passphrases in these tests."""
    return Wrapping(cost, salt, blake2b(passphrase + salt, digest_size=32).digest())


class Cutting(httpx.WSGITransport):
    """The line to the directory; cut after some more statements, or losing their answers."""

    left: int | None = None
    lose_answers = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        statement = request.url.path == "/log/statements"
        if statement and self.left == 0 and not self.lose_answers:
            raise httpx.ConnectError("cut")
        answer = super().handle_request(request)
        if statement and self.left == 0:
            raise httpx.ReadError("cut")
        if statement and self.left is not None:
            self.left -= 1
        return answer


@dataclass
class CoordinatedNetwork:
    """One directory and its four coordinators, each with a computer and a key file."""

    folder: Path
    patch: pytest.MonkeyPatch
    directory: Served = field(init=False)
    line: Cutting = field(init=False)
    root: RootFile = field(init=False)

    def __post_init__(self) -> None:
        self.directory = served(self.folder)
        self.line = Cutting(app=self.directory.app)
        self.root = parse_root((self.folder / "root.json").read_bytes())
        self.patch.setattr(keyfile, "_wrapping", quick)
        self.patch.setattr(
            cli_listing, "DirectoryClient", lambda url: DirectoryClient(url, self.line)
        )
        (self.folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
        for number, one in enumerate(COORDINATORS):
            secret = Secret(Kind.COORDINATOR, NET, one.id, one.key)
            write_secret_file(self.key_file(number), secret, PASSPHRASE)

    @property
    def register(self) -> Register:
        return self.directory.runtime.log.register()

    @property
    def now(self) -> int:
        return self.directory.runtime.clock()

    def admit(self, member: Member) -> None:
        """Take a member into the log, and have the log signed."""
        admit(self.directory.runtime.log, member)
        self.directory.runtime.logbook.advance()

    def key_file(self, number: int) -> Path:
        return self.folder / f"coordinator{number}.key"

    def run(self, number: int, *words: str, answers: Sequence[str] = ("yes",) * 9) -> Result:
        """A coordinator's command at their own computer."""
        settings = DeskSettings(
            home=self.folder / f"home{number}",
            root_file=self.folder / "root.json",
            directory_url=URL,
            passphrase_file=self.folder / "passphrase",
        )
        self.patch.setattr(terminal, "settings", lambda: settings)
        self.patch.setattr(asking, "open_network", self._network)
        given = "\n".join(answers) + "\n"
        result = CliRunner().invoke(main, ["coordinator", *words], input=given)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def signing(self, number: int, *words: str, **more: Any) -> Result:
        """The same, for a command that needs the key."""
        return self.run(number, *words, "--key-file", str(self.key_file(number)), **more)

    def done(self, number: int, *words: str) -> dict[str, Any]:
        """What a program reads of a command that worked."""
        result = self.signing(number, *words, "--yes", "--json")
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def refused(self, number: int, *words: str) -> str:
        """The sentence of a command that did not do it; nothing was added to the log."""
        before = self.directory.runtime.log.size()
        result = self.signing(number, *words, "--yes")
        assert result.exit_code == 1, result.output
        assert self.directory.runtime.log.size() == before
        return result.stderr

    def entries_file(self, rows: Sequence[Mapping[str, str]]) -> str:
        """What an import prepares of these rows."""
        file = self.folder / "entries.json"
        file.write_bytes(render_entries(entries(rows)))
        return str(file)

    def _network(self, settings: DeskSettings) -> Network:
        settings.home.mkdir(mode=0o700, exist_ok=True)
        engine = open_engine(f"sqlite:///{settings.home / 'mirror.db'}")
        clock = self.directory.runtime.clock
        mirror = Mirror(
            engine=engine,
            root=self.root,
            directory_url=URL,
            clock=clock,
            transport=httpx.WSGITransport(app=self.directory.app),
        )
        client = DirectoryClient(URL, self.line)
        return Network(self.root, mirror, client, clock, engine.dispose)


def entries(rows: Sequence[Mapping[str, str]]) -> tuple[Entry, ...]:
    """The entries of these rows."""
    return entries_of(read_listings(csv_file(rows), today=TODAY, demonstration=True))


@contextmanager
def coordinated(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[CoordinatedNetwork]:
    """A network that lets go of its database at the end."""
    network = CoordinatedNetwork(folder, patch)
    yield network
    network.directory.close()
