"""The desk's tables. In clear stand only random row ids and when a machine is to act next.

What a row says, and even whose it is, is sealed under the archive key; `*_index` columns are keyed
hashes, equal only for equal things and telling nothing without the key. So a locked desk's files
hold no case: not the peer, not the reference, not a message id, not a state. Every change here is
a migration under `migrations/versions/`.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table

METADATA: Final = MetaData()


def _row() -> Column[str]:
    return Column("row", String(32), primary_key=True)


CASE: Final = Table(
    "case",
    METADATA,
    _row(),
    Column("case_index", LargeBinary, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
)

# One event of a case, or a message apart from any: what was said (`message`, final once it has
# left) and how it fares (`sealed`).
ENTRY: Final = Table(
    "entry",
    METADATA,
    _row(),
    Column("case_row", ForeignKey("case.row"), index=True),
    Column("event_index", LargeBinary, nullable=False, unique=True),
    Column("message", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# One envelope that our organisation sent. `body` goes once the recipient has stored it; `message`
# is kept for receipts only, since every other message stands in its entry.
LETTER: Final = Table(
    "letter",
    METADATA,
    _row(),
    Column("mid_index", LargeBinary, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("body", LargeBinary),
    Column("message", LargeBinary),
    Column("due_at", Integer, index=True),
    Column("claimed_until", Integer, nullable=False, server_default="0"),
    Column("entry_index", LargeBinary, index=True),  # empty for letters older than the column
)

# What was received, so that it is shown once; with the receipt that answered it.
SEEN: Final = Table(
    "seen",
    METADATA,
    _row(),
    Column("seen_index", LargeBinary, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("until", Integer, nullable=False, index=True),
)

# What arrived before that to which it belongs: no order is promised on the way.
EARLY: Final = Table(
    "early",
    METADATA,
    _row(),
    Column("awaited_index", LargeBinary, nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("until", Integer, nullable=False, index=True),
)

# What the organisation's own system has not taken over yet.
HANDOVER: Final = Table(
    "handover",
    METADATA,
    _row(),
    Column("entry_row", ForeignKey("entry.row"), nullable=False, unique=True),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Integer, nullable=False, index=True),
)

# What could not be opened, for the operator of the desk: raw only where it was signed.
REJECTED: Final = Table(
    "rejected",
    METADATA,
    _row(),
    Column("sealed", LargeBinary, nullable=False),
    Column("body", LargeBinary),
    Column("until", Integer, nullable=False, index=True),
)

# A peer whose digits somebody has compared by phone, and when.
PEER_CHECKED: Final = Table(
    "peer_checked",
    METADATA,
    _row(),
    Column("peer_index", LargeBinary, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
)
