"""A witness as it really runs: worker processes over loopback, killed, asked by many at once."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from contracts.checkpoints import cosignatures
from contracts.errors import BadSignature
from contracts.log import join_leaves
from contracts.notes import Note, parse_note, parse_signatures, signed_note
from contracts.root import WITNESS_KEY, VerifierKey, parse_vkey
from tests.services import Child, free_port, start, wait_for_port
from tests.services.processes import descendants, is_alive, wait_until
from tests.unit.directory.witness.logs import WITNESS, Clock, Log

COMMAND = [sys.executable, "-c", "from directory.cli import main; main()"]


class Now(Clock):
    """The computer's own time: the witness is another process."""

    def __call__(self) -> int:
        return int(time.time())


@dataclass
class Place:
    """A log, its directory on a port of this process, and the folder and database of a witness."""

    folder: Path
    database: str
    directory: str
    log: Log = field(default_factory=lambda: Log("demo.a.example", Now()))
    serves: list[Log] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "RUJUKAN_WITNESS_DATABASE_URL": self.database,
            "RUJUKAN_WITNESS_KEY_FILE": str(self.folder / "witness.key"),
            "RUJUKAN_WITNESS_NAME": WITNESS,
            "RUJUKAN_WITNESS_LOGS_FILE": str(self.folder / "logs.json"),
            "RUJUKAN_WITNESS_PORT": str(self.port),
        }

    def write_files(self) -> None:
        (self.folder / "root.json").write_bytes(self.log.root_file())
        logs = [{"root_file": "root.json", "directory_url": self.directory}]
        (self.folder / "logs.json").write_text(json.dumps({"logs": logs}))

    @contextmanager
    def run(self) -> Iterator[Child]:
        command = [*COMMAND, "witness"]
        log = self.folder / "witness.log"
        with start("witness", command, log=log, environ=self.environ) as child:
            wait_for_port(self.port, child=child)
            yield child

    @property
    def vkey(self) -> VerifierKey:
        public = self.folder / "public.json"
        if not public.exists():
            options = ["--name", WITNESS, "--country", "my", "--url", "https://witness.example"]
            command = [*COMMAND, "witness-key", *options, "--out", str(public)]
            with start("key", command, log=self.folder / "key.log", environ=self.environ) as child:
                assert child.wait(60) == 0, child.said()
        return parse_vkey(json.loads(public.read_text())["key"], kind=WITNESS_KEY, field="key")

    def ask(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=30, trust_env=False)

    def signed(self, answer: httpx.Response, log: Log, size: int | None = None) -> int:
        assert answer.status_code == 200, answer.text
        (line,) = parse_signatures(answer.content)
        (found,) = cosignatures(signed_note(log.note(size).text, line), [self.vkey])
        return found.at

    def kept(self) -> tuple[int, bytes]:
        """The size and text of the newest note, 0 before any."""
        query = {"origin": self.log.net}
        answer = httpx.get(f"{self.url}/log/checkpoint", params=query, trust_env=False)
        if answer.status_code == 404:
            return 0, b""
        text = parse_note(answer.content).text
        return int(text.split(b"\n")[1]), text


def kill_everything(child: Child) -> None:
    """SIGKILL to the server and its workers, all in the same moment."""
    pids = [child.pid, *descendants(child.pid)]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.kill()
    wait_until(lambda: not any(map(is_alive, pids)), "all of the witness to be gone")


def _handler(serves: list[Log]) -> type[BaseHTTPRequestHandler]:
    class Leaves(BaseHTTPRequestHandler):
        """`GET /log/leaves` of whatever log is shown now."""

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            first, end = (int(query[name][0]) for name in ("from", "to"))
            body = join_leaves(serves[-1].leaves[first:end])
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Leaves


@pytest.fixture(params=["sqlite", "postgresql"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    database = f"sqlite:///{tmp_path / 'witness.db'}"
    if request.param == "postgresql":
        database = str(request.getfixturevalue("postgres"))
    place = Place(tmp_path, database, "")
    place.serves.append(place.log)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(place.serves))
    place.directory = f"http://127.0.0.1:{server.server_port}"
    place.write_files()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield place
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_was_answered_is_known_after_a_kill(place: Place) -> None:
    """SIGKILL right after the answer; the fork that is asked for next is refused."""
    log = place.log
    for size in (2, 5):
        with place.run() as child:
            log.write(size - log.size)
            place.signed(place.ask(log.request(place.kept()[0])), log)
            kill_everything(child)
    fork = log.fork(4)
    fork.write(says="another past")
    place.serves.append(fork)
    with place.run():
        assert place.kept() == (5, log.note().text)
        answer = place.ask(fork.request(5))
        assert (answer.status_code, answer.content) == (409, b"5\n")
        assert place.ask(log.request(5)).json()["code"] == "stopped"


def test_a_kill_at_any_moment_forgets_nothing_that_was_answered(place: Place) -> None:
    log = place.log
    log.write(60)
    answered = [0]

    def ask_until_it_is_gone() -> None:
        size = answered[-1]
        with suppress(httpx.TransportError):
            while size < log.size:
                answer = place.ask(log.request(answered[-1], answered[-1] + 1))
                # 409: it was remembered, and killed before it could answer.
                size = answered[-1] + 1 if answer.status_code == 200 else int(answer.text)
                answered.append(size)

    for moment in (7, 31):
        with place.run() as child, ThreadPoolExecutor(1) as pool:
            asking = pool.submit(ask_until_it_is_gone)
            wait_until(partial(_reached, answered, moment), "answers", seconds=60, child=child)
            kill_everything(child)
            asking.result()
    with place.run():
        size, text = place.kept()
        assert answered[-1] <= size <= answered[-1] + 1
        assert text == log.note(size).text


def _reached(answered: list[int], moment: int) -> bool:
    return answered[-1] >= moment


def test_of_requests_at_once_one_is_signed_and_nothing_is_rolled_back(place: Place) -> None:
    """The race of the specification: A for size N, B for size N + K, both from the same size."""
    log = place.log
    log.write(8)
    with place.run():
        for old in range(0, 8, 2):
            bodies = [log.request(old, size) for size in (old + 1, old + 2) for _ in range(3)]
            answers = at_once(place, bodies)
            by_status = sorted({answer.status_code for answer in answers})
            assert set(by_status) <= {200, 409, 503}
            size = place.kept()[0]
            assert old < size <= old + 2
            told = {int(one.text) for one in answers if one.status_code == 409}
            assert told <= {size}
            if size == old + 1:
                place.signed(place.ask(log.request(size, old + 2)), log, old + 2)


def test_of_two_forks_at_once_one_is_signed(place: Place) -> None:
    log = place.log
    log.write(3)
    with place.run():
        place.signed(place.ask(log.request(0)), log)
        fork = log.fork(3)
        fork.write(2, says="another future")
        log.write(2)
        answers = at_once(place, [one.request(3) for one in (log, fork)] * 3)
        assert {answer.status_code for answer in answers} <= {200, 409, 422, 503}
        good = {one.content for one in answers if one.status_code == 200}
        texts = [one.note().text for one in (log, fork)]
        for line in good:
            signatures = parse_signatures(line)
            notes = [signed_note(text, *signatures) for text in texts]
            fits = [_is_good(note, place.vkey) for note in notes]
            assert fits == [True, False], "the leaves shown are the first one's"


def at_once(place: Place, bodies: list[bytes]) -> list[httpx.Response]:
    """All of them, in the same moment as far as that can be had."""
    ready = threading.Barrier(len(bodies))

    def ask(body: bytes) -> httpx.Response:
        ready.wait()
        return place.ask(body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(ask, bodies))


def _is_good(note: Note, key: VerifierKey) -> bool:
    try:
        return bool(cosignatures(note, [key]))
    except BadSignature:
        return False


def test_a_witness_that_cannot_be_set_up_says_so_and_starts_nothing(place: Place) -> None:
    (place.folder / "logs.json").write_text("{}")
    log = place.folder / "failed.log"
    with start("witness", [*COMMAND, "witness"], log=log, environ=place.environ) as child:
        assert child.wait(60) == 1
        assert "RUJUKAN_WITNESS_LOGS_FILE" in child.said()
        assert "Nothing was started" in child.said()
