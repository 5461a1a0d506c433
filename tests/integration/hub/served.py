"""A hub as its operator runs it: `rujukan-hub serve` under gunicorn, a directory beside it.

network = Network(now=int(time.time()))        # real processes have the real clock
with directory(network) as url, serve(network, tmp_path, database, url) as hub:
    desk = Client(hub.url, network, shelter.desk)
"""

from __future__ import annotations

import os
import signal
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from contracts.encoding import b64decode
from contracts.log import join_leaves
from tests.integration.hub.boxed import Given
from tests.services.ports import LOOPBACK, free_port
from tests.services.processes import Child, descendants, start, wait_until
from tests.unit.hub.checkpoints import OCTETS, TEXT, checkpoint_note
from tests.unit.hub.hubs import ENVELOPE
from tests.unit.hub.network import NET, ROUTES_FILE, Desk, Network, write_key

PROGRAM: Final = Path(sys.executable).parent / "rujukan-hub"
_NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def directory(network: Network) -> Iterator[str]:
    """The address of a server that serves the network's log and nothing else."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind = _of_the_log(network, self.path)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer((LOOPBACK, 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _of_the_log(network: Network, address: str) -> tuple[bytes, str]:
    parts = urlsplit(address)
    if parts.path == "/log/checkpoint":
        return checkpoint_note(network.log, net=NET, key=network.log_key), TEXT
    span = parse_qs(parts.query)
    begin, end = int(span["from"][0]), int(span["to"][0])
    return join_leaves(network.log[begin : min(end, begin + 1000)]), OCTETS


@dataclass(frozen=True, slots=True)
class Served:
    """A hub that answers; `child` is gunicorn's first process."""

    url: str
    child: Child

    def kill(self) -> None:
        """SIGKILL to all of it at once, as a power cut of this one service."""
        for pid in (self.child.pid, *descendants(self.child.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait()


def environ(
    network: Network, folder: Path, database: str, directory_url: str, **more: str
) -> dict[str, str]:
    """The settings of a hub whose files lie in `folder`."""
    (folder / "root.json").write_bytes(network.root_file())
    (folder / "routes.json").write_bytes(ROUTES_FILE)
    return {
        "RUJUKAN_ROOT_FILE": str(folder / "root.json"),
        "RUJUKAN_HUB_KEY_FILE": str(write_key(network, folder / "hub.key")),
        "RUJUKAN_ROUTES_FILE": str(folder / "routes.json"),
        "RUJUKAN_DATABASE_URL": database,
        "RUJUKAN_DIRECTORY_URL": directory_url,
        "RUJUKAN_REQUESTS_A_MINUTE": "100000",
        **more,
    }


@contextmanager
def serve(environment: Mapping[str, str], *, log: Path) -> Iterator[Served]:
    """The hub with these settings, on a free port, answering."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    settings = {**environment, "RUJUKAN_PORT": str(port)}
    with start("hub", [PROGRAM, "serve"], log=log, environ=settings) as child:
        wait_until(lambda: _answers(url), "the hub to answer", child=child, seconds=30, every=0.1)
        yield Served(url, child)


def new_http() -> httpx.Client:
    """Connections of its own. Loopback needs no authorities, whose list takes long to read."""
    return httpx.Client(trust_env=False, timeout=20, verify=_NO_TLS)


@dataclass(slots=True)
class Client:
    """A desk that speaks HTTP."""

    url: str
    desk: Desk
    http: httpx.Client = field(default_factory=new_http)
    token: str = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def login(self) -> None:
        nonce = self._post("/v1/login/nonce", json={}).json()["nonce"]
        proof = self.desk.proof(b64decode(nonce, field="nonce"))
        answer = self._post("/v1/login", content=proof, kind="application/json")
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["token"]

    def submit(self, body: bytes) -> httpx.Response:
        return self._post("/v1/envelopes", content=body, kind=ENVELOPE)

    def lease(self) -> list[dict[str, Any]]:
        answer = self._post("/v1/mailbox/lease", json={"max": 100})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def acknowledge(self, leases: list[str]) -> None:
        answer = self._post("/v1/mailbox/ack", json={"acknowledge": leases, "give_back": []})
        assert answer.json()["acknowledged"] == len(leases)

    def drain(self) -> list[str]:
        """Fetch and acknowledge until nothing comes; the envelopes' ids, in order."""
        found: list[str] = []
        while items := self.lease():
            found += [item["eid"] for item in items]
            self.acknowledge([item["lease"] for item in items])
        return found

    def credentials(self) -> Given:
        """A user at the hub's queue."""
        answer = self._post("/v1/queue/credentials", json={})
        assert answer.status_code == 200, answer.text
        return Given(**answer.json())

    def _post(self, path: str, *, kind: str = "", **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if kind:
            headers["Content-Type"] = kind
        return self.http.post(f"{self.url}{path}", headers=headers, **content)


def _answers(url: str) -> bool:
    try:
        return (
            httpx.get(f"{url}/v1/hub", trust_env=False, timeout=5, verify=_NO_TLS).status_code
            == 200
        )
    except httpx.HTTPError:
        return False
