"""The relay process: everything of the hub that touches RabbitMQ, in one loop.

    relay.in ──intake──▶ deliver ──▶ box.mailbox ──writer──▶ mailbox table
    outbox ──publisher──▶ deliver                      └──copies──▶ deliver ──▶ box.<token>
                      relay.undeliverable, relay.dead ──drain──▶ dead letters

Two connections, because an acknowledgement on a connection that has published is not processed
while RabbitMQ has its memory or disk alarm, so that a full disk could never drain. It starts
with RabbitMQ away, waits for it, and survives its restart.

    run_relay(hub, queue_url)
"""

from __future__ import annotations

import signal
import threading
from functools import partial
from types import FrameType
from typing import Final

from broker.amqp import Link, Loop
from broker.hub import topology
from broker.hub.answers import OF_THE_WORLD
from broker.hub.boxes import Boxes
from broker.hub.drain import Drain
from broker.hub.intake import Intake
from broker.hub.keeping import BoxKeeper, start_tidying
from broker.hub.parts import Hub
from broker.hub.publisher import OutboxPublisher
from broker.hub.queue_users import start_guarding
from broker.hub.writer import Writer
from broker.service.logs import logger

BEAT: Final = "relay"
BEAT_SECONDS: Final = 5.0
# A broker that does not answer the goodbye is not waited for longer.
GOODBYE_SECONDS: Final = 2.0

_log = logger(__name__)


class Relay:
    """The parts put together on one loop."""

    def __init__(self, hub: Hub, queue_url: str) -> None:
        self._hub = hub
        self.loop = Loop()
        loop, store, clock, acceptance = self.loop, hub.store, hub.clock, hub.acceptance
        intake = Intake(loop, acceptance=acceptance, store=store, clock=clock)
        boxes = Boxes(hub.engine)
        writer = Writer(
            loop, acceptance=acceptance, known=hub.known, store=store, boxes=boxes, clock=clock
        )
        drains = [
            Drain(loop, queue, acceptance=acceptance, store=store, boxes=boxes, clock=clock)
            for queue in (topology.RELAY_UNDELIVERABLE, topology.RELAY_DEAD)
        ]
        self._outbox = OutboxPublisher(loop, store=store, clock=clock)
        sources = [intake.source, writer.source, *(drain.source for drain in drains)]
        publishers = [intake.publisher, self._outbox.publisher, writer.copies.publisher]
        self._links = (
            Link(loop, queue_url, name="consume", lanes=[it.lane for it in sources], told=_told),
            Link(loop, queue_url, name="publish", lanes=publishers, told=_told),
        )

    def run(self) -> None:
        """Work until `stop`. Raises `Halted` where going on could do harm."""
        for link in self._links:
            link.start()
        self._outbox.start()
        self._beat()
        self.loop.run()

    def stop(self) -> None:
        """End, from the loop's own thread; what is in hand stays with the broker."""
        open_links = set(self._links)

        def ended(link: Link) -> None:
            open_links.discard(link)
            if not open_links:
                self.loop.stop()

        for link in self._links:
            link.close(partial(ended, link))
        self.loop.later(GOODBYE_SECONDS, self.loop.stop)

    def _beat(self) -> None:
        try:
            self._hub.store.beat(BEAT, now=self._hub.clock())
        except OF_THE_WORLD:
            _log.warning("heartbeat_missed")
        self.loop.later(BEAT_SECONDS, self._beat)


def run_relay(hub: Hub, queue_url: str) -> None:
    """Run until SIGTERM or SIGINT."""
    relay = Relay(hub, queue_url)

    def end(_signal: int, _frame: FrameType | None) -> None:
        relay.loop.soon(relay.stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    _log.info("relay_started")
    stops = _beside(hub, queue_url)
    try:
        relay.run()
    finally:
        for stop in stops:
            stop.set()
    _log.info("relay_stopped")


def _beside(hub: Hub, queue_url: str) -> tuple[threading.Event, ...]:
    """What looks after devices' users and queues, in threads: it waits for answers."""
    if hub.queue_users is None:
        return ()
    return (
        start_guarding(hub.queue_users, hub.store, hub.clock),
        start_tidying(BoxKeeper(hub.queue_users, queue_url), hub.clock),
    )


def _told(link: str, event: str) -> None:
    speak = _log.info if event in ("connected", "closed") else _log.warning
    speak("queue_link", state=f"{link}_{event}")
