"""A running network of real processes: a directory, a hub, and desks on the command line.

    with running(tmp_path) as network:
        ours = network.desk("my")
        found = ours.json("find", "--country", "bd")

Its two coordinators are in the test's own process (`tests.journeys.coordinators`); a desk lists
itself. Every command is the installed one, with its own folder and nothing of the test's
environment. With a `queue` every envelope passes through that RabbitMQ, and `wait_for_mail` waits
for its way back.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from contracts.entries import Entry, render_entry
from tests.journeys.coordinators import Office, entries_in
from tests.services.ports import LOOPBACK, free_port, wait_for_port
from tests.services.processes import Child, start, wait_until
from tests.services.rabbitmq import Vhost

NET: Final = "demo.journey"
PASSPHRASE: Final = "fig lantern meadow quartz"
BIN: Final = Path(sys.executable).parent
_PATIENCE: Final = 60
# An accepted envelope whose copies for the recipient's devices are not in the mailbox yet.
_ON_THE_WAY: Final = (
    "SELECT count(*) FROM acceptance"
    " WHERE NOT EXISTS (SELECT 1 FROM copy WHERE copy.eid = acceptance.eid)"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        """Its one line of JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLineDesk:
    """One desk's folder and environment."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    org: str = ""

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, *words: str, given: bytes = b"") -> Outcome:
        """Run `rujukan` to its end."""
        done = subprocess.run(
            [BIN / "rujukan", *words],
            input=given,
            capture_output=True,
            env=dict(self.environ),
            cwd=self.folder,
            timeout=_PATIENCE,
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def json(self, *words: str, given: bytes = b"") -> Any:
        """What it says with --json; the command must succeed."""
        outcome = self.run(*words, "--json", given=given)
        assert outcome.code == 0, f"{words}: {outcome}"
        return outcome.value


@dataclass(slots=True)
class RunningNetwork:
    """The servers, and what a desk needs to know of them."""

    folder: Path
    ports: tuple[int, int]
    directory_environ: Mapping[str, str] = field(repr=False)
    hub_environ: Mapping[str, str] = field(repr=False)
    coordinators: Office = field(repr=False)
    queue: Vhost | None = field(default=None, repr=False)
    _desks: dict[str, CommandLineDesk] = field(default_factory=dict, repr=False)

    @property
    def root_file(self) -> Path:
        return self.folder / "root.json"

    def desk(self, country: str, *, kind: str = "ngo", admitted: bool = True) -> CommandLineDesk:
        """A new organisation with one desk. The directory must be running to admit it."""
        desk = self._new_desk(country)
        made = desk.json(
            "init", "--country", country, "--kind", kind,
            "--root-key-file", str(desk.folder / "stick.key"),
            "--admission-file", str(desk.folder / "admission.json"),
        )  # fmt: skip
        if admitted:
            self.coordinators.admit(desk.folder / "admission.json")
        desk = CommandLineDesk(desk.folder, desk.environ, made["org"])
        self._desks[desk.org] = desk
        return desk

    def list_services(self, table: str) -> None:
        """Publish a listing: each desk of this network signs its own, coordinators the others."""
        for entry in entries_in(table):
            desk = self._desks.get(entry.org)
            if desk is None:
                self.coordinators.enter(entry)
            else:
                _publish(desk, entry)

    @contextmanager
    def serving(self, name: str) -> Iterator[Child]:
        """Run `directory`, `hub` or the hub's `relay` for the length of the block."""
        program, words = ("hub", "relay") if name == "relay" else (name, "serve")
        environ = self.directory_environ if name == "directory" else self.hub_environ
        command: list[str | Path] = [BIN / f"rujukan-{program}", words]
        log = self.folder / f"{name}.log"
        with start(name, command, log=log, environ=environ, folder=self.folder) as child:
            if name != "relay":
                wait_for_port(self.ports[0 if name == "directory" else 1], child=child)
            yield child

    def declare_queues(self) -> None:
        """What the hub's operator does once with a RabbitMQ."""
        _must("rujukan-hub", "declare", environ=self.hub_environ)

    def wait_for_mail(self) -> None:
        """Until every envelope that the hub accepted lies in a mailbox."""
        wait_until(self._all_in_mailboxes, "all letters in the mailboxes", seconds=_PATIENCE)

    def accepted(self) -> int:
        """How many envelopes the hub has accepted."""
        return self._hub_counts("SELECT count(*) FROM acceptance")

    def carried(self) -> int:
        """How many envelopes RabbitMQ counted on their way to the mailbox."""
        assert self.queue is not None
        queues = self.queue.api("GET", "/queues/{vhost}")
        (box,) = [one for one in queues if one["name"] == "box.mailbox"]
        return int(box.get("message_stats", {}).get("publish", 0))

    def _all_in_mailboxes(self) -> bool:
        waiting = self._hub_counts("SELECT count(*) FROM outbox")
        return waiting + self._hub_counts(_ON_THE_WAY) == 0

    def _hub_counts(self, question: str) -> int:
        with closing(sqlite3.connect(f"file:{self.folder}/hub.db?mode=ro", uri=True)) as hub:
            (counted,) = hub.execute(question).fetchone()
        return int(counted)

    def _new_desk(self, country: str) -> CommandLineDesk:
        folder = self.folder / f"desk-{country}-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        passphrase = folder / "passphrase"
        passphrase.write_text(PASSPHRASE + "\n", encoding="utf-8")
        environ = _plain_environ() | {
            "RUJUKAN_HOME": str(folder / "home"),
            "RUJUKAN_ROOT_FILE": str(self.root_file),
            "RUJUKAN_DIRECTORY_URL": self.directory_environ["RUJUKAN_PUBLIC_URL"],
            "RUJUKAN_ROUTES_FILE": self.hub_environ["RUJUKAN_ROUTES_FILE"],
            "RUJUKAN_PASSPHRASE_FILE": str(passphrase),
            "RUJUKAN_LOG_LEVEL": "DEBUG",
        }
        return CommandLineDesk(folder, environ)


def prepare(folder: Path, *, queue: Vhost | None = None) -> RunningNetwork:
    """Keys, root file and settings of a new network; nothing runs yet."""
    ports = free_port(), free_port()
    urls = [f"http://{LOOPBACK}:{port}" for port in ports]
    routes = folder / "routes.json"
    signed = {"pair": ["my", "bd"], "state": "signed", "note": "DEMO: signed for this test only"}
    routes.write_text(json.dumps({"demo": True, "routes": [signed]}), encoding="utf-8")
    hub_key = {"RUJUKAN_HUB_KEY_FILE": str(folder / "hub.key")}
    made = json.loads(_must("rujukan-hub", "key", "--json", environ=_plain_environ() | hub_key))
    coordinators = Office(NET, folder=folder, directory_url=urls[0])
    _must(
        "rujukan-directory", "root-file", "--net", NET, "--hub-url", urls[1],
        "--hub-key", made["key"], "--out", str(folder / "root.json"),
        "--log-key-file", str(folder / "log.key"),
        *(f"--coordinator={file}" for file in coordinators.public_files),
        environ=_plain_environ(),
    )  # fmt: skip
    common = _plain_environ() | {
        "RUJUKAN_ROOT_FILE": str(folder / "root.json"),
        "RUJUKAN_LOG_LEVEL": "DEBUG",
        "RUJUKAN_WORKERS": "1",
        "RUJUKAN_PUBLIC_URL": urls[0],
    }
    directory = common | {
        "RUJUKAN_DATABASE_URL": f"sqlite:///{folder}/directory.db",
        "RUJUKAN_INDEX_FILE": str(folder / "index.db"),
        "RUJUKAN_LOG_KEY_FILE": str(folder / "log.key"),
        "RUJUKAN_PORT": str(ports[0]),
    }
    hub = (
        common
        | hub_key
        | {
            "RUJUKAN_DATABASE_URL": f"sqlite:///{folder}/hub.db",
            "RUJUKAN_DIRECTORY_URL": urls[0],
            "RUJUKAN_ROUTES_FILE": str(routes),
            "RUJUKAN_PORT": str(ports[1]),
        }
    )
    hub |= _queue_environ(queue)
    return RunningNetwork(folder, ports, directory, hub, coordinators, queue)


@contextmanager
def running(folder: Path, *, queue: Vhost | None = None) -> Iterator[RunningNetwork]:
    """A network whose directory and hub serve, past a RabbitMQ if there is one."""
    network = prepare(folder, queue=queue)
    with ExitStack() as stack:
        stack.enter_context(network.serving("directory"))
        if queue is not None:
            network.declare_queues()
            stack.enter_context(network.serving("relay"))
        stack.enter_context(network.serving("hub"))
        yield network


def _queue_environ(queue: Vhost | None) -> dict[str, str]:
    if queue is None:
        return {}
    return {
        "RUJUKAN_QUEUE_URL": queue.url,
        "RUJUKAN_QUEUE_MANAGEMENT_URL": queue.management_url,
    }


def _publish(desk: CommandLineDesk, entry: Entry) -> None:
    file = desk.folder / "entry.json"
    file.write_bytes(render_entry(entry))
    desk.json("listing", "publish", str(file), "--yes")


def _plain_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RUJUKAN_")}


def _must(program: str, *words: str, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        [BIN / program, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=dict(environ),
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, f"{program} {words}: {done.stderr.decode()}{done.stdout.decode()}"
    return done.stdout.decode()
