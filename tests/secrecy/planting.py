"""The positive control: marks put into every place, in every form, to see that they are found.

    plants = Plants(network, spy, vhost, databases)
    with plants.planted():
        report = Scanner(plants.secrets).scan(places)
    assert plants.expected(place.name) <= report.at(place.name)

The marks are others than the journey's: a server's log or write-ahead log cannot be made to forget.
What can be taken away again is taken away. Each place is planted by the way that a leak would
take: a statement for a database, a message for RabbitMQ, a request for what HTTP carries.
"""

from __future__ import annotations

import base64
import os
import random
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pika
import psycopg

from tests.secrecy.forms import needles_of
from tests.secrecy.marks import ascii_mark, bangla_mark
from tests.secrecy.network import Network
from tests.secrecy.recorder import Exchange
from tests.secrecy.scanner import Secret
from tests.secrecy.spy import PLANTED, Spy
from tests.services.processes import descendants, wait_until
from tests.services.rabbitmq import Vhost

# The label under which planted commands print.
LABEL: Final = "planted"
PLAIN: Final = "a planted mark"
FOREIGN: Final = "a planted mark in Bangla"
NAMED: Final = "a planted name"
COMPRESSED: Final = "a compressed mark"
_LONG: Final = 200_000
_PRINT: Final = (
    "import sys; data = sys.stdin.buffer.read();"
    " sys.stdout.buffer.write(data); sys.stderr.buffer.write(data)"
)

Expected = frozenset[tuple[str, str]]


@dataclass(slots=True)
class Plants:
    """Marks, and how they get into each place."""

    network: Network
    spy: Spy | None
    vhost: Vhost | None
    databases: tuple[str, ...]
    marks: Mapping[str, str] = field(
        default_factory=lambda: {
            PLAIN: ascii_mark(),
            FOREIGN: bangla_mark(),
            NAMED: ascii_mark(),
            COMPRESSED: ascii_mark(),
        },
        repr=False,
    )
    _stack: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def secrets(self) -> list[Secret]:
        return [Secret(name, "planted", mark) for name, mark in self.marks.items()]

    @property
    def forms(self) -> dict[tuple[str, str], bytes]:
        """Every form of the two marks that are planted in all of them."""
        return {
            (name, needle.form): needle.data
            for name in (PLAIN, FOREIGN)
            for needle in needles_of(self.marks[name])
        }

    def expected(self, place: str) -> Expected:
        """What the scanner must find there."""
        everything = frozenset(self.forms)
        written: dict[str, Expected] = {
            # A statement's values: what is no text stands there in hex.
            "PostgreSQL's log": frozenset(
                form for form, data in self.forms.items() if _text(data) is not None
            ),
            "arguments of processes": frozenset(self._without_nul()),
            "environment of processes": frozenset(self._without_nul()),
            "addresses and headers to the hub": frozenset(self._printable()),
            "addresses and headers to the directory": frozenset(self._printable()),
        }
        more: dict[str, set[tuple[str, str]]] = {
            "the hub's database": {(COMPRESSED, "utf-8")} if self.databases else set(),
            "messages in RabbitMQ": {(NAMED, "utf-8")},
            "RabbitMQ's logs": {(NAMED, "utf-8")},
            "all other files": {(NAMED, "name, utf-8"), (COMPRESSED, "compressed, utf-8")},
        }
        return written.get(place, everything) | more.get(place, set())

    @contextmanager
    def planted(self) -> Iterator[None]:
        """For the length of the block the marks are where the scanner looks."""
        with self._stack:
            self._plant_files()
            self._plant_databases()
            self._plant_processes()
            self._plant_output()
            self._plant_requests()
            if self.spy is not None and self.vhost is not None:
                self._plant_message(self.spy)
                self._plant_connection(self.vhost)
            yield

    def _plant_files(self) -> None:
        root = self.network.folder
        everything = b"\n".join(self.forms.values())
        for name in ("hub", "directory", "desks", "logs", "tmp"):
            self._file(root / name / "planted", everything)
        for log in (root / "logs").glob("*.log"):
            with log.open("ab") as opened:  # a line in a log stays, as it would
                opened.write(everything + b"\n")
        self._file(root / "user" / f"x{self.marks[NAMED]}", b"")
        stream = zlib_stream(self.marks[COMPRESSED].encode())
        self._file(root / "tmp" / "compressed", b"something before" + stream)
        if self.vhost is not None:
            self._file(self.vhost.node.folder / "log" / "planted.log", everything)

    def _file(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        self._stack.callback(path.unlink)

    def _plant_databases(self) -> None:
        root = self.network.folder
        found = [*root.glob("hub/*.db"), *root.glob("directory/*.db"), *root.glob("desks/*/*.db")]
        for file in found:
            # Open for as long as it is searched, so that the rows lie in the write-ahead log too.
            database = self._stack.enter_context(closing(sqlite3.connect(file, timeout=30)))
            self._stack.callback(_drop, database)
            self._insert(database.execute, "BLOB", "?")
            database.commit()
        for url in self.databases:
            session = self._stack.enter_context(psycopg.connect(url, autocommit=True))
            self._stack.callback(session.execute, "DROP TABLE planted")
            self._insert(session.execute, "BYTEA", "%s")
            long = self.marks[COMPRESSED] + "a" * _LONG
            # Made there, so that the server's log does not show it whole.
            session.execute("INSERT INTO planted (words) VALUES (%s)", (long,))

    def _insert(self, execute: Callable[..., Any], binary: str, place: str) -> None:
        execute(f"CREATE TABLE planted (bytes {binary}, words TEXT)")
        statement = f"INSERT INTO planted (bytes, words) VALUES ({place}, {place})"  # noqa: S608 - constants
        for data in self.forms.values():
            execute(statement, (data, _text(data)))

    def _plant_processes(self) -> None:
        arguments = list(self._without_nul().values())
        environ = {f"X{number}".encode(): data for number, data in enumerate(arguments)}
        sleeping = subprocess.Popen(
            [sys.executable.encode(), b"-c", b"import sys; sys.stdin.read()", *arguments],
            env=os.environb.copy() | environ,
            stdin=subprocess.PIPE,
        )
        self._stack.callback(sleeping.wait)
        assert sleeping.stdin is not None
        self._stack.callback(sleeping.stdin.close)
        wait_until(lambda: sleeping.pid in descendants(os.getpid()), "a planted process")
        self.network.watcher.look()

    def _plant_output(self) -> None:
        everything = b"\n".join(self.forms.values())
        self.network.run(LABEL, self.network.everyone, "python", "-c", _PRINT, given=everything)

    def _plant_requests(self) -> None:
        headers = [(f"X-{i}", data.decode()) for i, data in enumerate(self._printable().values())]
        body = b"\n".join(self.forms.values())
        for recorder in (self.network.hub, self.network.directory):
            for begin in range(0, len(headers), 20):  # a server takes only so many at once
                some = dict(headers[begin : begin + 20])
                with suppress(httpx.RemoteProtocolError):  # that server may have been stopped
                    httpx.post(recorder.url, content=body, headers=some, trust_env=False)
            # No server of ours gives back what it was sent, so an answer can only be made up.
            recorder.exchanges.append(Exchange("GET", "/", b"", b"", 200, b"", body))

    def _plant_message(self, spy: Spy) -> None:
        body, headers = b"\n".join(self.forms.values()), {"x-mark": self.marks[NAMED]}
        properties = pika.BasicProperties(headers=headers, delivery_mode=2)
        before = spy.count()
        spy.channel.basic_publish("deliver", PLANTED, body, properties)
        wait_until(lambda: spy.count() > before, "the planted message")

    def _plant_connection(self, vhost: Vhost) -> None:
        """A name that RabbitMQ itself writes into its log."""
        parameters = pika.URLParameters(vhost.url)
        parameters.client_properties = {"connection_name": self.marks[NAMED]}
        pika.BlockingConnection(parameters).close()
        log = vhost.node.folder / "log" / "node.log"
        mark = self.marks[NAMED].encode()
        wait_until(lambda: mark in log.read_bytes(), "RabbitMQ to log a connection's name")

    def _without_nul(self) -> dict[tuple[str, str], bytes]:
        return {form: data for form, data in self.forms.items() if b"\0" not in data}

    def _printable(self) -> dict[tuple[str, str], bytes]:
        return {
            form: data
            for form, data in self.forms.items()
            if data.isascii() and data.decode().isprintable()
        }


def zlib_stream(data: bytes) -> bytes:
    """`data` compressed so that it does not show."""
    noise = base64.b64encode(random.randbytes(200))
    return zlib.compress(noise + data + noise)


def _drop(database: sqlite3.Connection) -> None:
    database.execute("DROP TABLE planted")
    database.commit()


def _text(data: bytes) -> str | None:
    """The same as text, where a text column can hold it."""
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
