"""What people write on Discord reaches the orchestrator: the real client against the simulator, over real gRPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botswain_proto.v1.event_pb2 import CONTENT_TYPE_IMAGE, CONTENT_TYPE_REACTION, InternalEvent
from structlog.testing import capture_logs

from .conftest import Adapter, Discord, PublishOrchestrator, until

RunAdapter = Callable[..., Adapter]


@pytest.fixture
async def adapter(run_adapter: RunAdapter, orchestrator: PublishOrchestrator) -> Adapter:
    """A connected discord-service that publishes to `orchestrator`."""
    adapter = run_adapter(orchestrator.url)
    await adapter.connected()
    return adapter


async def arrival(orchestrator: PublishOrchestrator, message: Any) -> InternalEvent:
    """The event of a message."""
    wanted = f"discord:message:{message.id}"
    await until(lambda: any(event.event_id == wanted for event in orchestrator.events), wanted)
    return next(event for event in orchestrator.events if event.event_id == wanted)


async def test_a_guild_message_arrives_whole(
    adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Who, where, what, when, with the guild's name and the bot's ids."""
    message = discord.say("ahoy ⚓")
    event = await arrival(orchestrator, message)
    channel = discord.channel().id
    assert (event.content, event.source_user_id, event.source_user_name) == ("ahoy ⚓", discord.ada.id, "Ada")
    assert (event.source_event_id, event.source_channel_id) == (message.id, channel)
    assert event.routing.reply_channel_id == channel
    assert event.routing.conversation.conversation_id == f"discord:{discord.application.id}:{channel}"
    assert (event.discord.guild_id, event.discord.guild_name) == (discord.guild.id, "Harbour")
    assert (event.bot_id, event.discord.bot_user_id) == (discord.application.id, discord.application.user.id)
    assert (event.discord.shard.id, event.discord.shard.count) == (0, 1)
    assert event.timestamp.ToMilliseconds() == (int(message.id) >> 22) + 1_420_070_400_000


async def test_a_direct_message_arrives(adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator) -> None:
    """Without a guild, in the direct channel's own lane."""
    channel = discord.world.open_direct(discord.ada, discord.application.user)
    event = await arrival(orchestrator, discord.say("psst", channel=channel))
    assert not event.discord.HasField("guild_id")
    assert event.routing.conversation.conversation_id.endswith(f":{channel.id}")


async def test_a_thread_opened_while_running_is_known(
    adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """By THREAD_CREATE: a message in it names thread and parent."""
    thread = discord.world.open_thread(discord.channel(), discord.ada, "moorings")
    event = await arrival(orchestrator, discord.say("which berth?", channel=thread))
    assert (event.discord.thread.id, event.discord.thread.parent_id) == (thread.id, discord.channel().id)
    assert (event.discord.thread.name, event.routing.reply_thread_id) == ("moorings", thread.id)


async def test_a_reply_with_a_picture_arrives(
    adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """The message answered and the attachment are told."""
    first = discord.say("send a picture")
    picture = discord.world.upload(discord.channel().id, "sea.png", "image/png", b"pixels")
    event = await arrival(orchestrator, discord.say("", reply_to=first, attachments=[picture]))
    assert event.content_type == CONTENT_TYPE_IMAGE
    (attachment,) = event.attachments
    assert (attachment.filename, attachment.content_type, attachment.size) == ("sea.png", "image/png", 6)
    assert event.discord.referenced_message.content == "send a picture"
    assert event.routing.conversation.parent_event_id == f"discord:message:{first.id}"


async def test_bots_webhooks_and_notices_are_not_forwarded(
    adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Neither the bot's own words, nor another's, nor a join notice; what a person says next is."""
    other = discord.world.add_bot("parrot").user
    discord.world.add_member(discord.guild, other)
    discord.say("mine", author=discord.application.user)
    discord.say("polly", author=other)
    discord.say("hook", webhook_id="123456789012345678")
    discord.say("", type=7)
    last = discord.say("mine too")
    await arrival(orchestrator, last)
    assert [event.content for event in orchestrator.events] == ["mine too"]


async def test_without_the_content_intent_messages_arrive_empty(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Discord withholds the text; the event goes out all the same."""
    adapter = run_adapter(orchestrator.url, DISCORD_INTENTS="guilds,guild_messages")
    await adapter.connected()
    event = await arrival(orchestrator, discord.say("secret"))
    assert (event.content, event.source_user_id) == ("", discord.ada.id)


async def test_edits_are_counted_and_not_forwarded(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """They are logged for those who look closely."""
    await run_adapter(orchestrator.url).connected()
    message = discord.say("one")
    with capture_logs() as logs:
        discord.dispatch("MESSAGE_UPDATE", {"id": message.id, "channel_id": discord.channel().id})
        await arrival(orchestrator, discord.say("two"))
    assert "message_edited" in {line["event"] for line in logs}
    assert [event.content for event in orchestrator.events] == ["one", "two"]


async def test_reactions_to_the_bots_messages_are_forwarded(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Somebody's to the bot's own; not the bot's, nor what people say of each other's messages."""
    intents = "guilds,guild_messages,message_content,guild_reactions"
    await run_adapter(orchestrator.url, DISCORD_INTENTS=intents).connected()
    bot = discord.application.user
    theirs, own = discord.say("one"), discord.say("May I?", author=bot)
    anchor, custom = {"id": None, "name": "⚓"}, {"id": "77", "name": "aye"}
    for message, user, emoji in (
        (theirs, discord.ada, anchor),
        (own, bot, anchor),
        (own, discord.ada, anchor),
        (own, discord.ada, custom),
    ):
        discord.world.react(discord.channel(), message, user, emoji)
    await arrival(orchestrator, discord.say("two"))
    _, first, second, _ = orchestrator.events
    assert first.event_id == f"discord:reaction:{own.id}:{discord.ada.id}:⚓"
    assert (first.content_type, first.content) == (CONTENT_TYPE_REACTION, "⚓")
    assert (first.source_event_id, first.source_user_id) == (own.id, discord.ada.id)
    assert first.routing.conversation.conversation_id == orchestrator.events[0].routing.conversation.conversation_id
    assert first.discord.referenced_message.author_id == bot.id
    assert (second.discord.emoji, second.event_id) == ("aye:77", f"discord:reaction:{own.id}:{discord.ada.id}:aye:77")


MALFORMED = [
    ("MESSAGE_CREATE", {}),
    ("MESSAGE_CREATE", {"id": "77", "channel_id": None, "author": {"id": "5"}}),
    ("MESSAGE_CREATE", {"id": "77", "channel_id": "78", "author": "nobody"}),
    ("MESSAGE_CREATE", None),
    ("MESSAGE_CREATE", [1, 2]),
    ("MESSAGE_UPDATE", "x"),
    ("GUILD_CREATE", None),
    ("THREAD_LIST_SYNC", 5),
    ("READY", None),
    ("RESUMED", 3),
]


@pytest.mark.parametrize(("name", "data"), MALFORMED)
async def test_a_malformed_dispatch_does_not_end_the_shard(
    adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator, name: str, data: object
) -> None:
    """It is logged with what ids it has and skipped; the next message arrives over the same connection."""
    with capture_logs() as logs:
        discord.dispatch(name, data)
        await arrival(orchestrator, discord.say("still here"))
    (line,) = [line for line in logs if line["event"] == "payload_malformed"]
    assert (line["dispatch"], line["shard"]) == (name, 0)
    if isinstance(data, dict) and "id" in data:
        assert line["message_id"] == "77"
    assert discord.counts["connections"] == 1


@pytest.mark.parametrize(
    ("name", "data"),
    [("SOMETHING_NEW", {"a": 1}), ("MESSAGE_UPDATE", {}), ("MESSAGE_REACTION_ADD", {"emoji": 4}), ("GUILD_CREATE", {})],
)
async def test_an_unknown_or_odd_dispatch_is_passed_over(
    adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator, name: str, data: object
) -> None:
    """Nothing follows from it."""
    discord.dispatch(name, data)
    await arrival(orchestrator, discord.say("still here"))
    assert discord.counts["connections"] == 1


async def test_a_message_with_odd_fields_arrives_without_them(
    adapter: Adapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """What an event needs is there, the rest is left out."""
    odd = {"id": "77", "channel_id": "78", "author": {"id": "79", "username": 4}, "mentions": "x", "content": {"a": 1}}
    discord.dispatch("MESSAGE_CREATE", odd)
    await until(lambda: orchestrator.events, "the event")
    (event,) = orchestrator.events
    assert (event.event_id, event.content, event.source_user_id) == ("discord:message:77", "", "79")


async def test_only_the_shards_asked_for_are_run(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """The guild's shard gets the guild's messages; direct ones belong to shard 0."""
    shard = (int(discord.guild.id) >> 22) % 2
    one = run_adapter(orchestrator.url, SHARD_IDS=str(shard), SHARD_COUNT="2")
    await one.connected()
    event = await arrival(orchestrator, discord.say("ahoy"))
    assert (event.discord.shard.id, event.discord.shard.count) == (shard, 2)
    other = run_adapter(orchestrator.url, SHARD_IDS=str(1 - shard), SHARD_COUNT="2")
    await other.connected()
    await arrival(orchestrator, discord.say("ahoy again"))
    direct = discord.world.open_direct(discord.ada, discord.application.user)
    event = await arrival(orchestrator, discord.say("psst", channel=direct))
    assert event.discord.shard.id == 0
    assert {len(adapter.service.bot.shards) for adapter in (one, other)} == {1}
