"""First tables: acceptances, mailbox, outbox, notices, dead letters, logins."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "hub_0001"
down_revision = None
branch_labels = None
depends_on = None

_row_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make all tables."""
    _carrying()
    _telling()
    _logging_in()
    if op.get_bind().dialect.name == "postgresql":
        # Random bytes in Base64: compressing them costs time and saves nothing.
        for table in ("envelope", "outbox"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN body SET STORAGE EXTERNAL")


def _carrying() -> None:
    op.create_table(
        "acceptance",
        sa.Column("from_org", sa.Text, primary_key=True),
        sa.Column("mid", sa.Text, primary_key=True),
        sa.Column("eid", sa.Text, nullable=False, unique=True),
        sa.Column("to_org", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("exp", sa.BigInteger, nullable=False),
        sa.Column("notice", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
    )
    op.create_index("acceptance_by_outcome", "acceptance", ["outcome", "exp"])
    op.create_table(
        "envelope",
        sa.Column("eid", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("exp", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "copy",
        sa.Column("id", _row_number, primary_key=True, autoincrement=True),
        sa.Column("eid", sa.Text, nullable=False),
        sa.Column("org", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("exp", sa.BigInteger, nullable=False, index=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("lease", sa.Text),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("eid", "device", name="copy_once"),
    )
    op.create_index("copy_by_device", "copy", ["device", "state"])
    op.create_table(
        "outbox",
        sa.Column("id", _row_number, primary_key=True, autoincrement=True),
        sa.Column("eid", sa.Text, nullable=False, unique=True),
        sa.Column("boxes", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("exp", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _telling() -> None:
    op.create_table(
        "notice",
        sa.Column("id", _row_number, primary_key=True, autoincrement=True),
        sa.Column("from_org", sa.Text, nullable=False),
        sa.Column("mid", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_index("notice_by_sender", "notice", ["from_org", "mid"])
    op.create_table(
        "dead_letter",
        sa.Column("id", _row_number, primary_key=True, autoincrement=True),
        sa.Column("eid", sa.Text, nullable=False),
        sa.Column("from_org", sa.Text, nullable=False),
        sa.Column("mid", sa.Text, nullable=False),
        sa.Column("to_org", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
    )


def _logging_in() -> None:
    op.create_table(
        "login_nonce",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "session",
        sa.Column("token_digest", sa.Text, primary_key=True),
        sa.Column("org", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False, index=True),
        sa.Column("until", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "request_count",
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True),
        sa.Column("requests", sa.Integer, nullable=False),
    )
