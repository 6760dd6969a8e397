"""Several orchestrators: lanes in partitions, each of which one of them owns."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

PARTITIONS = 64


def upgrade() -> None:
    """Make the tables. Databases from before have one orchestrator, which needs no partitions."""
    op.add_column("events", sa.Column("partition", sa.SmallInteger, nullable=False, server_default="0"))
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(256), primary_key=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("leaving", sa.Boolean, nullable=False),
    )
    partitions = op.create_table(
        "partitions",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("owner", sa.String(256)),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(partitions, [{"id": number, "owner": None, "epoch": 0} for number in range(PARTITIONS)])
