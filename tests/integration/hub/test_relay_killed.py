"""The relay is killed between publishing and acknowledging: nothing is lost, nothing shown twice.

The relay is the real process and has no hook. It is held in the window from outside, by a proxy
that keeps its acknowledgements back. kill -9 does not test power loss.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pika
import pytest
from sqlalchemy import select

from broker.hub import models
from broker.hub.mailbox import Mailbox
from broker.hub.parts import Hub
from broker.hub.topology import MAILBOX, RELAY_IN
from contracts.identifiers import Eid
from contracts.sealing import Sealed
from tests.integration.hub.network import (
    Device,
    Network,
    add_user,
    channel_to,
    submit,
    through,
)
from tests.integration.hub.watching import accept
from tests.services.processes import Child, DeadlineError, wait_until
from tests.services.proxy import Proxy, run_proxy
from tests.services.rabbitmq import Vhost

ROUNDS = 50
IN_FLIGHT = 200
BY_HTTPS = 10


@dataclass
class Ledger:
    """Who was told what: the counting rule is about these sets."""

    attempted: set[Eid] = field(default_factory=set)
    confirmed: set[Eid] = field(default_factory=set)


class Desk:
    """A desk that fetches and acknowledges, and counts what it was shown."""

    def __init__(self, hub: Hub, device: Device) -> None:
        self._mailbox = Mailbox(hub.engine)
        self._box = device.box
        self.shown: Counter[Eid] = Counter()

    def fetch(self) -> None:
        """Take everything that waits."""
        while items := self._mailbox.lease(self._box, most=100, now=int(time.time())):
            self.shown.update(item.eid for item in items)
            leases = [item.lease for item in items]
            self._mailbox.settle(self._box, acknowledge=leases, give_back=[])


@dataclass(frozen=True)
class Bench:
    """What a round needs."""

    network: Network
    hub: Hub
    proxy: Proxy
    sender_url: str
    sender: Device
    ledger: Ledger

    def seal(self) -> list[Sealed]:
        """What a round sends."""
        return [self.network.seal() for _ in range(IN_FLIGHT + BY_HTTPS)]

    def send(self, batch: list[Sealed]) -> None:
        """200 envelopes into `relay.in` and a few into the outbox, confirmed or accepted."""
        self.ledger.attempted.update(sealed.eid for sealed in batch)
        with channel_to(self.sender_url) as channel:
            for sealed in batch[:IN_FLIGHT]:
                submit(channel, self.sender, sealed.body)
                self.ledger.confirmed.add(sealed.eid)
        for sealed in batch[IN_FLIGHT:]:
            accept(self.hub, self.sender, sealed)
            self.ledger.confirmed.add(sealed.eid)

    def send_and_run_away(self) -> None:
        """One more, whose sender hears no answer."""
        sealed = self.network.seal()
        self.ledger.attempted.add(sealed.eid)
        connection = pika.BlockingConnection(pika.URLParameters(self.sender_url))
        properties = pika.BasicProperties(user_id=self.sender.user, delivery_mode=2)
        connection.channel().basic_publish("submit", self.sender.org, sealed.body, properties)
        connection.close()


def hold_and_kill(
    bench: Bench, relay: Child, batch: list[Sealed], *, after_publishes: int | None
) -> int:
    """Send, let the relay get into the window, kill it there; how many messages it had in hand."""
    proxy = bench.proxy
    wait_until(lambda: proxy.in_hand(RELAY_IN) == 0, "the rest of the last round", child=relay)
    proxy.hold()
    delivered, published = proxy.delivered[RELAY_IN], proxy.published
    held = proxy.answers_held
    bench.send(batch)

    def in_the_window() -> bool:
        if proxy.delivered[RELAY_IN] - delivered < IN_FLIGHT:
            return False
        if after_publishes is None:
            return proxy.answers_held > held
        return proxy.published - published >= after_publishes

    wait_until(in_the_window, "the relay to be in the window", child=relay)
    in_hand = proxy.in_hand(RELAY_IN)
    relay.kill()
    proxy.drop_connections()
    proxy.release()
    return in_hand


def test_a_relay_killed_between_publish_and_acknowledge_loses_and_repeats_nothing(
    network: Network, queues: Vhost, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = network.open(queues.url)
    sender, colleague = network.sender.devices
    desks = [Desk(hub, device) for device in (*network.receiver.devices, colleague)]
    ledger, draw, started = Ledger(), random.Random(20261121), time.monotonic()
    counted = redelivered = in_hand = 0
    with run_proxy(queues.node.port) as proxy:
        url, sender_url = through(queues.url, proxy.port), add_user(queues, sender)
        bench = Bench(network, hub, proxy, sender_url, sender, ledger)
        while counted < ROUNDS:
            before = proxy.redelivered[RELAY_IN]
            with network.relay(url) as relay:
                batch = bench.seal()
                for desk in desks:
                    desk.fetch()
                again = redelivery(proxy, relay, since=before, expected=in_hand)
                counted += again > 0
                redelivered += again
                publishes = None if counted % 2 else draw.randint(1, IN_FLIGHT)
                in_hand = hold_and_kill(bench, relay, batch, after_publishes=publishes)
            bench.send_and_run_away()
        with network.relay(url) as relay:
            nothing_missing(lambda: missing(hub, proxy, desks, ledger), relay)

    report(capsys, counted, redelivered, ledger, desks[0], time.monotonic() - started)
    for desk in desks:
        assert ledger.confirmed <= desk.shown.keys() <= ledger.attempted
        assert set(desk.shown.values()) == {1}
    assert accepted_once(hub, desks[0].shown)
    assert hub.store.dead_letters(limit=10) == ()


def redelivery(proxy: Proxy, relay: Child, *, since: int, expected: int) -> int:
    """How many messages the broker marked as delivered before, once all expected ones are there."""

    def again() -> int:
        return proxy.redelivered[RELAY_IN] - since

    wait_until(lambda: again() >= expected, "the redelivery", child=relay)
    return again()


def nothing_missing(look: Callable[[], dict[str, int]], relay: Child) -> None:
    """Wait until everything has arrived; where it does not, say what is missing."""
    try:
        wait_until(lambda: not any(look().values()), "everything", child=relay, seconds=60)
    except DeadlineError as late:
        raise AssertionError(f"not everything arrived: {look()}") from late


def missing(hub: Hub, proxy: Proxy, desks: list[Desk], ledger: Ledger) -> dict[str, int]:
    """What is under way still, and what a desk has not been shown; all zero in the end."""
    for desk in desks:
        desk.fetch()
    return {
        "in hand of the relay": proxy.in_hand(RELAY_IN),
        "in hand of the writer": proxy.in_hand(MAILBOX),
        "in the outbox": hub.store.waiting().outbox,
        "not shown": sum(len(ledger.confirmed - desk.shown.keys()) for desk in desks),
    }


def accepted_once(hub: Hub, shown: Counter[Eid]) -> bool:
    """Whether no two of these stand under one (`from`, `mid`)."""
    rows = models.acceptance.c
    with hub.engine.connect() as connection:
        found = connection.execute(select(rows.from_org, rows.mid, rows.eid)).all()
    pairs = {(row.from_org, row.mid) for row in found if row.eid in shown}
    return len(pairs) == len(shown)


def report(
    capsys: pytest.CaptureFixture[str],
    counted: int,
    redelivered: int,
    ledger: Ledger,
    desk: Desk,
    took: float,
) -> None:
    with capsys.disabled():
        # The number of counted rounds is asked for; the stdout of a worker is not shown.
        sys.stderr.write(
            f"\nrelay killed in the window: {counted} counted rounds, {redelivered} messages "
            f"redelivered; {len(ledger.confirmed)} confirmed, {len(desk.shown)} received, "
            f"{len(ledger.attempted)} attempted; {took:.0f} s\n"
        )
