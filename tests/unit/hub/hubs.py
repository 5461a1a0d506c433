"""A hub on a SQLite file, put together as `parts` does, with the directory's log in memory.

with running(network, tmp_path) as client:   # Flask's test client, no socket
    token = login(client, desk)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from broker.hub.acceptance import Acceptance
from broker.hub.app import app_of
from broker.hub.known import KnownByMirror
from broker.hub.mailbox import Mailbox
from broker.hub.parts import Hub
from broker.hub.sessions import Logins, Rates
from broker.hub.store import Limits, Store
from broker.hub.sweeper import Sweeper
from broker.mirror import Mirror
from broker.service.database import migrate, open_engine
from contracts.encoding import b64decode
from contracts.log import join_leaves
from tests.unit.hub.checkpoints import OCTETS, TEXT, checkpoint_note
from tests.unit.hub.network import NET, Desk, Network

ENVELOPE = "application/vnd.rujukan.envelope.v1+json"


class Directory:
    """The directory's answers, without a server. `reachable` is its plug."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.reachable = True
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if not self.reachable:
            raise httpx.ConnectError("unplugged", request=request)
        body, kind = self._answer(request.url)
        return httpx.Response(200, stream=httpx.ByteStream(body), headers={"Content-Type": kind})

    def _answer(self, url: httpx.URL) -> tuple[bytes, str]:
        network = self.network
        if url.path == "/log/checkpoint":
            return checkpoint_note(network.log, net=NET, key=network.log_key), TEXT
        start, end = int(url.params["from"]), int(url.params["to"])
        return join_leaves(network.log[start : min(end, start + 1000)]), OCTETS


def make_hub(
    network: Network,
    url: str,
    *,
    directory: Callable[[httpx.Request], httpx.Response] | None = None,
    queue: bool = False,
    limits: Limits | None = None,
    a_minute: int = 1000,
) -> Hub:
    """A hub on the database at `url`."""
    engine = migrated_engine(url)
    transport = httpx.MockTransport(directory or Directory(network))
    mirror = Mirror(
        engine=engine,
        root=network.root,
        directory_url="http://127.0.0.1:1",
        clock=network.clock,
        transport=transport,
    )
    known, store, key = KnownByMirror(mirror), Store(engine), network.hub_key
    acceptance = Acceptance(
        store=store, known=known, routes=network.routes, key=key, queue=queue, limits=limits
    )
    return Hub(
        engine=engine,
        root=network.root,
        key=key,
        clock=network.clock,
        uses_queue=queue,
        store=store,
        known=known,
        acceptance=acceptance,
        mailbox=Mailbox(engine),
        logins=Logins(engine, key=key, known=known),
        rates=Rates(engine, a_minute=a_minute),
        sweeper=Sweeper(engine, acceptance=acceptance, known=known),
    )


def sqlite(folder: Path) -> str:
    """The address of a database in this folder."""
    return f"sqlite:///{folder / 'hub.sqlite'}"


def migrated_engine(url: str) -> Engine:
    """An engine whose tables are those of a hub."""
    engine = open_engine(url)
    migrate(engine, "broker.hub")
    migrate(engine, "broker.mirror")
    return engine


def said(answer: TestResponse) -> dict[str, Any]:
    """The JSON object of an answer."""
    value = answer.json
    assert isinstance(value, dict), answer.text
    return value


class Caller:
    """A desk at the hub's door: Flask's test client with the desk's token."""

    def __init__(self, hub: Hub, desk: Desk) -> None:
        self.client: FlaskClient = app_of(hub).test_client()
        self.desk = desk
        self.token = ""

    def nonce(self) -> bytes:
        answer = self.client.post("/v1/login/nonce", json={})
        assert answer.status_code == 200, answer.text
        return b64decode(said(answer)["nonce"], field="nonce")

    def login(self, proof: bytes | None = None) -> TestResponse:
        """Log in, with this proof or a good one; the answer."""
        data = self.desk.proof(self.nonce()) if proof is None else proof
        answer = self.client.post("/v1/login", data=data, content_type="application/json")
        if answer.status_code == 200:
            self.token = said(answer)["token"]
        return answer

    def submit(self, body: bytes, *, content_type: str = ENVELOPE) -> TestResponse:
        return self.client.post(
            "/v1/envelopes", data=body, content_type=content_type, headers=self.headers
        )

    def lease(self, most: int = 100) -> list[dict[str, Any]]:
        answer = self.client.post("/v1/mailbox/lease", json={"max": most}, headers=self.headers)
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = said(answer)["items"]
        return items

    def settle(
        self, acknowledge: list[str] | None = None, give_back: list[str] | None = None
    ) -> dict[str, int]:
        answer = self.client.post(
            "/v1/mailbox/ack",
            json={"acknowledge": acknowledge or [], "give_back": give_back or []},
            headers=self.headers,
        )
        assert answer.status_code == 200, answer.text
        counts: dict[str, int] = said(answer)
        return counts

    def notice(self, mid: str) -> TestResponse:
        return self.client.get(f"/v1/notices/{mid}", headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def knock(hub: Hub, desk: Desk) -> Caller:
    """A desk that has logged in."""
    caller = Caller(hub, desk)
    answer = caller.login()
    assert answer.status_code == 200, answer.text
    return caller
