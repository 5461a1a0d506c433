"""The mirror's tables, in the database of whoever keeps the mirror. They hold only public data."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

METADATA: Final = MetaData()

# The log as it came, leaf by leaf; `refused` is the rule that a statement without effect broke.
LEAF: Final = Table(
    "mirror_leaf",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("refused", String(64)),
)

# What this computer has seen of each organisation; never lowered, never changed.
PIN: Final = Table(
    "mirror_pin",
    METADATA,
    Column("org", String(32), primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
)

# One row, made by the migration: writers lock it, so that two processes take turns. `note` is the
# accepted checkpoint and `size` how many leaves it covers; `time` is never lowered, nor is
# `root_version`; `rules` are those of the program that wrote last.
STATE: Final = Table(
    "mirror_state",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("net", String(100)),
    Column("synced_at", BigInteger),
    Column("stop_code", String(32)),
    Column("stop_org", String(32)),
    Column("time_seen_at", BigInteger),
    Column("size", BigInteger),
    Column("root_version", BigInteger),
    Column("rules", BigInteger),
    Column("note", LargeBinary),
    Column("time", BigInteger, nullable=False),
)
STATE_ID: Final = 1

# Evidence that the log has two pasts: where they part, and the root there that is not ours.
FORK: Final = Table(
    "mirror_fork",
    METADATA,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
    Column("evidence", LargeBinary, nullable=False),
)
