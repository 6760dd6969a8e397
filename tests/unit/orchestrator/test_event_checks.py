"""What an event must have to be recorded, and what is read from it."""

from __future__ import annotations

from typing import Any

import pytest
from botswain_orchestrator.events import channels_of, check, lane_of, reply_channel
from botswain_proto.v1 import event_pb2


def event(**fields: Any) -> event_pb2.InternalEvent:
    given = {"event_id": "discord:message:1", "source": event_pb2.EVENT_SOURCE_DISCORD, "bot_id": "9", **fields}
    return event_pb2.InternalEvent(**given)


def test_a_complete_event_passes() -> None:
    """Nothing is wrong with an event that has its id and its source."""
    assert check(event(content="hello")) is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": "x" * 257}, "event_id"),
        ({"correlation_id": "x" * 257}, "correlation_id"),
        ({"correlation_id": "a\0b"}, "correlation_id"),
        ({"source": event_pb2.EVENT_SOURCE_UNSPECIFIED}, "source"),
        ({"source": 77}, "source"),
        ({"content_type": 77}, "content_type"),
        ({"content": "x" * 100_001}, "content"),
        ({"bot_id": "other"}, "bot_id"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], named: str) -> None:
    """The reason begins with the field."""
    reason = check(event(**fields), bot_id="9")
    assert reason is not None
    assert reason.startswith(named)


def test_an_endless_conversation_id_is_refused() -> None:
    """The lane's name is bounded."""
    long = event()
    long.routing.conversation.conversation_id = "x" * 2000
    assert "conversation_id" in (check(long) or "")


def test_the_conversation_names_the_lane() -> None:
    """What the adapter calls the conversation is its lane."""
    named = event()
    named.routing.conversation.conversation_id = "discord:9:5"
    assert lane_of(named) == "discord:9:5"


def test_without_a_conversation_the_channel_is_the_lane() -> None:
    """A thread stands before its channel, and the channel's own id before nothing."""
    plain = event(source_channel_id="5")
    assert lane_of(plain) == "discord:9:5"
    plain.routing.reply_channel_id = "6"
    assert lane_of(plain) == "discord:9:6"
    plain.routing.reply_thread_id = "7"
    assert lane_of(plain) == "discord:9:7"


def test_replies_go_to_the_thread_when_there_is_one() -> None:
    """The thread stands before the channel."""
    one = event()
    assert reply_channel(one) == ""
    one.routing.reply_channel_id = "6"
    one.routing.reply_thread_id = "7"
    assert reply_channel(one) == "7"


def test_tools_may_touch_the_channels_of_the_event_alone() -> None:
    """Where it came from, where replies go, and where they are forwarded to; each once."""
    one = event(source_channel_id="5")
    one.routing.reply_channel_id = "5"
    one.routing.reply_thread_id = "7"
    one.discord.thread.id = "8"
    one.routing.forward_destinations.add(channel_id="6")
    assert channels_of(one) == ["5", "7", "8", "6"]
