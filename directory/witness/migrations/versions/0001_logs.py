"""The first tables: what was signed of each log, its leaves, and what stopped it.

Revision ID: witness_0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "witness_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the three tables; rows of logs are made when the witness first follows one."""
    op.create_table(
        "witness_log",
        sa.Column("net", sa.String(100), primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("cosigned_at", sa.BigInteger),
        sa.Column("note", sa.LargeBinary),
    )
    op.create_table(
        "witness_leaf",
        sa.Column("net", sa.String(100), sa.ForeignKey("witness_log.net"), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "witness_stop",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("net", sa.String(100), sa.ForeignKey("witness_log.net"), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kept_note", sa.LargeBinary),
        sa.Column("other_note", sa.LargeBinary, nullable=False),
        sa.Column("resolved_at", sa.BigInteger),
    )
