"""First tables: leaves, pins and the one row of state."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "mirror_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the three tables and the row that writers lock."""
    op.create_table(
        "mirror_leaf",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("refused", sa.String(64)),
    )
    op.create_table(
        "mirror_pin",
        sa.Column("org", sa.String(32), primary_key=True),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
    )
    state = op.create_table(
        "mirror_state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("net", sa.String(100)),
        sa.Column("synced_at", sa.BigInteger),
        sa.Column("stop_code", sa.String(32)),
        sa.Column("stop_org", sa.String(32)),
    )
    op.bulk_insert(state, [{"id": 1}])
