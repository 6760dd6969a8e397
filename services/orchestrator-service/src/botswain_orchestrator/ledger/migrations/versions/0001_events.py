"""Events, runs, cursors and checkpoints: the first schema, which was made without Alembic."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "events",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=True),
        sa.Column("bot_id", sa.String(256), nullable=False),
        sa.Column("event_id", sa.String(256), nullable=False),
        sa.Column("lane", sa.String(1024), nullable=False),
        sa.Column("correlation_id", sa.String(256), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.UniqueConstraint("bot_id", "event_id"),
    )
    unfinished = sa.text("finished_at IS NULL")
    op.create_index("events_unfinished", "events", ["id"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("event", ROW_ID, nullable=False, index=True),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("delivery", sa.SmallInteger, nullable=False),
        sa.Column("result", sa.LargeBinary, nullable=False),
        sa.Column("finished_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("bot_id", sa.String(256), primary_key=True),
        sa.Column("shard_count", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("shard_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("session_id", sa.String(256), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("cursor", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "checkpoints",
        sa.Column("thread_id", sa.String(1024), primary_key=True),
        sa.Column("namespace", sa.String(256), primary_key=True),
        sa.Column("checkpoint_id", sa.String(64), nullable=False),
        sa.Column("encoding", sa.String(32), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary, nullable=False),
        sa.Column("details", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
