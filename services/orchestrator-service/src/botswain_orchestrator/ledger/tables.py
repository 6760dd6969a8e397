"""The ledger's tables.

Made, and brought up to date, by `migrations/`; a change here needs one there. Times are milliseconds since 1970,
UTC. Protobuf messages are stored as their bytes: the columns beside them are those that something is looked up by.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    false,
)

metadata = MetaData()

_RowId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers only INTEGER keys by itself."""

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
    Column("attempts", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    # Turns that failed; the next one comes at `next_at`, null: at once.
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("next_at", BigInteger),
    # The event whose turn answers this one too, by the turn policy.
    Column("answered_by", _RowId),
    # `partitions.partition_of()` of the lane.
    Column("partition", SmallInteger, nullable=False, server_default="0"),
    # It has a turn of its own, whatever the turn policy.
    Column("alone", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("bot_id", "event_id"),
)
Index(
    "events_unfinished",
    events.c.id,
    sqlite_where=events.c.finished_at.is_(None),
    postgresql_where=events.c.finished_at.is_(None),
)

Index(
    "events_carried",
    events.c.answered_by,
    sqlite_where=events.c.answered_by.is_not(None),
    postgresql_where=events.c.answered_by.is_not(None),
)
# Dead letters: EventStatus.FAILED.
Index("events_dead", events.c.id, sqlite_where=events.c.status == 2, postgresql_where=events.c.status == 2)

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

claims = Table(
    "claims",
    metadata,
    Column("bot_id", String(256), primary_key=True),
    # JSON by `coordination.codec`: all of a bot's claimants, and its IDENTIFYs.
    Column("claims", LargeBinary, nullable=False),
    Column("permits", LargeBinary, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)

channel_marks = Table(
    "channel_marks",
    metadata,
    Column("bot_id", String(256), primary_key=True),
    Column("channel_id", String(256), primary_key=True),
    Column("guild_id", String(256)),
    # The newest message recorded from the channel. Discord's ids grow with time and fit 63 bits.
    Column("message_id", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
Index("channel_marks_newest", channel_marks.c.bot_id, channel_marks.c.message_id)

steps = Table(
    "steps",
    metadata,
    Column("run", String(32), primary_key=True),
    # steps.StepKind
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # Of a tool call: the tool, SHA-256 of its arguments, the idempotency key.
    Column("name", String(256), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("key", String(25), nullable=False),
    # JSON; null: the call was about to be made.
    Column("outcome", LargeBinary),
    Column("recorded_at", BigInteger, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    # The step that asked.
    Column("run", String(32), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    # The question, as a message; reactions to it decide.
    Column("bot_id", String(256), nullable=False),
    Column("message_id", String(256), nullable=False),
    # The call that is made once it is approved; its arguments as JSON.
    Column("tool", String(256), nullable=False),
    Column("arguments", LargeBinary, nullable=False),
    # The user for whom the call was to be made.
    Column("asked_by", String(256), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    # approvals.ApprovalState
    Column("state", SmallInteger, nullable=False),
    # A user, and the run of the event that decided.
    Column("decided_by", String(256)),
    Column("decided_in", String(32)),
    Column("decided_at", BigInteger),
)
Index("approvals_message", approvals.c.bot_id, approvals.c.message_id)

replicas = Table(
    "replicas",
    metadata,
    # An orchestrator that is alive, one of those that share the database; SQLite files have one, which needs no row.
    Column("id", String(256), primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    # It ends: it takes nothing any more, and lets go of what it has.
    Column("leaving", Boolean, nullable=False),
)

partitions = Table(
    "partitions",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    # The orchestrator that answers its lanes; null: nobody does.
    Column("owner", String(256)),
    # Grows whenever somebody takes it.
    Column("epoch", BigInteger, nullable=False),
)
