"""Calls that a person is asked about, and events that the turn policy leaves alone, as those that decide about them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table and the column."""
    op.add_column("events", sa.Column("alone", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "approvals",
        sa.Column("run", sa.String(32), primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("bot_id", sa.String(256), nullable=False),
        sa.Column("message_id", sa.String(256), nullable=False),
        sa.Column("tool", sa.String(256), nullable=False),
        sa.Column("arguments", sa.LargeBinary, nullable=False),
        sa.Column("asked_by", sa.String(256), nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("decided_by", sa.String(256)),
        sa.Column("decided_in", sa.String(32)),
        sa.Column("decided_at", sa.BigInteger),
    )
    op.create_index("approvals_message", "approvals", ["bot_id", "message_id"])
