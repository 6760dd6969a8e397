"""Intents: which events a session gets, and what of a message it may read."""

import pytest
from botswain_simulator.intents import PRIVILEGED, Intents, required
from botswain_simulator.world import Event, World, rendering
from botswain_simulator.world.defaults import ADA_ID, BOT_ID


@pytest.mark.parametrize(
    ("name", "guild", "direct"),
    [
        ("MESSAGE_CREATE", Intents.GUILD_MESSAGES, Intents.DIRECT_MESSAGES),
        ("MESSAGE_REACTION_ADD", Intents.GUILD_MESSAGE_REACTIONS, Intents.DIRECT_MESSAGE_REACTIONS),
        ("TYPING_START", Intents.GUILD_MESSAGE_TYPING, Intents.DIRECT_MESSAGE_TYPING),
        ("GUILD_CREATE", Intents.GUILDS, 0),
        ("THREAD_CREATE", Intents.GUILDS, 0),
        ("GUILD_MEMBER_ADD", Intents.GUILD_MEMBERS, 0),
        ("PRESENCE_UPDATE", Intents.GUILD_PRESENCES, 0),
        ("INTERACTION_CREATE", 0, 0),
    ],
)
def test_each_event_asks_for_its_intent(name: str, guild: int, direct: int) -> None:
    """Guild events and direct ones have bits of their own; interactions need none."""
    assert required(name, in_guild=True) == guild
    assert required(name, in_guild=False) == direct


def test_the_privileged_intents_are_the_three_documented_ones() -> None:
    """Members, presences and message content."""
    assert PRIVILEGED == 1 << 1 | 1 << 8 | 1 << 15


@pytest.mark.parametrize(("content", "readable"), [("hello", False), (f"hello <@{BOT_ID}>", True)])
def test_without_message_content_only_mentions_are_readable(world: World, content: str, readable: bool) -> None:
    """In a guild the bot reads what mentions it and nothing else."""
    channel = next(c for c in world.channels.values() if c.name == "general")
    message = world.post(channel, world.user(ADA_ID), content)
    payload = rendering.message_for_bot(world, message, BOT_ID, 0)
    assert payload["content"] == (content if readable else "")
    assert rendering.message_for_bot(world, message, BOT_ID, Intents.MESSAGE_CONTENT)["content"] == content


def test_direct_messages_and_own_messages_are_always_readable(world: World) -> None:
    """The exceptions of the MESSAGE_CONTENT intent."""
    direct = world.open_direct(world.user(ADA_ID), world.user(BOT_ID))
    channel = next(c for c in world.channels.values() if c.name == "general")
    assert rendering.may_read(world.post(direct, world.user(ADA_ID), "psst"), BOT_ID, 0)
    assert rendering.may_read(world.post(channel, world.user(BOT_ID), "mine"), BOT_ID, 0)


def test_a_message_without_content_keeps_its_envelope(world: World, events: list[Event]) -> None:
    """Content, embeds, attachments and components go, also from the quoted message; ids, author and mentions stay."""
    channel = next(c for c in world.channels.values() if c.name == "general")
    world.post(channel, world.user(ADA_ID), "secret")
    bare = rendering.without_content(events[-1].data)
    assert (bare["content"], bare["embeds"], bare["attachments"], bare["components"]) == ("", [], [], [])
    assert bare["author"]["id"] == ADA_ID
    assert events[-1].data["content"] == "secret"
