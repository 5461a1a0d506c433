"""Entries as bytes that somebody has signed, and where each shown organisation's came from.

What was imported before nobody has signed, so it is not shown any more: a coordinator enters it
again from the same file, which the import prepares.

Revision ID: 0003
Revises: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNSIGNED = ("phone", "place", "service", "organisation")


def upgrade() -> None:
    """Empty the tables of listings, then add the new columns to them."""
    for table in _UNSIGNED:
        op.execute(sa.delete(sa.table(table)))
    generation = sa.table("generation", sa.column("number"))
    op.execute(sa.update(generation).values(number=generation.c.number + 1))
    op.create_table(
        "entry_bytes",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
    )
    _add_origin()


def _add_origin() -> None:
    # SQLite asks for a default even of an empty table; no row ever takes it.
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("entry", sa.String(64), nullable=False, server_default=""),
        sa.Column("listed_by", sa.String(19), nullable=False, server_default=""),
        sa.Column("listed_at", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("unconfirmed", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    for column in columns:
        op.add_column("organisation", column)
