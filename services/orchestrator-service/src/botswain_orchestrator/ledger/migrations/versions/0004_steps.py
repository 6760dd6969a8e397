"""What a run has done: the model's answers and the tool calls, so that a turn that was cut off goes on from there."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "steps",
        sa.Column("run", sa.String(32), primary_key=True),
        sa.Column("kind", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("key", sa.String(25), nullable=False),
        sa.Column("outcome", sa.LargeBinary),
        sa.Column("recorded_at", sa.BigInteger, nullable=False),
    )
