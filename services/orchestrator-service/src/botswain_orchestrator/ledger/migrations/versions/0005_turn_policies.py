"""Events that another event's turn answers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("events", sa.Column("answered_by", sa.BigInteger().with_variant(sa.Integer, "sqlite")))
    carried = sa.text("answered_by IS NOT NULL")
    op.create_index("events_carried", "events", ["answered_by"], sqlite_where=carried, postgresql_where=carried)
