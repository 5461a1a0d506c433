"""Peers whose digits were compared by phone: such a peer counts as known and fresh for a week."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table; whose row it is stands sealed, like everything else."""
    op.create_table(
        "peer_checked",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column("peer_index", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
