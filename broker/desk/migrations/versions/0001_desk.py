"""The desk's first tables: cases, their events, what was sent, what was received."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "case",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column("case_index", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "entry",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column("case_row", sa.String(32), sa.ForeignKey("case.row"), nullable=False, index=True),
        sa.Column("event_index", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "letter",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column("mid_index", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("message", sa.LargeBinary),
        sa.Column("due_at", sa.Integer, index=True),
        sa.Column("claimed_until", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "seen",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column("seen_index", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.Integer, nullable=False, index=True),
    )
    op.create_table(
        "early",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column("awaited_index", sa.LargeBinary, nullable=False, index=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.Integer, nullable=False, index=True),
    )
    op.create_table(
        "handover",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column(
            "entry_row", sa.String(32), sa.ForeignKey("entry.row"), nullable=False, unique=True
        ),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Integer, nullable=False, index=True),
    )
    op.create_table(
        "rejected",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sa.Column("until", sa.Integer, nullable=False, index=True),
    )
