"""Turns that failed are tried again at a time; dead letters are found quickly."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("events", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("events", sa.Column("next_at", sa.BigInteger))
    dead = sa.text("status = 2")
    op.create_index("events_dead", "events", ["id"], sqlite_where=dead, postgresql_where=dead)
