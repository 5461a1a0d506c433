"""A copy of every message that passes through the hub's exchanges, with all its properties.

    with spying(vhost) as spy:      # the exchanges must be declared
        ...
        spy.place("messages")

The queue is bound beside the hub's own, as an operator of the broker could do it. It is a quorum
queue like the hub's, so that what it has lies in the broker's files in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import pika
from pika.adapters.blocking_connection import BlockingChannel

from tests.secrecy.scanner import Piece, Place
from tests.services.rabbitmq import Vhost

QUEUE: Final = "spy"
# A key of our own beside the hub's one, for messages that only the spy gets.
PLANTED: Final = "planted"
BINDINGS: Final = (
    ("submit", "#"),
    ("deliver", "mailbox"),
    ("deliver", PLANTED),
    ("undeliverable", ""),
    ("dead", ""),
)


@dataclass(slots=True)
class Spy:
    """What has come so far."""

    channel: BlockingChannel
    _pieces: list[Piece] = field(default_factory=list, repr=False)

    def place(self, name: str) -> Place:
        """For the scanner: all that has come until it is read."""
        return Place(name, self._drained)

    def count(self) -> int:
        """How many messages have come."""
        self._drained()
        return sum(piece.where.startswith("body") for piece in self._pieces)

    def _drained(self) -> list[Piece]:
        while True:
            method, properties, body = self.channel.basic_get(QUEUE, auto_ack=False)
            if method is None or properties is None:
                return list(self._pieces)
            said = b"".join(properties.encode()) + repr(properties).encode()
            keys = f"{method.exchange} {method.routing_key}".encode()
            self._pieces += [
                Piece(f"properties of a message of {method.exchange}", said),
                Piece(f"routing key of a message of {method.exchange}", keys),
                Piece(f"body of a message of {method.exchange}", body or b""),
            ]


@contextmanager
def spying(vhost: Vhost) -> Iterator[Spy]:
    """A spy in this vhost. Messages are never acknowledged, so they stay in the broker's files."""
    parameters = pika.URLParameters(vhost.url)
    parameters.heartbeat = 0  # the channel is used at the beginning and at the end only
    connection = pika.BlockingConnection(parameters)
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        for exchange, key in BINDINGS:
            channel.queue_bind(QUEUE, exchange, key)
        yield Spy(channel)
    finally:
        connection.close()
