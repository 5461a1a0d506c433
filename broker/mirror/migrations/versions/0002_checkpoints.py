"""The accepted checkpoint, the witnesses' time, the root file's version, and evidence of forks.

Leaves that were kept before checkpoints were checked are dropped: nothing signed covers them. The
next synchronisation fetches them again; the pins stay and must be led to.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "mirror_0002"
down_revision = "mirror_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table; drop leaves that no checkpoint covers."""
    for name in ("time_seen_at", "size", "root_version", "rules"):
        op.add_column("mirror_state", sa.Column(name, sa.BigInteger))
    op.add_column("mirror_state", sa.Column("note", sa.LargeBinary))
    time = sa.Column("time", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("mirror_state", time)
    op.create_table(
        "mirror_fork",
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary(32), primary_key=True),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("evidence", sa.LargeBinary, nullable=False),
    )
    op.execute(sa.text("DELETE FROM mirror_leaf"))
    op.execute(sa.text("UPDATE mirror_state SET synced_at = NULL"))
