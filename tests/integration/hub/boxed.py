"""A device on AMQPS, as a partner's system would be one, and a hub that gives it a user.

with standing(backend, vhost) as stand:
    given = stand.credentials(desk)
    with consuming(given) as queue:
        queue.wait_for(1)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast
from urllib.parse import quote

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError
from sqlalchemy import select

from broker.hub import models
from broker.hub.boxes import BOX_SETTLES_SECONDS, Boxes
from broker.hub.keeping import BoxKeeper
from broker.hub.management import Management
from broker.hub.parts import Hub
from broker.hub.queue_users import QueueUsers
from contracts.drafting import freeze_statement, revoke_statement
from contracts.envelope import parse_envelope
from tests.integration.hub.backends import Backend
from tests.integration.hub.network import channel_to
from tests.services.ports import LOOPBACK
from tests.services.rabbitmq import Vhost
from tests.unit.hub.hubs import knock, said
from tests.unit.hub.network import Clock, Desk, Network, Organisation
from tests.vouching import COORDINATORS

WALL: Final = time.time


class WallClock(Clock):
    """The computer's own, for tests in which seconds are measured."""

    def __init__(self) -> None:
        """Nothing to set."""

    @property
    def now(self) -> int:  # type: ignore[override]  # stands in for the attribute
        return int(WALL())


@dataclass(frozen=True, slots=True)
class Given:
    """Credentials as the hub answered them."""

    url: str
    vhost: str
    user: str
    password: str = field(repr=False)
    queue: str
    expires_at: int

    @property
    def address(self) -> str:
        scheme, host = self.url.split("://")
        return f"{scheme}://{self.user}:{self.password}@{host}/{quote(self.vhost, safe='')}"


def with_queue_users(stand: Backend, vhost: Vhost, *, public_url: str = "") -> Hub:
    """A hub that gives devices users at this RabbitMQ."""
    hub, office = stand.hub(), Management(vhost.url, vhost.management_url)
    stand.at_the_end(office.close)
    users = QueueUsers(
        boxes=Boxes(hub.engine),
        office=office,
        known=hub.known,
        public_url=public_url or f"amqp://{LOOPBACK}:{vhost.node.port}",
    )
    return replace(hub, queue_users=users)


def users_of(hub: Hub) -> QueueUsers:
    assert hub.queue_users is not None
    return hub.queue_users


def keeper_of(hub: Hub, vhost: Vhost) -> BoxKeeper:
    return BoxKeeper(users_of(hub), vhost.url)


def credentials(hub: Hub, desk: Desk) -> Given:
    """Log in by signature and ask for a user; its queue has settled by the tests' clock."""
    caller = knock(hub, desk)
    answer = caller.client.post("/v1/queue/credentials", json={}, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    if not isinstance(desk.network.clock, WallClock):
        desk.network.clock.now += BOX_SETTLES_SECONDS
    return Given(**said(answer))


@dataclass
class Consuming:
    """A connection with a consumer; what came, not acknowledged unless told to."""

    channel: BlockingChannel
    queue: str
    got: list[tuple[int, bytes]] = field(default_factory=list)

    def pump(self, seconds: float = 0.1) -> None:
        cast(Any, self.channel.connection).process_data_events(seconds)

    def wait_for(self, count: int, *, seconds: float = 20) -> list[str]:
        """The ids of what came, once there are so many."""
        deadline = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} came"
            self.pump()
        return [parse_envelope(body).eid for _, body in self.got]

    def acknowledge(self) -> None:
        for tag, _ in self.got:
            self.channel.basic_ack(tag)
        self.got.clear()

    def ends_within(self, seconds: float) -> float | None:
        """After how many seconds the broker closed it; None if it did not."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            try:
                self.pump()
            except AMQPError:
                return time.monotonic() - begun
        return None


@contextmanager
def consuming(given: Given) -> Iterator[Consuming]:
    """A consumer on the device's own queue."""
    with ExitStack() as stack:
        channel = stack.enter_context(channel_to(given.address))
        one = Consuming(channel, given.queue)
        channel.basic_qos(prefetch_count=50)
        channel.basic_consume(
            given.queue,
            lambda _channel, method, _properties, body: one.got.append(
                (method.delivery_tag or 0, body)
            ),
        )
        with suppress(AMQPError):  # it may have been closed meanwhile
            yield one
            stack.close()


def may_log_in(given: Given) -> bool:
    try:
        pika.BlockingConnection(pika.URLParameters(given.address)).close()
    except AMQPError:
        return False
    return True


def state_of(hub: Hub, desk: Desk) -> list[str]:
    """Of this desk's copies, oldest first."""
    rows = models.copy.c
    with hub.engine.connect() as connection:
        wanted = select(rows.state).where(rows.device == desk.key_id).order_by(rows.id)
        return list(connection.scalars(wanted))


def freeze(network: Network, organisation: Organisation) -> None:
    """One coordinator freezes the whole organisation, in the log."""
    now = network.clock.now
    network.append(
        network.vouchers.sign(
            COORDINATORS[0],
            iat=now,
            org=organisation.id,
            make=lambda heading, key: freeze_statement(heading, key, suspected_since=now),
        )
    )


def freeze_device(network: Network, organisation: Organisation, desk: Desk) -> None:
    """One coordinator freezes one device, for good."""
    now, device = network.clock.now, desk.key_id
    network.append(
        network.vouchers.sign(
            COORDINATORS[0],
            iat=now,
            org=organisation.id,
            make=lambda heading, key: freeze_statement(
                heading, key, suspected_since=now, device=device
            ),
        )
    )


def revoke(network: Network, organisation: Organisation, desk: Desk) -> None:
    """The organisation's root gives one of its devices up."""
    made = revoke_statement(organisation.heading, organisation.root, device=desk.key_id)
    network.append(made)
    organisation.heading = organisation.heading.following(made, iat=network.clock.now)
