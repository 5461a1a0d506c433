"""What stands in RabbitMQ: exchanges, queues, bindings and policies, as data.

`rujukan-hub declare` creates them, never a client. What never changes is a queue's argument (an
existing queue keeps the arguments it was born with); numbers that may change are policies. The
vhost is the one the queue's URL names. It refuses to know who uses what: that is `relay`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.amqp import Binding, Exchange, Queue

SUBMIT: Final = "submit"
DELIVER: Final = "deliver"
UNDELIVERABLE: Final = "undeliverable"
DEAD: Final = "dead"

RELAY_IN: Final = "relay.in"
MAILBOX: Final = "box.mailbox"
RELAY_UNDELIVERABLE: Final = "relay.undeliverable"
RELAY_DEAD: Final = "relay.dead"

MAILBOX_KEY: Final = "mailbox"
BOX_PREFIX: Final = "box."

DAY_MS: Final = 24 * 60 * 60 * 1000
MIB: Final = 1024 * 1024

# An envelope lives 14 days at most. Behind a live head an expired message stays in a queue; this
# is the longest any ciphertext can do so.
QUEUE_TTL_MS: Final = 15 * DAY_MS
DELIVERY_LIMIT: Final = 20
# RabbitMQ 4 sets a limit of 20 where none is given and drops what exceeds it where there is
# nowhere to dead-letter to; 3.10 knows no "unlimited" other than a large number.
NO_DELIVERY_LIMIT: Final = 1_000_000_000

# Without reject-publish RabbitMQ falls back from at-least-once to at-most-once and says nothing.
NEVER_DROPPED: Final[Mapping[str, str | int]] = {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": DEAD,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
    "x-delivery-limit": DELIVERY_LIMIT,
}
LAST_RESORT: Final[Mapping[str, str | int]] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": NO_DELIVERY_LIMIT,
}

EXCHANGES: Final = (
    Exchange(DEAD, "fanout"),
    Exchange(UNDELIVERABLE, "fanout"),
    Exchange(SUBMIT, "topic"),
    Exchange(DELIVER, "direct", {"alternate-exchange": UNDELIVERABLE}),
)


def network_mark(net: str) -> Exchange:
    """An exchange that carries nothing; its name says whose queues these are."""
    return Exchange(f"network.{net}", "fanout")


QUEUES: Final = (
    Queue(RELAY_DEAD, LAST_RESORT),
    Queue(RELAY_UNDELIVERABLE, NEVER_DROPPED),
    Queue(RELAY_IN, NEVER_DROPPED),
    Queue(MAILBOX, NEVER_DROPPED),
)


def box_queue(token: str) -> Queue:
    """The queue of one device that consumes here; made when its user is, bound under `token`."""
    return Queue(f"{BOX_PREFIX}{token}", NEVER_DROPPED)


def token_of(queue: str) -> str | None:
    """The reverse; None for a queue of the hub's own."""
    mine = queue.startswith(BOX_PREFIX) and queue != MAILBOX
    return queue.removeprefix(BOX_PREFIX) if mine else None


BINDINGS: Final = (
    Binding(DEAD, RELAY_DEAD, ""),
    Binding(UNDELIVERABLE, RELAY_UNDELIVERABLE, ""),
    # Every key: who may use which is the publisher's topic permission, and a key that matched
    # nothing would be confirmed and dropped.
    Binding(SUBMIT, RELAY_IN, "#"),
    Binding(DELIVER, MAILBOX, MAILBOX_KEY),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Numbers an operator may change, for the queues whose name matches `pattern`."""

    name: str
    pattern: str
    definition: Mapping[str, int]


POLICIES: Final = (
    Policy(
        "rujukan-relay-in",
        r"^relay\.in$",
        {"message-ttl": QUEUE_TTL_MS, "max-length": 50_000, "max-length-bytes": 1024 * MIB},
    ),
    Policy(
        "rujukan-boxes",
        r"^box\.",
        {"message-ttl": QUEUE_TTL_MS, "max-length": 50_000, "max-length-bytes": 1024 * MIB},
    ),
)

# Seen on real brokers: with less, a full disk lost one write-ahead log of confirmed messages.
DISK_TO_WAL: Final = 4
# What docker/rabbitmq/rabbitmq.conf sets; RabbitMQ's own default is 512 MiB.
WAL_BYTES: Final = 64_000_000

# Of one device's user. A line that broke lives on at the broker for about four heartbeats, and its
# successor must get in meanwhile.
USER_LIMITS: Final[Mapping[str, int]] = {"max-connections": 4, "max-channels": 16}


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do in the vhost, as patterns over names; `topic`: over keys on `submit`."""

    configure: str
    write: str
    read: str
    topic: str


def device_rights(org: str, token: str) -> Rights:
    """Publish under its own organisation, read its own queue, nothing else."""
    queue = re.escape(box_queue(token).name)
    return Rights(configure="^$", write=f"^{SUBMIT}$", read=f"^{queue}$", topic=f"^{org}$")
