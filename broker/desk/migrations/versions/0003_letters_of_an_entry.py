"""Letters found by what they carry: a peer that asks again must not have every letter opened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the keyed hash; it is empty for older letters, whose key no migration has."""
    op.add_column("letter", sa.Column("entry_index", sa.LargeBinary, nullable=True))
    op.create_index("ix_letter_entry_index", "letter", ["entry_index"])
