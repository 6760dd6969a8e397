"""A MESSAGE_REACTION_ADD payload becomes an event, when it is about a message of the bot."""

from __future__ import annotations

from typing import Any

import pytest
from botswain_discord.errors import MalformedPayloadError
from botswain_discord.names import Names
from botswain_discord.normalise import MessageContext, Normalised
from botswain_discord.reactions import ignored_reason, normalise_reaction
from botswain_proto.v1 import event_pb2
from botswain_services.events import from_proto, to_process_body
from hypothesis import given
from hypothesis import strategies as st

BOT, BOT_USER, GUILD, CHANNEL, THREAD, ADA, MESSAGE = "900", "901", "500", "200", "250", "300", "1441700000000000001"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def reaction(**changes: Any) -> dict[str, Any]:
    """Ada's to a message of the bot in #general; a change to `...` removes the field."""
    payload: dict[str, Any] = {
        "user_id": ADA,
        "channel_id": CHANNEL,
        "message_id": MESSAGE,
        "guild_id": GUILD,
        "member": {"nick": "Countess", "user": {"id": ADA, "username": "ada", "global_name": "Ada"}},
        "emoji": {"id": None, "name": "✅"},
        "message_author_id": BOT_USER,
        "burst": False,
        "type": 0,
    }
    payload.update(changes)
    return {key: value for key, value in payload.items() if value is not ...}


def normalised(payload: dict[str, Any], names: Names | None = None) -> Normalised:
    context = MessageContext(BOT, BOT_USER, 1, 4, names or Names())
    return normalise_reaction(
        payload, context, correlation_id="c-1", traceparent=TRACEPARENT, received_at=1_700_000_000.25
    )


def test_a_reaction_fills_every_field() -> None:
    """Who, where, to what, with what, when it was received."""
    event, odd = normalised(reaction())
    assert odd == []
    assert event.event_id == f"discord:reaction:{MESSAGE}:{ADA}:✅"
    assert (event.content_type, event.content, event.discord.emoji) == (event_pb2.CONTENT_TYPE_REACTION, "✅", "✅")
    assert (event.source_event_id, event.source_channel_id) == (MESSAGE, CHANNEL)
    assert (event.source_user_id, event.source_user_name) == (ADA, "Countess")
    assert event.routing.conversation.conversation_id == f"discord:{BOT}:{CHANNEL}"
    assert event.routing.conversation.parent_event_id == f"discord:message:{MESSAGE}"
    assert event.timestamp.ToMilliseconds() == 1_700_000_000_250
    assert (event.discord.guild_id, event.discord.shard.id, event.discord.shard.count) == (GUILD, 1, 4)
    assert to_process_body(from_proto(event)).metadata["emoji"] == "✅"


def test_in_a_thread_it_belongs_to_the_threads_conversation() -> None:
    """As the message does that it is a reaction to."""
    names = Names()
    thread = {"id": THREAD, "type": 11, "parent_id": CHANNEL, "name": "moorings"}
    names.feed("GUILD_CREATE", {"id": GUILD, "name": "Harbour", "threads": [thread]})
    event, _ = normalised(reaction(channel_id=THREAD), names)
    assert event.routing.conversation.conversation_id == f"discord:{BOT}:{THREAD}"
    assert event.routing.reply_thread_id == THREAD


def test_in_a_direct_conversation_nobody_is_named() -> None:
    """Discord sends no member there."""
    event, odd = normalised(reaction(guild_id=..., member=...))
    assert odd == []
    assert not event.HasField("source_user_name")
    assert event.routing.conversation.conversation_id == f"discord:{BOT}:{CHANNEL}"


@pytest.mark.parametrize(
    ("emoji", "name"),
    [({"id": "77", "name": "aye"}, "aye:77"), ({"id": "77", "name": None}, ":77"), ({"name": "👍🏽"}, "👍🏽")],
)
def test_emoji_are_named_as_discord_takes_them(emoji: dict[str, Any], name: str) -> None:
    """`name:id` for a custom one."""
    assert normalised(reaction(emoji=emoji)).event.discord.emoji == name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"message_author_id": ...}, None),
        ({"user_id": BOT_USER}, "own"),
        ({"member": {"user": {"id": "7", "bot": True}}}, "bot"),
        ({"message_author_id": ADA}, "elsewhere"),
    ],
)
def test_only_what_people_say_of_the_bots_messages_counts(changes: dict[str, Any], reason: str | None) -> None:
    """Where Discord doesn't tell whose message it is, the orchestrator finds out."""
    assert ignored_reason(reaction(**changes), BOT_USER) == reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"message_id": ...}, "message_id is missing or not an id"),
        ({"user_id": "Ada"}, "user_id is missing or not an id"),
        ({"emoji": 4}, "emoji has no usable name"),
        ({"emoji": {"id": None, "name": ""}}, "emoji has no usable name"),
        ({"emoji": {"id": None, "name": "x" * 65}}, "emoji has no usable name"),
    ],
)
def test_what_it_cannot_do_without_is_named(changes: dict[str, Any], words: str) -> None:
    """With the ids that are there."""
    with pytest.raises(MalformedPayloadError, match=words) as caught:
        normalised(reaction(**changes))
    assert caught.value.ids["channel_id"] == CHANNEL


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(payload=st.dictionaries(st.sampled_from(sorted(reaction())), JSON))
def test_no_payload_breaks_it(payload: dict[str, Any]) -> None:
    """It is an event or malformed, whatever the fields hold."""
    ignored_reason(payload, BOT_USER)
    try:
        event, _ = normalised(reaction(**payload))
    except MalformedPayloadError:
        return
    assert event.event_id.startswith("discord:reaction:")
