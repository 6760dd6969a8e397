"""The rows about shards: claims, cursors, the newest message of each channel. Functions that run inside a transaction
of their caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botswain_proto.v1 import coordination_pb2, event_pb2
from sqlalchemy import Connection, bindparam, or_, select

from botswain_orchestrator.coordination.claims import Claims, moves_cursor
from botswain_orchestrator.coordination.codec import dump_claims, dump_permits, load_claims, load_permits
from botswain_orchestrator.coordination.permits import Permits
from botswain_orchestrator.ledger.statements import replacing
from botswain_orchestrator.ledger.tables import channel_marks, claims, cursors

_LARGEST_ID = 2**63 - 1


def load(connection: Connection, bot_id: str) -> tuple[Claims, Permits]:
    """A bot's claims and permits, locked until the transaction ends where others could write them."""
    row = connection.execute(_LOAD, {"bot": bot_id}).one_or_none()
    return (load_claims(row.claims), load_permits(row.permits)) if row is not None else (Claims(), Permits())


def store(connection: Connection, bot_id: str, claimed: Claims, permits: Permits, *, now: float) -> None:
    """Replace them."""
    row = {"bot_id": bot_id, "claims": dump_claims(claimed), "permits": dump_permits(permits)}
    connection.execute(_STORE.on(connection), row | {"updated_at": int(now * 1000)})


def bots(connection: Connection) -> list[str]:
    """The bots whose shards were ever claimed."""
    return list(connection.execute(select(claims.c.bot_id)).scalars())


def move_cursor(
    connection: Connection, bot_id: str, cursor: coordination_pb2.ShardCursor, *, epoch: int, now: float
) -> bool:
    """Move a shard's cursor, forward only within one session; False when `epoch` doesn't allow it.

    State comes only when it changed: a cursor without any keeps what was told before in its session.
    """
    data = connection.execute(_CLAIMS, {"bot": bot_id}).scalar_one_or_none()
    claimed = load_claims(data) if data is not None else Claims()
    if not moves_cursor(claimed, cursor.shard.count, cursor.shard.id, epoch=epoch, now=now):
        return False
    if not cursor.HasField("state"):
        place = {"bot": bot_id, "count": cursor.shard.count, "shard": cursor.shard.id, "session": cursor.session_id}
        known = connection.execute(_CURSOR, place).scalar_one_or_none()
        if known is not None:
            before = coordination_pb2.ShardCursor.FromString(known)
            if before.HasField("state"):
                kept = coordination_pb2.ShardCursor(state=before.state)
                kept.MergeFrom(cursor)
                cursor = kept
    row = {
        "bot_id": bot_id,
        "shard_count": cursor.shard.count,
        "shard_id": cursor.shard.id,
        "session_id": cursor.session_id,
        "seq": cursor.seq,
        "cursor": cursor.SerializeToString(),
        "updated_at": int(now * 1000),
    }
    connection.execute(_FORWARD_CURSOR.on(connection), row)
    return True


def cursors_of(
    connection: Connection, bot_id: str, shard_count: int, shard_ids: Iterable[int]
) -> list[coordination_pb2.ShardCursor]:
    """The cursors of those shards that have one, by shard."""
    query = (
        select(cursors.c.cursor)
        .where(
            cursors.c.bot_id == bot_id, cursors.c.shard_count == shard_count, cursors.c.shard_id.in_(sorted(shard_ids))
        )
        .order_by(cursors.c.shard_id)
    )
    return [coordination_pb2.ShardCursor.FromString(data) for data in connection.execute(query).scalars()]


def marks_in(events: Iterable[event_pb2.InternalEvent]) -> list[dict[str, Any]]:
    """The newest Discord message of each channel among `events`, as rows without a time."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        if not event.event_id.startswith("discord:message:") or not event.source_event_id.isdecimal():
            continue
        message_id = int(event.source_event_id)
        key = event.bot_id, event.source_channel_id
        if message_id <= _LARGEST_ID and (key not in newest or newest[key]["message_id"] < message_id):
            guild = event.discord.guild_id if _is_id(event.discord.guild_id) else None
            newest[key] = {"bot_id": key[0], "channel_id": key[1], "guild_id": guild, "message_id": message_id}
    return list(newest.values())


def _is_id(value: str) -> bool:
    return value.isdecimal() and len(value) <= 20


def mark(connection: Connection, rows: list[dict[str, Any]], *, now: float) -> None:
    """Note the newest messages of channels."""
    if rows:
        connection.execute(_MARK.on(connection), [row | {"updated_at": int(now * 1000)} for row in rows])


def marks_of(connection: Connection, bot_id: str, *, limit: int) -> list[coordination_pb2.ChannelMark]:
    """The channels with the newest messages, newest first."""
    query = (
        select(channel_marks.c.channel_id, channel_marks.c.guild_id, channel_marks.c.message_id)
        .where(channel_marks.c.bot_id == bot_id)
        .order_by(channel_marks.c.message_id.desc())
        .limit(limit)
    )
    return [
        coordination_pb2.ChannelMark(channel_id=channel, guild_id=guild, last_message_id=str(message))
        for channel, guild, message in connection.execute(query)
    ]


# Built once: building a statement costs as much as running it.
_CLAIMS = select(claims.c.claims).where(claims.c.bot_id == bindparam("bot"))
_CURSOR = select(cursors.c.cursor).where(
    cursors.c.bot_id == bindparam("bot"),
    cursors.c.shard_count == bindparam("count"),
    cursors.c.shard_id == bindparam("shard"),
    cursors.c.session_id == bindparam("session"),
)
_LOAD = select(claims.c.claims, claims.c.permits).where(claims.c.bot_id == bindparam("bot")).with_for_update()


_STORE = replacing(claims, ["bot_id"], ["claims", "permits", "updated_at"])
# A batch sent again after a lost acknowledgement must not move the cursor back.
_FORWARD_CURSOR = replacing(
    cursors,
    ["bot_id", "shard_count", "shard_id"],
    ["session_id", "seq", "cursor", "updated_at"],
    where=lambda new: or_(cursors.c.session_id != new.session_id, cursors.c.seq <= new.seq),
)
_MARK = replacing(
    channel_marks,
    ["bot_id", "channel_id"],
    ["guild_id", "message_id", "updated_at"],
    where=lambda new: channel_marks.c.message_id < new.message_id,
)
