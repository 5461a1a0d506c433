"""Devices that consume at RabbitMQ: their users there, and the queues they have left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "hub_0002"
down_revision = "hub_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "queue_user",
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("org", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False, unique=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("made", sa.BigInteger, nullable=False),
        sa.Column("seen", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "left_box",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("org", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False, index=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
