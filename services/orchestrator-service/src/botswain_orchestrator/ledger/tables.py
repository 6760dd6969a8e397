"""The ledger's tables.

Made by `create_all` under one row in `schema_version`; a database of another version is refused. Migrations come
with the second version. Times are milliseconds since 1970, UTC. Protobuf messages are stored as their bytes: the
columns beside them are those that something is looked up by.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 1

metadata = MetaData()

_RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers only INTEGER keys by itself."""

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

events = Table(
    "events",
    metadata,
    # In order of receipt: the order within a lane.
    Column("id", _RowId, primary_key=True, autoincrement=True),
    Column("bot_id", String(256), nullable=False),
    Column("event_id", String(256), nullable=False),
    Column("lane", String(1024), nullable=False),
    Column("correlation_id", String(256), nullable=False),
    # botswain.v1.InternalEvent
    Column("payload", LargeBinary, nullable=False),
    # EventStatus
    Column("status", SmallInteger, nullable=False),
    # Turns that were started for it, whether they came to their end or not.
    Column("attempts", Integer, nullable=False, default=0),
    Column("received_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    UniqueConstraint("bot_id", "event_id"),
)
Index(
    "events_unfinished",
    events.c.id,
    sqlite_where=events.c.finished_at.is_(None),
    postgresql_where=events.c.finished_at.is_(None),
)

runs = Table(
    "runs",
    metadata,
    # `ids.run_id()`: one run an event, the same on every attempt.
    Column("id", String(32), primary_key=True),
    Column("event", _RowId, nullable=False, index=True),
    # botswain.v1.TurnStatus and botswain.v1.Delivery
    Column("status", SmallInteger, nullable=False),
    Column("delivery", SmallInteger, nullable=False),
    # botswain.v1.ProcessResponse
    Column("result", LargeBinary, nullable=False),
    Column("finished_at", BigInteger, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("bot_id", String(256), primary_key=True),
    Column("shard_count", Integer, primary_key=True, autoincrement=False),
    Column("shard_id", Integer, primary_key=True, autoincrement=False),
    Column("session_id", String(256), nullable=False),
    Column("seq", BigInteger, nullable=False),
    # botswain.v1.ShardCursor
    Column("cursor", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    # LangGraph's thread id (the lane) and namespace; only the latest checkpoint of each is kept.
    Column("thread_id", String(1024), primary_key=True),
    Column("namespace", String(256), primary_key=True),
    Column("checkpoint_id", String(64), nullable=False),
    # How `checkpoint` is written: LangGraph's serializer says.
    Column("encoding", String(32), nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
    # JSON
    Column("details", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
