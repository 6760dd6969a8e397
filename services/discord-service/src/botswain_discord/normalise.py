"""A raw MESSAGE_CREATE payload becomes an `InternalEvent`: plain functions over plain data.

It works on the payload, not on a `discord.Message`: several times faster, and independent of a cache that is empty after a
resume. Every field is checked before it is used. What an event can't do without (message, channel and author id) raises
`MalformedPayloadError`; any other odd field is left out and named in the result, so that it can be counted. Field names and
types are those of Discord's resources/message.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botswain_proto.v1 import event_pb2
from botswain_proto.v1.event_pb2 import Attachment, InternalEvent
from botswain_services.events import MAX_CONTENT

from botswain_discord.errors import MalformedPayloadError
from botswain_discord.names import MAX_NAME, Names, ThreadName

DISCORD_EPOCH_MS = 1_420_070_400_000
MAX_ATTACHMENTS = 100
MAX_MENTIONS = 1_000
SYSTEM_TYPES = frozenset((*range(1, 19), 21, 22, *range(24, 33), *range(36, 40), 44, 46, 63))
"""Message types that Discord itself writes (joins, pins, boosts, …): nobody spoke. Unknown numbers are not among them."""
REPLY, FORWARD = 19, 1

_TEXT, _IMAGE, _AUDIO, _FILE = (
    event_pb2.CONTENT_TYPE_TEXT,
    event_pb2.CONTENT_TYPE_IMAGE,
    event_pb2.CONTENT_TYPE_AUDIO,
    event_pb2.CONTENT_TYPE_FILE,
)
_DISCORD = event_pb2.EVENT_SOURCE_DISCORD
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MessageContext(NamedTuple):
    """What a payload doesn't say: for whom, and on which shard, it was received."""

    bot_id: str
    bot_user_id: str
    shard_id: int
    shard_count: int
    names: Names


class Normalised(NamedTuple):
    """An event, and the names of the fields that were left out because they were odd."""

    event: InternalEvent
    odd: list[str]


def ignored_reason(payload: Mapping[str, Any], bot_user_id: str) -> str | None:
    """Why this message is not for an agent: `own`, `webhook`, `bot`, `system`; None when it is."""
    author = payload.get("author")
    if type(author) is dict:
        if author.get("id") == bot_user_id:
            return "own"
        if payload.get("webhook_id") is not None:
            return "webhook"
        if author.get("bot"):
            return "bot"
    kind = payload.get("type")
    return "system" if type(kind) is int and kind in SYSTEM_TYPES else None


def normalise_message(
    payload: Mapping[str, Any], context: MessageContext, *, correlation_id: str, traceparent: str
) -> Normalised:
    """The event that a MESSAGE_CREATE payload stands for.

    Raises:
        MalformedPayloadError: no usable message, channel or author id.
    """
    author = payload.get("author")
    message_id = snowflake(payload.get("id"))
    channel_id = snowflake(payload.get("channel_id"))
    author_id = snowflake(author.get("id")) if type(author) is dict else None
    if message_id is None or channel_id is None or author_id is None or type(author) is not dict:
        raise MalformedPayloadError(_complaint(message_id, channel_id), payload_ids(payload))
    odd: list[str] = []
    content = _content(payload, odd)
    attachments = _attachments(payload, odd)
    bot_id, bot_user_id, shard_id, shard_count, names = context
    event = InternalEvent(
        correlation_id=correlation_id,
        source=_DISCORD,
        source_event_id=message_id,
        source_channel_id=channel_id,
        source_user_id=author_id,
        source_user_name=display_name(payload, author, odd),
        content_type=_TEXT if content or not attachments else _content_type(attachments),
        content=content,
        attachments=attachments,
        event_id="discord:message:" + message_id,
        traceparent=traceparent,
        bot_id=bot_id,
    )
    _set_timestamp(event, payload, message_id, odd)
    discord = event.discord
    discord.bot_user_id = bot_user_id
    shard = discord.shard
    shard.id = shard_id
    shard.count = shard_count
    _set_type_and_mentions(discord, payload, odd)
    reply_to = set_place(event, payload, channel_id, names, odd)
    routing = event.routing
    routing.reply_channel_id = channel_id
    routing.conversation.conversation_id = f"discord:{bot_id}:{reply_to}"
    if payload.get("message_reference") is not None:
        _set_reference(event, payload, channel_id, odd)
    return Normalised(event, odd)


def snowflake(value: object) -> str | None:
    """`value` as an id, or None when it isn't one. Discord sends strings; numbers are taken too."""
    if type(value) is str:
        return value if value.isascii() and value.isdigit() and len(value) <= 20 else None
    return str(value) if type(value) is int and 0 <= value < 1 << 64 else None


def payload_ids(payload: Mapping[str, Any]) -> dict[str, str]:
    """What can be told of a payload in a log line: its ids, whatever they look like, cut short."""
    author = payload.get("author")
    found = {
        "message_id": payload.get("id"),
        "channel_id": payload.get("channel_id"),
        "guild_id": payload.get("guild_id"),
        "author_id": author.get("id") if isinstance(author, dict) else None,
    }
    return {name: str(value)[:64] for name, value in found.items() if value is not None}


def _complaint(message_id: str | None, channel_id: str | None) -> str:
    field = "id" if message_id is None else "channel_id" if channel_id is None else "author.id"
    return f"{field} is missing or not an id"


def _content(payload: Mapping[str, Any], odd: list[str]) -> str:
    """The text; empty where Discord withholds it (no message content intent)."""
    content = payload.get("content")
    if type(content) is not str:
        odd.append("content")
        return ""
    if len(content) > MAX_CONTENT:
        odd.append("content")
        return content[:MAX_CONTENT]
    return content


def display_name(payload: Mapping[str, Any], author: Mapping[str, Any], odd: list[str]) -> str | None:
    """The name people see: in the guild, else everywhere, else the account's."""
    member = payload.get("member")
    candidates = (
        member.get("nick") if type(member) is dict else None,
        author.get("global_name"),
        author.get("username"),
    )
    for name in candidates:
        if type(name) is str:
            if name:
                return name[:MAX_NAME]
        elif name is not None:
            odd.append("author.name")
    return None


def _attachments(payload: Mapping[str, Any], odd: list[str]) -> list[Attachment]:
    given = payload.get("attachments")
    if not given:
        return []
    if type(given) is not list:
        odd.append("attachments")
        return []
    if len(given) > MAX_ATTACHMENTS:
        odd.append("attachments")
    return [_attachment(item, odd) for item in given[:MAX_ATTACHMENTS] if _is_dict(item, "attachments", odd)]


def _attachment(item: Mapping[str, Any], odd: list[str]) -> Attachment:
    size = item.get("size", 0)
    if type(size) is not int or not 0 <= size < 1 << 63:
        odd.append("attachments.size")
        size = 0
    identifier = snowflake(item.get("id"))
    if identifier is None:
        odd.append("attachments.id")
    return Attachment(
        id=identifier or "",
        filename=_text(item, "filename", 1024, "attachments.filename", odd) or "",
        url=_text(item, "url", 4096, "attachments.url", odd) or "",
        content_type=_text(item, "content_type", 256, "attachments.content_type", odd) or "",
        size=size,
    )


def _content_type(attachments: list[Attachment]) -> event_pb2.ContentType:
    """What a message without text holds: images, audio, or files of any kind."""
    kinds = {
        (attachment.content_type or mimetypes.guess_type(attachment.filename)[0] or "").partition("/")[0].lower()
        for attachment in attachments
    }
    if kinds == {"image"}:
        return _IMAGE
    return _AUDIO if kinds == {"audio"} else _FILE


def _set_timestamp(event: InternalEvent, payload: Mapping[str, Any], message_id: str, odd: list[str]) -> None:
    """When Discord says it was sent; the message id holds the same time in milliseconds."""
    try:
        since = datetime.fromisoformat(payload["timestamp"]) - _EPOCH
        seconds, nanos = since.days * 86_400 + since.seconds, since.microseconds * 1_000
    except (KeyError, TypeError, ValueError):  # absent, not text, not a time or one without a zone
        odd.append("timestamp")
        seconds, millis = divmod((int(message_id) >> 22) + DISCORD_EPOCH_MS, 1_000)
        nanos = millis * 1_000_000
    event.timestamp.seconds = seconds
    event.timestamp.nanos = nanos


def _set_type_and_mentions(discord: event_pb2.DiscordMetadata, payload: Mapping[str, Any], odd: list[str]) -> None:
    kind = payload.get("type", 0)
    if type(kind) is int and 0 <= kind < 1 << 31:
        if kind:
            discord.message_type = kind
    else:
        odd.append("type")
    mentions = payload.get("mentions")
    if mentions:
        discord.mentions.extend(_ids(mentions, "mentions", odd))
    roles = payload.get("mention_roles")
    if roles:
        discord.mention_roles.extend(_ids(roles, "mention_roles", odd))
    if payload.get("mention_everyone") is True:
        discord.mention_everyone = True


def set_place(event: InternalEvent, payload: Mapping[str, Any], channel_id: str, names: Names, odd: list[str]) -> str:
    """Set guild and thread; the id replies go to: the thread's where there is one."""
    given = payload.get("guild_id")
    if given is None:  # a direct message
        return channel_id
    guild_id = snowflake(given)
    if guild_id is None:
        odd.append("guild_id")
        return channel_id
    discord = event.discord
    discord.guild_id = guild_id
    guild_name = names.guild_name(guild_id)
    if guild_name is not None:
        discord.guild_name = guild_name
    thread = names.thread(guild_id, channel_id) or _started_thread(payload, odd)
    if thread is None:
        return channel_id
    thread_id, parent_id, name = thread
    discord.thread.id = thread_id
    if parent_id is not None:
        discord.thread.parent_id = parent_id
    if name is not None:
        discord.thread.name = name
    event.routing.reply_thread_id = thread_id
    return thread_id


def _started_thread(payload: Mapping[str, Any], odd: list[str]) -> ThreadName | None:
    """The thread that began with this message."""
    thread = payload.get("thread")
    if thread is None:
        return None
    thread_id = snowflake(thread.get("id")) if type(thread) is dict else None
    if thread_id is None:
        odd.append("thread")
        return None
    name = _text(thread, "name", MAX_NAME, "thread.name", odd)
    return ThreadName(thread_id, snowflake(thread.get("parent_id")), name)


def _set_reference(event: InternalEvent, payload: Mapping[str, Any], channel_id: str, odd: list[str]) -> None:
    """The message replied to, with what Discord sent of it; of a forwarded one, the text."""
    reference = payload["message_reference"]
    message_id = snowflake(reference.get("message_id")) if type(reference) is dict else None
    if message_id is None:
        odd.append("message_reference")
        return
    known = event.discord.referenced_message
    known.message_id = message_id
    known.channel_id = snowflake(reference.get("channel_id")) or channel_id
    if reference.get("type") == FORWARD:
        message = _forwarded(payload)
    else:
        event.routing.conversation.parent_event_id = "discord:message:" + message_id
        message = payload.get("referenced_message")
    if message is None:  # deleted, or not sent along
        return
    if not _is_dict(message, "referenced_message", odd):
        return
    author = message.get("author")
    author_id = snowflake(author.get("id")) if type(author) is dict else None
    if author_id is not None:
        known.author_id = author_id
    content = message.get("content")
    if type(content) is str:
        known.content = content[:MAX_CONTENT]


def _forwarded(payload: Mapping[str, Any]) -> Any:
    snapshots = payload.get("message_snapshots")
    first = snapshots[0] if type(snapshots) is list and snapshots else None
    return first.get("message") if type(first) is dict else None


def _ids(values: Any, field: str, odd: list[str]) -> list[str]:
    """The ids in a list of ids, or of objects that have one."""
    if type(values) is not list:
        odd.append(field)
        return []
    found = [snowflake(value.get("id") if type(value) is dict else value) for value in values[:MAX_MENTIONS]]
    kept = [value for value in found if value is not None]
    if len(kept) != len(values):
        odd.append(field)
    return kept


def _text(item: Mapping[str, Any], key: str, longest: int, field: str, odd: list[str]) -> str | None:
    value = item.get(key)
    if value is None:
        return None
    if type(value) is not str or len(value) > longest:
        odd.append(field)
        return None
    return value


def _is_dict(value: Any, field: str, odd: list[str]) -> bool:
    if type(value) is dict:
        return True
    odd.append(field)
    return False
