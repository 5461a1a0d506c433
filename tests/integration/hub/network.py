"""A small network for the relay's tests: two organisations, a log, a hub's files, its processes.

The statements are real and signed, the log is served over HTTP by a thread, envelopes are really
sealed; only people are missing. `Network.relay` is the real command.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel

from broker.hub.keyfile import make_key
from broker.hub.parts import Hub as HubParts
from broker.hub.parts import open_hub
from broker.hub.settings import HubSettings
from broker.hub.store import Box
from broker.service.settings import read_settings
from contracts.contents import Role, week_key
from contracts.drafting import device_statement, keys_statement, org_statement
from contracts.identifiers import Mid, OrgId
from contracts.log import Leaf, encode_leaf, join_leaves
from contracts.root import Hub
from contracts.sealing import EncryptionKeyPair, Plaintext, Sealed, seal
from contracts.signing import SigningKey
from contracts.statements import first_heading
from contracts.times import DAY
from tests.services.ports import LOOPBACK
from tests.services.processes import Child, start
from tests.services.rabbitmq import Vhost
from tests.unit.hub.checkpoints import OCTETS, TEXT, checkpoint_note
from tests.vouching import Vouchers, demo_root

NET: Final = "demo.relay.test"
HUB_COMMAND: Final = Path(sys.executable).parent / "rujukan-hub"
LIFETIME: Final = 3600


@dataclass(frozen=True, slots=True)
class Device:
    """One desk's keys."""

    org: OrgId
    signing: SigningKey
    encryption: EncryptionKeyPair

    @property
    def box(self) -> Box:
        return Box(self.org, self.signing.key_id)

    @property
    def user(self) -> str:
        """Its name at RabbitMQ."""
        return str(self.box)


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation with its devices."""

    org: OrgId
    devices: tuple[Device, ...]


@dataclass(slots=True)
class Directory:
    """The log over HTTP. `up = False` answers 503."""

    leaves: list[bytes]
    key: SigningKey = field(repr=False)
    url: str = ""
    up: bool = True

    def answer(self, address: str) -> tuple[bytes, str]:
        """What it says at this path, and of which media type."""
        parts = urlsplit(address)
        if parts.path == "/log/checkpoint":
            return checkpoint_note(self.leaves, net=NET, key=self.key), TEXT
        asked = parse_qs(parts.query)
        first, last = int(asked["from"][0]), int(asked["to"][0])
        return join_leaves(self.leaves[first:last]), OCTETS


@dataclass(slots=True)
class Network:
    """Everything a hub needs, in one folder."""

    folder: Path
    directory: Directory
    sender: Member
    receiver: Member
    hub_key: SigningKey = field(repr=False)

    def environ(self, queue_url: str | None, *, database_url: str | None = None) -> dict[str, str]:
        """The hub's settings."""
        found = {
            "RUJUKAN_ROOT_FILE": str(self.folder / "root.json"),
            "RUJUKAN_HUB_KEY_FILE": str(self.folder / "hub.key"),
            "RUJUKAN_DATABASE_URL": database_url or f"sqlite:///{self.folder / 'hub.db'}",
            "RUJUKAN_DIRECTORY_URL": self.directory.url,
            "RUJUKAN_ROUTES_FILE": str(self.folder / "routes.json"),
            "RUJUKAN_LOG_LEVEL": "INFO",
        }
        return found | ({"RUJUKAN_QUEUE_URL": queue_url} if queue_url else {})

    def open(self, queue_url: str) -> HubParts:
        """The same hub in the test's own process: what a gateway would use."""
        return open_hub(read_settings(HubSettings, self.environ(queue_url)))

    def relay(self, queue_url: str) -> AbstractContextManager[Child]:
        """The real relay process, until the end of the block."""
        return start(
            "relay",
            [HUB_COMMAND, "relay"],
            log=self.folder / "relay.log",
            environ=self.environ(queue_url),
        )

    def seal(
        self,
        text: str = "{}",
        *,
        mid: Mid | None = None,
        device: Device | None = None,
        lifetime: int = LIFETIME,
        age: int = 0,
    ) -> Sealed:
        """An envelope from the sender's first device to all devices of the receiver, and to the
        sender's other devices."""
        now = int(time.time()) - age
        signer = device or self.sender.devices[0]
        others = [one for one in self.sender.devices if one is not signer]
        keys = [
            week_key(one.encryption.public, at=now) for one in (*self.receiver.devices, *others)
        ]
        return seal(
            Plaintext(text.encode()),
            key=signer.signing,
            sender=signer.org,
            to=self.receiver.org,
            recipients=keys,
            contract="case-referral/1",
            mid=mid or Mid(secrets.token_hex(16)),
            iat=now,
            exp=now + lifetime,
        )


@contextmanager
def run_network(folder: Path, *, desks: int = 2) -> Iterator[Network]:
    """A network in `folder`, with `desks` devices on each side, until the end of the block."""
    now = int(time.time())
    members = [_member(country, desks) for country in ("my", "bd")]
    vouchers = Vouchers(NET)
    leaves = [leaf for member in members for leaf in _leaves(member, now, vouchers)]
    hub_key, log_key = make_key(folder / "hub.key"), SigningKey.generate()
    root = demo_root(
        net=NET,
        hubs=[Hub(hub_key.key_id, "https://hub.test", hub_key.public)],
        log=log_key.public,
    )
    (folder / "root.json").write_bytes(root)
    routes = {"demo": True, "routes": [{"pair": ["bd", "my"], "state": "signed", "note": "DEMO"}]}
    (folder / "routes.json").write_text(json.dumps(routes))
    directory = Directory(leaves, log_key)
    with _serve(directory):
        yield Network(folder, directory, members[0], members[1], hub_key)


def add_user(vhost: Vhost, device: Device) -> str:
    """Make the RabbitMQ user of a device, with the rights an organisation gets; its URL."""
    password = secrets.token_hex(16)
    vhost.node.api("PUT", f"/users/{device.user}", {"password": password, "tags": ""})
    rights = {"configure": "^$", "write": "^submit$", "read": "^$"}
    vhost.api("PUT", f"/permissions/{{vhost}}/{device.user}", rights)
    topic = {"exchange": "submit", "write": f"^{device.org}$", "read": "^$"}
    vhost.api("PUT", f"/topic-permissions/{{vhost}}/{device.user}", topic)
    return vhost.url_for(device.user, password)


@contextmanager
def channel_to(url: str) -> Iterator[BlockingChannel]:
    """A channel in confirm mode."""
    parameters = pika.URLParameters(url)
    parameters.blocked_connection_timeout = 10
    connection = pika.BlockingConnection(parameters)
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()


def submit(channel: BlockingChannel, device: Device, body: bytes) -> None:
    """Publish as this device; returns when the broker has confirmed."""
    properties = pika.BasicProperties(user_id=device.user, delivery_mode=2)
    channel.basic_publish("submit", device.org, body, properties)


def through(url: str, port: int) -> str:
    """The same address, but by way of a proxy."""
    parts = urlsplit(url)
    return url.replace(f":{parts.port}/", f":{port}/")


def _member(country: str, desks: int) -> Member:
    org = OrgId(f"{country}-{secrets.token_hex(8)}")
    devices = (
        Device(org, SigningKey.generate(), EncryptionKeyPair.generate()) for _ in range(desks)
    )
    return Member(org, tuple(devices))


def _leaves(member: Member, now: int, vouchers: Vouchers) -> Sequence[bytes]:
    """Two vouches, `org`, `device` and `keys` of each device, in force as long as a test runs."""
    at, root = now - 2 * DAY, SigningKey.generate()
    admin = member.devices[0].signing
    heading = first_heading(net=NET, by=member.org, iat=at)
    statements = [org_statement(heading, root=root, kind="ngo")]
    for number, device in enumerate(member.devices):
        heading = heading.following(statements[-1], iat=at)
        made = device_statement(
            heading,
            root=root,
            device=device.signing,
            role=Role.ADMIN,
            nbf=at,
            naf=now + 300 * DAY,
            admin=admin if number else None,
        )
        statements.append(made)
        heading = heading.following(statements[-1], iat=at)
        keys = [week_key(device.encryption.public, at=now)]
        statements.append(
            keys_statement(heading, device=device.signing, keys=keys, reads=["case-referral/1.0"])
        )
    admitted = vouchers.admitted(*statements, iat=at)
    return [encode_leaf(Leaf(statement, at)) for statement in admitted]


@contextmanager
def _serve(directory: Directory) -> Iterator[None]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind = directory.answer(self.path) if directory.up else (b"", TEXT)
            self.send_response(200 if directory.up else 503)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
            """Nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Answer) as server:
        directory.url = f"http://{LOOPBACK}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(5)
