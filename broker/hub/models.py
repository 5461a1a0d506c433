"""The hub's tables: what it must remember so that nothing is lost and nothing comes twice.

It refuses to know a case: of an envelope it has the sealed bytes, while some device still waits
for them, and the outer facts it needs to carry them. Times are whole Unix seconds, hashes
and ids the lower-case hex digits of the envelope. Statements on these tables stand in `store`,
`mailbox`, `boxes`, `sessions` and `sweeper`; the tables come into being by `migrations`.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)


class Outcome(StrEnum):
    """What became of an accepted envelope, as far as the hub can tell."""

    OPEN = "open"
    DELIVERED = "delivered"  # a device of the receiving organisation acknowledged its copy
    UNDELIVERABLE = "undeliverable"  # none did in time; the sender has a notice


class CopyState(StrEnum):
    """Where one device's copy of an envelope is. The last two are tombstones."""

    WAITING = "waiting"
    LEASED = "leased"
    BOXED = "boxed"  # in the device's own queue at RabbitMQ; `lease` holds that queue's token
    ACKNOWLEDGED = "acknowledged"
    DEAD = "dead"


metadata = MetaData()

# Only `BIGINT` stays in range after 2038; only `INTEGER` numbers rows by itself in SQLite.
_row_number = BigInteger().with_variant(Integer(), "sqlite")
_seconds = BigInteger

# Replay memory: which `mid` of which sender was accepted, for which exact bytes.
acceptance = Table(
    "acceptance",
    metadata,
    Column("from_org", Text, primary_key=True),
    Column("mid", Text, primary_key=True),
    Column("eid", Text, nullable=False, unique=True),
    Column("to_org", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("exp", _seconds, nullable=False),
    Column("notice", LargeBinary, nullable=False),
    Column("at", _seconds, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("acceptance_by_outcome", "outcome", "exp"),
)

# The sealed bytes, once for all copies in the mailbox.
envelope = Table(
    "envelope",
    metadata,
    Column("eid", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("exp", _seconds, nullable=False, index=True),
)

# One row for each device that is to have the envelope. No foreign key to `envelope`: the row
# outlives the bytes as a tombstone, so that a redelivery from the queue is not shown again.
copy = Table(
    "copy",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("eid", Text, nullable=False),
    Column("org", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("exp", _seconds, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("lease", Text),
    Column("leased_until", _seconds),
    Column("attempts", Integer, nullable=False, server_default="0"),
    UniqueConstraint("eid", "device", name="copy_once"),
    Index("copy_by_device", "device", "state"),
)

# Accepted, not yet confirmed by RabbitMQ. Has its own bytes, which go with the row.
outbox = Table(
    "outbox",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("eid", Text, nullable=False, unique=True),
    Column("boxes", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("exp", _seconds, nullable=False),
    Column("at", _seconds, nullable=False),
)

# Signed answers that came after the acceptance, or instead of one.
notice = Table(
    "notice",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("from_org", Text, nullable=False),
    Column("mid", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", _seconds, nullable=False, index=True),
    Index("notice_by_sender", "from_org", "mid"),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", _row_number, primary_key=True, autoincrement=True),
    Column("eid", Text, nullable=False),
    Column("from_org", Text, nullable=False),
    Column("mid", Text, nullable=False),
    Column("to_org", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", _seconds, nullable=False, index=True),
)

# Nonces that a login has used up. One not used yet needs no row (see `sessions`).
login_nonce = Table(
    "login_nonce",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("until", _seconds, nullable=False, index=True),
)

session = Table(
    "session",
    metadata,
    Column("token_digest", Text, primary_key=True),
    Column("org", Text, nullable=False),
    Column("device", Text, nullable=False, index=True),
    Column("until", _seconds, nullable=False, index=True),
)

# Which device consumes at RabbitMQ, from the queue `box.<token>`, and when its user there ends. The
# password is nowhere: RabbitMQ has a hash of it, the device has it in its memory.
queue_user = Table(
    "queue_user",
    metadata,
    Column("device", Text, primary_key=True),
    Column("org", Text, nullable=False),
    Column("token", Text, nullable=False, unique=True),
    Column("until", _seconds, nullable=False),
    Column("made", _seconds, nullable=False),
    Column("seen", _seconds, nullable=False),  # when somebody was last seen consuming
)

# Queues that a device has left: what is still in them goes into the mailbox, then they go.
left_box = Table(
    "left_box",
    metadata,
    Column("token", Text, primary_key=True),
    Column("org", Text, nullable=False),
    Column("device", Text, nullable=False, index=True),
    Column("at", _seconds, nullable=False),
)

# How many requests a device made in a minute; `minute` counts minutes since 1970.
request_count = Table(
    "request_count",
    metadata,
    Column("device", Text, primary_key=True),
    Column("minute", _seconds, primary_key=True),
    Column("requests", Integer, nullable=False),
)

# When a process last said that it works ("relay"), or when a task was last done ("sweep").
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", _seconds, nullable=False),
)
