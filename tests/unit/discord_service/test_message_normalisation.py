"""A MESSAGE_CREATE payload becomes an event with every field in its place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botswain_discord.errors import MalformedPayloadError
from botswain_discord.names import Names
from botswain_discord.normalise import MessageContext, Normalised, ignored_reason, normalise_message
from botswain_proto.v1 import event_pb2
from botswain_services.events import ContentType, from_proto, to_process_body
from discord import MessageType
from hypothesis import given
from hypothesis import strategies as st

BOT, GUILD, CHANNEL, THREAD, ADA = "900", "500", "200", "250", "300"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def message(**changes: Any) -> dict[str, Any]:
    """A plain message of Ada's in #general; a change to `...` removes the field."""
    payload: dict[str, Any] = {
        "id": "1441700000000000001",
        "channel_id": CHANNEL,
        "guild_id": GUILD,
        "type": 0,
        "content": "ahoy",
        "timestamp": "2026-11-22T10:00:00.123456+00:00",
        "author": {"id": ADA, "username": "ada", "global_name": "Ada"},
        "member": {"nick": None, "roles": []},
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "attachments": [],
        "embeds": [],
    }
    payload.update(changes)
    return {key: value for key, value in payload.items() if value is not ...}


@pytest.fixture
def names() -> Names:
    """Guild 500 "Harbour" with the thread 250 "moorings" under channel 200."""
    names = Names()
    thread = {"id": THREAD, "type": 11, "parent_id": CHANNEL, "name": "moorings"}
    names.feed("GUILD_CREATE", {"id": GUILD, "name": "Harbour", "threads": [thread]})
    return names


def normalised(payload: dict[str, Any], names: Names | None = None) -> Normalised:
    context = MessageContext(BOT, "901", 1, 4, names or Names())
    return normalise_message(payload, context, correlation_id="c-1", traceparent=TRACEPARENT)


def test_a_guild_message_fills_every_field(names: Names) -> None:
    """Ids, author, content, routing, time, guild, shard and bot all come from the payload and its context."""
    event, odd = normalised(message(), names)
    assert odd == []
    assert event == event_pb2.InternalEvent(
        correlation_id="c-1",
        source=event_pb2.EVENT_SOURCE_DISCORD,
        source_event_id="1441700000000000001",
        source_channel_id=CHANNEL,
        source_user_id=ADA,
        source_user_name="Ada",
        content_type=event_pb2.CONTENT_TYPE_TEXT,
        content="ahoy",
        routing={"reply_channel_id": CHANNEL, "conversation": {"conversation_id": "discord:900:200"}},
        timestamp=datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC),
        event_id="discord:message:1441700000000000001",
        traceparent=TRACEPARENT,
        bot_id=BOT,
        discord={
            "guild_id": GUILD,
            "guild_name": "Harbour",
            "shard": {"id": 1, "count": 4},
            "bot_user_id": "901",
        },
    )


def test_the_http_form_names_its_source(names: Names) -> None:
    """The same event passes the edge's validation, and its metadata says `discord`."""
    body = to_process_body(from_proto(normalised(message(), names).event))
    assert body.thread_id == "discord:900:200"
    assert body.metadata["source"] == "discord"
    assert (body.metadata["guild_id"], body.metadata["guild_name"]) == (GUILD, "Harbour")


@pytest.mark.parametrize(
    ("member", "author", "expected"),
    [
        ({"nick": "Captain"}, {"global_name": "Ada", "username": "ada"}, "Captain"),
        ({"nick": None}, {"global_name": "Ada", "username": "ada"}, "Ada"),
        (..., {"global_name": None, "username": "ada"}, "ada"),
        (..., {}, ""),
    ],
)
def test_the_name_is_the_one_people_see(member: Any, author: dict[str, Any], expected: str) -> None:
    """Nickname before global name before user name."""
    assert normalised(message(member=member, author={"id": ADA, **author})).event.source_user_name == expected


def test_attachments_keep_their_details() -> None:
    """Id, name, address, media type and size arrive."""
    attachment = {"id": "7", "filename": "a.png", "url": "https://cdn/a.png", "content_type": "image/png", "size": 12}
    event, odd = normalised(message(attachments=[{**attachment, "height": 3}]))
    assert odd == []
    assert list(event.attachments) == [event_pb2.Attachment(**attachment)]


@pytest.mark.parametrize(
    ("content", "kinds", "expected"),
    [
        ("look", ["image/png"], ContentType.TEXT),
        ("", ["image/png", "image/webp"], ContentType.IMAGE),
        ("", ["audio/ogg"], ContentType.AUDIO),
        ("", ["image/png", "audio/ogg"], ContentType.FILE),
        ("", ["application/pdf"], ContentType.FILE),
        ("", [], ContentType.TEXT),
    ],
)
def test_the_content_type_says_what_a_message_mainly_holds(
    content: str, kinds: list[str], expected: ContentType
) -> None:
    """Text when there is any, else what all attachments are, else a file."""
    attachments = [{"id": str(n), "filename": "f", "content_type": kind} for n, kind in enumerate(kinds)]
    event = normalised(message(content=content, attachments=attachments)).event
    assert from_proto(event).content_type is expected


def test_an_attachment_without_a_media_type_goes_by_its_name() -> None:
    """Discord leaves the type out at times; the ending tells."""
    event = normalised(message(content="", attachments=[{"id": "1", "filename": "voice.ogg"}])).event
    assert event.content_type == event_pb2.CONTENT_TYPE_AUDIO


def test_withheld_content_is_forwarded_with_its_attachments() -> None:
    """Without the message content intent the text is empty, and the event goes out all the same."""
    event, odd = normalised(message(content="", attachments=[{"id": "1", "filename": "x.bin", "size": 1}]))
    assert (event.content, len(event.attachments), odd) == ("", 1, [])


def test_a_direct_message_has_no_guild() -> None:
    """Its lane is the channel, and nothing is said of a guild."""
    event, odd = normalised(message(guild_id=..., member=...))
    assert odd == []
    assert not event.discord.HasField("guild_id")
    assert event.routing.conversation.conversation_id == "discord:900:200"


def test_a_message_in_a_thread_is_answered_there(names: Names) -> None:
    """Lane and reply go to the thread, whose parent and name are told."""
    event = normalised(message(channel_id=THREAD), names).event
    assert event.routing.reply_thread_id == THREAD
    assert event.routing.conversation.conversation_id == "discord:900:250"
    assert event.discord.thread == event_pb2.DiscordThread(id=THREAD, parent_id=CHANNEL, name="moorings")


def test_the_lane_of_a_thread_is_the_same_before_its_name_is_known(names: Names) -> None:
    """Order must not depend on what has been heard of the thread."""
    lanes = {
        normalised(message(channel_id=THREAD), known).event.routing.conversation.conversation_id
        for known in (names, Names())
    }
    assert lanes == {"discord:900:250"}


def test_a_message_that_started_a_thread_is_answered_in_it(names: Names) -> None:
    """The thread that the payload brings along is where the reply goes."""
    thread = {"id": "1441700000000000001", "parent_id": CHANNEL, "name": "new"}
    event = normalised(message(thread=thread), names).event
    assert event.source_channel_id == CHANNEL
    assert event.routing.reply_thread_id == "1441700000000000001"
    assert event.discord.thread.name == "new"


def test_mentions_are_ids_in_order() -> None:
    """Of users, roles and everyone."""
    changes = {"mentions": [{"id": "5"}, {"id": "4"}], "mention_roles": ["8", "9"], "mention_everyone": True}
    discord = normalised(message(**changes)).event.discord
    assert (list(discord.mentions), list(discord.mention_roles), discord.mention_everyone) == (
        ["5", "4"],
        ["8", "9"],
        True,
    )


def test_a_reply_names_what_it_answers() -> None:
    """The parent event, and of the message what Discord sent along."""
    event = normalised(
        message(
            type=19,
            message_reference={"message_id": "77", "channel_id": CHANNEL, "guild_id": GUILD},
            referenced_message={"id": "77", "content": "first", "author": {"id": "4"}},
        )
    ).event
    assert event.discord.message_type == 19
    assert event.routing.conversation.parent_event_id == "discord:message:77"
    assert event.discord.referenced_message == event_pb2.DiscordMessageReference(
        message_id="77", channel_id=CHANNEL, author_id="4", content="first"
    )


def test_a_reply_to_a_deleted_message_still_names_it() -> None:
    """`referenced_message` is null then."""
    event, odd = normalised(
        message(type=19, message_reference={"message_id": "77", "channel_id": CHANNEL}, referenced_message=None)
    )
    assert odd == []
    assert event.discord.referenced_message.message_id == "77"
    assert not event.discord.referenced_message.HasField("content")


def test_a_forwarded_message_brings_its_text_and_is_no_reply() -> None:
    """What was forwarded stands in the snapshot."""
    reference = {"type": 1, "message_id": "77", "channel_id": "201"}
    event = normalised(
        message(content="", message_reference=reference, message_snapshots=[{"message": {"content": "from afar"}}])
    ).event
    assert event.discord.referenced_message.content == "from afar"
    assert not event.routing.conversation.HasField("parent_event_id")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ...}, "id"),
        ({"id": "abc"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "²"}, "id"),
        ({"id": True}, "id"),
        ({"id": "1" * 21}, "id"),
        ({"channel_id": None}, "channel_id"),
        ({"author": ...}, "author.id"),
        ({"author": []}, "author.id"),
        ({"author": {"username": "x"}}, "author.id"),
    ],
)
def test_without_its_ids_a_payload_is_malformed(changes: dict[str, Any], field: str) -> None:
    """The error names the field and carries the ids there are."""
    with pytest.raises(MalformedPayloadError, match=f"^{field} is missing") as caught:
        normalised(message(**changes))
    assert caught.value.ids["guild_id"] == GUILD


@pytest.mark.parametrize(
    ("changes", "odd"),
    [
        ({"content": None}, ["content"]),
        ({"content": 5}, ["content"]),
        ({"content": ...}, ["content"]),
        ({"timestamp": "yesterday"}, ["timestamp"]),
        ({"timestamp": "2026-11-22T10:00:00"}, ["timestamp"]),
        ({"timestamp": ...}, ["timestamp"]),
        ({"guild_id": "x"}, ["guild_id"]),
        ({"type": "0"}, ["type"]),
        ({"type": -1}, ["type"]),
        ({"mentions": {}, "mention_roles": 3}, ["mention_roles"]),
        ({"mentions": [{"id": "5"}, None, "x"]}, ["mentions"]),
        ({"member": "x", "author": {"id": ADA, "username": 3}}, ["author.name"]),
        ({"attachments": "x"}, ["attachments"]),
        ({"attachments": [3, {"id": "1", "size": -1, "filename": None, "url": 4}]}, None),
        ({"attachments": [{"id": str(n)} for n in range(101)]}, ["attachments"]),
        ({"message_reference": "x"}, ["message_reference"]),
        ({"message_reference": {"message_id": "1"}, "referenced_message": 4}, ["referenced_message"]),
        ({"thread": 4}, ["thread"]),
        ({"content": "x" * 100_001}, ["content"]),
    ],
)
def test_an_odd_field_is_left_out_and_named(changes: dict[str, Any], odd: list[str] | None) -> None:
    """The event goes out without it, and is one that the orchestrator takes."""
    event, found = normalised(message(**changes))
    assert found == (odd if odd is not None else ["attachments", "attachments.size", "attachments.url"])
    assert from_proto(event).event_id == "discord:message:1441700000000000001"


def test_without_a_timestamp_the_message_id_tells_the_time() -> None:
    """A snowflake holds milliseconds since Discord's epoch; the id is the example of Discord's reference."""
    event = normalised(message(id="175928847299117063", timestamp=...)).event
    assert event.timestamp.ToDatetime(tzinfo=UTC) == datetime(2016, 4, 30, 11, 18, 25, 796000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"type": 19}, None),
        ({"type": 9_999}, None),
        ({"author": {"id": "901"}}, "own"),
        ({"author": {"id": "901", "bot": True}}, "own"),
        ({"author": {"id": "5", "bot": True}}, "bot"),
        ({"webhook_id": "6"}, "webhook"),
        ({"type": 7}, "system"),
        ({"author": None}, None),
    ],
)
def test_what_no_person_said_is_ignored(changes: dict[str, Any], reason: str | None) -> None:
    """Own messages, bots, webhooks and Discord's own notices; unknown types are not among them."""
    assert ignored_reason(message(**changes), "901") == reason


def test_the_types_taken_are_those_people_write() -> None:
    """Of all that discord.py knows, these are forwarded: the others are notices."""
    taken = {kind.name for kind in MessageType if ignored_reason(message(type=kind.value), "901") is None}
    assert taken == {"default", "reply", "chat_input_command", "context_menu_command"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "name", "type"]), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(message(thread=1, message_reference=1, referenced_message=1))), _json))
def test_no_payload_does_anything_but_pass_or_be_malformed(changes: dict[str, Any]) -> None:
    """Whatever stands in a field, the event is valid or the payload is refused with a reason."""
    payload = message(**changes)
    ignored_reason(payload, "901")
    try:
        event = normalised(payload).event
    except MalformedPayloadError:
        return
    assert from_proto(event).source_user_id
