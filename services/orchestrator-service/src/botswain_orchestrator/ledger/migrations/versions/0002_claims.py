"""Claims and identify permits, a row a bot; the newest message of each channel."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; Alembic's own table says the version from here on."""
    op.create_table(
        "claims",
        sa.Column("bot_id", sa.String(256), primary_key=True),
        sa.Column("claims", sa.LargeBinary, nullable=False),
        sa.Column("permits", sa.LargeBinary, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "channel_marks",
        sa.Column("bot_id", sa.String(256), primary_key=True),
        sa.Column("channel_id", sa.String(256), primary_key=True),
        sa.Column("guild_id", sa.String(256)),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("channel_marks_newest", "channel_marks", ["bot_id", "message_id"])
    op.execute("DROP TABLE IF EXISTS schema_version")
