"""A raw MESSAGE_REACTION_ADD payload becomes an `InternalEvent`, when it is about one of the bot's own messages.

Plain functions, as in `normalise`. Field names and types are those of Discord's events/gateway-events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botswain_proto.v1 import event_pb2
from botswain_proto.v1.event_pb2 import InternalEvent

from botswain_discord.errors import MalformedPayloadError
from botswain_discord.normalise import MessageContext, Normalised, display_name, set_place, snowflake

MAX_EMOJI = 64
"""Characters; Discord's own names have at most 32, and the longest Unicode sequences fewer."""


def ignored_reason(payload: Mapping[str, Any], bot_user_id: str) -> str | None:
    """Why this reaction is not for an agent: `own`, `bot`, `elsewhere`; None when it is."""
    if payload.get("user_id") == bot_user_id:
        return "own"
    user = _user(payload)
    if user is not None and user.get("bot"):
        return "bot"
    author = payload.get("message_author_id")
    return "elsewhere" if author is not None and author != bot_user_id else None


def reaction_ids(payload: Mapping[str, Any]) -> dict[str, str]:
    """What can be told of a payload in a log line: its ids, whatever they look like, cut short."""
    found = {name: payload.get(name) for name in ("message_id", "channel_id", "guild_id", "user_id")}
    return {name: str(value)[:64] for name, value in found.items() if value is not None}


def normalise_reaction(
    payload: Mapping[str, Any], context: MessageContext, *, correlation_id: str, traceparent: str, received_at: float
) -> Normalised:
    """The event that a MESSAGE_REACTION_ADD payload stands for. Discord doesn't say when it happened.

    Args:
        payload: as it came.
        context: for whom, and on which shard.
        correlation_id: of the event.
        traceparent: the start of its trace.
        received_at: now, in seconds since 1970.

    Raises:
        MalformedPayloadError: no usable message, channel or user id, or emoji.
    """
    ids = {name: snowflake(payload.get(name)) for name in ("message_id", "channel_id", "user_id")}
    wrong = next((name for name, value in ids.items() if value is None), None)
    emoji = _emoji(payload)
    if wrong is not None or emoji is None:
        reason = f"{wrong} is missing or not an id" if wrong is not None else "emoji has no usable name"
        raise MalformedPayloadError(reason, reaction_ids(payload))
    message_id, channel_id, user_id = (value or "" for value in ids.values())
    odd: list[str] = []
    bot_id, bot_user_id, shard_id, shard_count, names = context
    event = InternalEvent(
        correlation_id=correlation_id,
        source=event_pb2.EVENT_SOURCE_DISCORD,
        source_event_id=message_id,
        source_channel_id=channel_id,
        source_user_id=user_id,
        source_user_name=display_name(payload, _user(payload) or {}, odd),
        content_type=event_pb2.CONTENT_TYPE_REACTION,
        content=emoji,
        event_id=f"discord:reaction:{message_id}:{user_id}:{emoji}",
        traceparent=traceparent,
        bot_id=bot_id,
    )
    event.timestamp.FromMicroseconds(int(received_at * 1_000_000))
    event.discord.bot_user_id = bot_user_id
    event.discord.emoji = emoji
    event.discord.shard.id = shard_id
    event.discord.shard.count = shard_count
    reply_to = set_place(event, payload, channel_id, names, odd)
    event.routing.reply_channel_id = channel_id
    event.routing.conversation.conversation_id = f"discord:{bot_id}:{reply_to}"
    event.routing.conversation.parent_event_id = "discord:message:" + message_id
    reference = event.discord.referenced_message
    reference.message_id = message_id
    reference.channel_id = channel_id
    author_id = snowflake(payload.get("message_author_id"))
    if author_id is not None:
        reference.author_id = author_id
    return Normalised(event, odd)


def _user(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Who reacted, as far as Discord sends it along: in guilds."""
    member = payload.get("member")
    user = member.get("user") if type(member) is dict else None
    return user if type(user) is dict else None


def _emoji(payload: Mapping[str, Any]) -> str | None:
    """A Unicode emoji, or `name:id` of a custom one."""
    emoji = payload.get("emoji")
    if type(emoji) is not dict:
        return None
    name, identifier = emoji.get("name"), emoji.get("id")
    if identifier is not None:
        identifier = snowflake(identifier)
        # The name of a custom emoji that was deleted is null.
        return f"{name if type(name) is str else ''}:{identifier}"[:MAX_EMOJI] if identifier is not None else None
    return name if type(name) is str and 0 < len(name) <= MAX_EMOJI else None
