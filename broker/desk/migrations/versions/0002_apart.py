"""Messages apart from any case: capacity, concerns, requests to send again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let an entry belong to no case; SQLite rewrites the table, so its pointers step aside."""
    op.execute("CREATE TABLE handover_aside AS SELECT * FROM handover")
    op.drop_table("handover")
    with op.batch_alter_table("entry") as entry:
        entry.alter_column("case_row", existing_type=sa.String(32), nullable=True)
    op.create_table(
        "handover",
        sa.Column("row", sa.String(32), primary_key=True),
        sa.Column(
            "entry_row", sa.String(32), sa.ForeignKey("entry.row"), nullable=False, unique=True
        ),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Integer, nullable=False, index=True),
    )
    op.execute(
        "INSERT INTO handover (row, entry_row, attempts, due_at) "
        "SELECT row, entry_row, attempts, due_at FROM handover_aside"
    )
    op.drop_table("handover_aside")
