"""Reading an event in its protobuf form, in which it travels through this process: what it lacks, its lane, its channels.

`check()` is the border. It looks at what the ledger and the lanes rely on, on the message itself; converting every
event into the Pydantic model would cost many times what recording it does.
"""

from __future__ import annotations

from botswain_proto.v1 import event_pb2
from botswain_services.events import MAX_CONTENT, conversation_id

MAX_ID = 256
_IDS = ("event_id", "correlation_id", "source_event_id", "source_channel_id", "source_user_id", "bot_id")
_SOURCES = frozenset(event_pb2.EventSource.values())
_CONTENT_TYPES = frozenset(event_pb2.ContentType.values())


def check(event: event_pb2.InternalEvent, *, bot_id: str = "") -> str | None:
    """Why this event can't be recorded, in words that name the field; None when it can.

    Args:
        event: as it came.
        bot_id: whose events are expected; empty: anybody's.
    """
    if not event.event_id:
        return "event_id is empty"
    if bot_id and event.bot_id != bot_id:
        return f"bot_id is {event.bot_id[:MAX_ID]!r}, but the batch is {bot_id!r}'s"
    for name in _IDS:
        problem = unfit(name, getattr(event, name))
        if problem is not None:
            return problem
    if event.source == event_pb2.EVENT_SOURCE_UNSPECIFIED:
        return "source is not set"
    if event.source not in _SOURCES:
        return f"source is {event.source}, which is none that is known"
    if event.content_type not in _CONTENT_TYPES:
        return f"content_type is {event.content_type}, which is none that is known"
    if len(event.content) > MAX_CONTENT:
        return f"content has {len(event.content)} characters; at most {MAX_CONTENT} are taken"
    return unfit("routing.conversation.conversation_id", lane_of(event), most=4 * MAX_ID)


def unfit(name: str, value: str, *, most: int = MAX_ID) -> str | None:
    """Why this can't be an id, in words that name it; None when it can. No database keeps text of any length, and
    PostgreSQL none with a NUL in it.
    """
    if len(value) > most:
        return f"{name} has {len(value)} characters; at most {most} are taken"
    return f"{name} has a NUL character in it" if "\0" in value else None


def lane_of(event: event_pb2.InternalEvent) -> str:
    """The conversation an event belongs to."""
    named = event.routing.conversation.conversation_id
    return named or conversation_id(source_name(event), event.bot_id, reply_channel(event) or event.source_channel_id)


def source_name(event: event_pb2.InternalEvent) -> str:
    """`discord`, `api`, …"""
    return event_pb2.EventSource.Name(event.source).removeprefix("EVENT_SOURCE_").lower()


def reply_channel(event: event_pb2.InternalEvent) -> str:
    """The channel or thread that replies go to; empty when there is none."""
    return event.routing.reply_thread_id or event.routing.reply_channel_id


def channels_of(event: event_pb2.InternalEvent) -> list[str]:
    """The channels that tools may touch for this event: where it came from and where its replies go."""
    routing = event.routing
    named = [event.source_channel_id, routing.reply_channel_id, routing.reply_thread_id, event.discord.thread.id]
    named += [goal.channel_id for goal in routing.forward_destinations] + [
        goal.thread_id for goal in routing.forward_destinations
    ]
    return list(dict.fromkeys(channel for channel in named if channel))
