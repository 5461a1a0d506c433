"""The witness's tables. They hold only public data: logs, and what was signed of them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table

METADATA: Final = MetaData()

# One row a log: the tree signed last. Whoever decides locks the row first, so they take turns.
LOG: Final = Table(
    "witness_log",
    METADATA,
    Column("net", String(100), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("cosigned_at", BigInteger),
    Column("note", LargeBinary),
)

# The leaves of that tree, exactly as they came; never changed, never deleted.
LEAF: Final = Table(
    "witness_leaf",
    METADATA,
    Column("net", String(100), ForeignKey(LOG.c.net), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# What a log did wrong, with both notes as they were signed: evidence, kept also when resolved.
STOP: Final = Table(
    "witness_stop",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("net", String(100), ForeignKey(LOG.c.net), nullable=False),
    Column("code", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kept_note", LargeBinary),
    Column("other_note", LargeBinary, nullable=False),
    Column("resolved_at", BigInteger),
)
