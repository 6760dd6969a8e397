"""The world's operations and what they tell."""

import base64
from pathlib import Path
from typing import Any

import pytest
from botswain_simulator.errors import StartError, WorldError
from botswain_simulator.models import Channel, Json, Message, Overwrite
from botswain_simulator.permissions import Permissions
from botswain_simulator.world import Draft, Event, World
from botswain_simulator.world.defaults import ADA_ID, BOT_ID, GUILD_ID, build_default, build_from, build_from_file

THUMB: Json = {"id": None, "name": "👍"}


@pytest.fixture
def general(world: World) -> Channel:
    return next(c for c in world.channels.values() if c.name == "general")


def say(world: World, channel: Channel, text: str) -> Message:
    return world.post(channel, world.user(ADA_ID), text)


def test_the_default_world_is_the_same_at_every_start() -> None:
    """Ids and the token can be written into a bot's settings."""
    worlds = [World(), World()]
    for each in worlds:
        build_default(each)
    first, second = ({c.id: c.name for c in each.channels.values()} for each in worlds)
    assert first == second
    assert worlds[0].application(BOT_ID).token == worlds[1].application(BOT_ID).token


def test_a_token_begins_with_the_bots_id_in_base64(world: World) -> None:
    """Clients read the application's id out of the token."""
    part = world.application(BOT_ID).token.split(".")[0]
    assert base64.urlsafe_b64decode(part + "==").decode() == BOT_ID


def test_a_reset_token_lets_nobody_in_any_more(world: World) -> None:
    """The old token is void, the new one stands for the same bot."""
    application = world.application(BOT_ID)
    old = application.token
    new = world.reset_token(application)
    assert old not in world.tokens
    assert world.tokens[new] is application


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, [9, 8, 7]),
        ({"before": 5}, [4, 3, 2]),
        ({"after": 5}, [8, 7, 6]),
        ({"around": 5}, [6, 5, 4]),
        ({"after": 8}, [9]),
        ({"before": 1}, [0]),
    ],
)
def test_history_is_cut_as_discord_cuts_it(
    world: World, general: Channel, bounds: dict[str, int], expected: list[int]
) -> None:
    """Newest first; `after` takes the oldest behind the bound, `around` both sides of it."""
    written = [say(world, general, str(n)) for n in range(10)]
    found = world.history(general, **{name: written[n].id for name, n in bounds.items()}, limit=3)  # type: ignore[arg-type]  # only id bounds
    assert [int(m.content) for m in found] == expected


def test_a_channel_forgets_its_oldest_messages_past_the_limit() -> None:
    """Memory stays bounded under load."""
    world = World(messages_per_channel=3)
    build_default(world)
    channel = next(c for c in world.channels.values() if c.name == "general")
    for number in range(5):
        say(world, channel, str(number))
    assert [m.content for m in channel.messages.values()] == ["2", "3", "4"]


def test_a_nonce_is_remembered_for_a_few_minutes_and_per_author(world: World, general: Channel, clock: Any) -> None:
    """The same nonce of the same author finds the first message until the window is over."""
    message = world.post(general, world.user(BOT_ID), Draft("x", nonce="n1"))
    assert world.find_by_nonce(general, BOT_ID, "n1") is message
    assert world.find_by_nonce(general, ADA_ID, "n1") is None
    clock.now += 301
    assert world.find_by_nonce(general, BOT_ID, "n1") is None


def test_a_reaction_counts_once_per_user(world: World, general: Channel, events: list[Event]) -> None:
    """Reacting twice changes nothing, and the last one to take it back takes the emoji away."""
    message = say(world, general, "hello")
    events.clear()
    assert world.react(general, message, world.user(ADA_ID), THUMB)
    assert not world.react(general, message, world.user(ADA_ID), THUMB)
    assert world.unreact(general, message, world.user(ADA_ID), THUMB)
    assert not message.reactions
    assert [e.name for e in events] == ["MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE"]


def test_a_thread_from_a_message_has_its_id_and_marks_it(world: World, general: Channel, events: list[Event]) -> None:
    """The thread is announced before the message that now carries it."""
    message = say(world, general, "hello")
    events.clear()
    thread = world.open_thread(general, world.user(ADA_ID), "talk", message=message)
    assert thread.id == message.id
    assert message.flags & 32
    assert [e.name for e in events][:2] == ["THREAD_CREATE", "MESSAGE_UPDATE"]
    with pytest.raises(WorldError, match="has a thread already"):
        world.open_thread(general, world.user(ADA_ID), "again", message=message)


def test_writing_in_an_archived_thread_opens_it_again(world: World, general: Channel) -> None:
    """As with Discord, unless it is locked."""
    thread = world.open_thread(general, world.user(ADA_ID), "talk")
    assert thread.thread is not None
    world.update_thread(thread, {"archived": True})
    say(world, thread, "back")
    assert not thread.thread.archived


def test_embedded_files_leave_the_list_of_attachments(world: World, general: Channel) -> None:
    """`attachment://name` becomes the file's address, and the file is shown only there."""
    file = world.upload(general.id, "a.png", "image/png", b"x")
    other = world.upload(general.id, "b.txt", "text/plain", b"y")
    embeds: list[Json] = [{"image": {"url": "attachment://a.png"}}]
    message = world.post(general, world.user(BOT_ID), Draft(embeds=embeds, attachments=[file, other]))
    assert message.embeds[0]["image"]["url"] == f"/attachments/{general.id}/{file.id}/a.png"
    assert message.attachments == [other]


def test_direct_conversations_are_one_per_pair(world: World) -> None:
    """Opening one again gives the same channel, from either side."""
    ada, bot = world.user(ADA_ID), world.user(BOT_ID)
    assert world.open_direct(ada, bot) is world.open_direct(bot, ada)


def test_an_overwrite_hides_a_channel_from_a_bot(world: World, general: Channel) -> None:
    """Denying VIEW_CHANNEL to the bot's own role takes every permission there."""
    guild = world.guild(GUILD_ID)
    role_id = guild.members[BOT_ID].roles[0]
    assert world.permissions_in(general, BOT_ID) & Permissions.SEND_MESSAGES
    world.set_overwrite(general, Overwrite(role_id, 0, 0, int(Permissions.VIEW_CHANNEL)), role_id)
    assert world.permissions_in(general, BOT_ID) == 0
    world.set_overwrite(general, Overwrite(BOT_ID, 1, int(Permissions.VIEW_CHANNEL), 0), BOT_ID)
    assert world.permissions_in(general, BOT_ID) & Permissions.SEND_MESSAGES


def test_a_world_can_be_described_in_json() -> None:
    """Users, bots and guilds by name; `count` makes many guilds alike."""
    world = World()
    build_from(
        world,
        {
            "users": [{"username": "ada"}],
            "bots": [{"username": "one", "privileged_intents": ["MESSAGE_CONTENT"]}, {"username": "two"}],
            "guilds": [
                {"name": "Fleet", "count": 3, "channels": ["deck", {"name": "hold", "topic": "cargo"}], "bots": ["two"]}
            ],
        },
    )
    assert [g.name for g in world.guilds.values()] == ["Fleet 1", "Fleet 2", "Fleet 3"]
    one, two = world.applications.values()
    assert world.guilds_of(one.id) == []
    assert len(world.guilds_of(two.id)) == 3
    assert one.privileged_intents == 1 << 15


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        ([], "must be an object"),
        ({"people": []}, "unknown people"),
        ({"users": []}, "the page speaks as the first"),
        ({"users": [{"username": "a"}], "guilds": [{}]}, r"guilds\[0\]\.name"),
        ({"users": [{"username": "a"}], "bots": [{"username": "b", "privileged_intents": ["ALL"]}]}, "MESSAGE_CONTENT"),
        ({"users": [{"username": "a"}, {"username": "a"}]}, "taken"),
        ({"users": 5}, "users: 5 must be a list"),
        ({"users": [{"username": "a", "id": "x"}]}, r"users\[0\]\.id: 'x' is not an id"),
        ({"users": [{"username": "a"}], "guilds": [{"name": "g", "channels": [{"name": "c", "type": 1}]}]}, "type: 1"),
    ],
)
def test_a_wrong_description_is_refused_with_its_place(description: object, complaint: str) -> None:
    """The message names the field and what would be right."""
    with pytest.raises(WorldError, match=complaint):
        build_from(World(), description)


def test_an_unreadable_world_file_is_a_start_error(tmp_path: Path) -> None:
    """Both a missing file and one that is not JSON."""
    folder = tmp_path
    with pytest.raises(StartError, match="can't be read"):
        build_from_file(World(), folder / "none.json")
    (folder / "bad.json").write_text("{")
    with pytest.raises(StartError, match="not JSON"):
        build_from_file(World(), folder / "bad.json")
