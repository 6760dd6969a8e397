"""What a bot's commands take and refuse."""

from __future__ import annotations

import enum
from typing import Any, Literal

import discord
import pytest
from botswain_discord import CommandError, CommandRefusedError, DiscordClient, DiscordCommandInput
from botswain_discord.answers import answer_of, pieces
from botswain_discord.slash_commands import RegisteredCommand, split
from botswain_discord.types import DiscordCommand


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


async def roll(interaction: Any, sides: int, *, word: Literal["up", "down"] = "up", loud: bool = False) -> str:
    return f"{sides} {word} {loud}"


async def nothing(*_: Any) -> None:
    """Never called here."""


def make(handler: Any = roll, parameters: Any = None, clock: Any = lambda: 0.0, **about: Any) -> RegisteredCommand:
    command = DiscordCommand("roll", "Roll a die", "/roll sides", [], "General", **about)
    return RegisteredCommand(command, handler, parameters or {}, nothing, clock=clock)


def test_options_come_from_the_annotations() -> None:
    """Discord is told type, choices, whether it is required, and the description that was registered."""
    command = make(parameters={"sides": {"description": "how many"}}).slash
    options = {option["name"]: option for option in (one.to_dict() for one in command._params.values())}
    assert (options["sides"]["type"], options["sides"]["required"], options["sides"]["description"]) == (
        4,
        True,
        "how many",
    )
    assert [choice["value"] for choice in options["word"]["choices"]] == ["up", "down"]
    assert (options["loud"]["type"], options["loud"]["required"]) == (5, False)


def test_a_handler_of_keywords_takes_what_the_parameters_say() -> None:
    """`**kwargs` handlers get their options from `parameters` alone."""

    def handler(interaction: Any, **options: Any) -> Any:
        return options

    command = make(handler, {"many": {"type": "integer", "required": False}})
    assert command.describe()["parameters"][0]["type"] == "integer"
    assert command.parse(["7"], {}) == {"many": 7}
    assert command.parse([], {}) == {}


def test_words_become_options() -> None:
    """By name or in order; options given as data go first."""
    assert make().parse(["6", "loud:yes", "word=down"], {}) == {"sides": 6, "loud": True, "word": "down"}
    assert make().parse(["down"], {"sides": 4}) == {"sides": 4, "word": "down"}
    assert split('/say "two words" x') == ("say", ["two words", "x"])


def test_an_enum_comes_by_name() -> None:
    """As discord.py gives it to the handler."""

    def paint(colour: Colour) -> str:
        return colour.name

    assert make(paint).parse(["BLUE"], {}) == {"colour": Colour.BLUE}


@pytest.mark.parametrize(
    ("words", "given", "says"),
    [
        ([], {}, "sides is missing"),
        (["x"], {}, "not of type integer"),
        (["6", "sideways"], {}, "one of up, down"),
        (["6"], {"size": 1}, "no option size"),
        (["6", "up", "yes", "more"], {}, "one option too many"),
        ([], {"sides": True}, "not of type integer"),
        (["6", "up", "perhaps"], {}, "not of type boolean"),
    ],
)
def test_wrong_options_are_refused_by_name(words: list[str], given: dict[str, Any], says: str) -> None:
    """With 422 and the option."""
    with pytest.raises(CommandRefusedError, match=says) as caught:
        make().parse(words, given)
    assert caught.value.status_code == 422


def test_a_cooldown_is_each_callers_own_and_ends() -> None:
    """The seconds left are told."""
    now = [100.0]
    command = make(cooldown=5, clock=lambda: now[0])
    command.admit("ada", None)
    command.admit("grace", None)
    now[0] += 2
    with pytest.raises(CommandRefusedError, match="again in 3 s") as caught:
        command.admit("ada", None)
    assert caught.value.status_code == 429
    now[0] += 3
    command.admit("ada", None)


def test_permissions_are_asked_for() -> None:
    """All of them; an administrator has all; one whose permissions aren't known has none."""
    command = make(permissions=["manage_messages", "kick_members"])
    for held in (None, discord.Permissions(manage_messages=True)):
        with pytest.raises(CommandRefusedError, match="kick members"):
            command.admit("ada", held)
    command.admit("ada", discord.Permissions(manage_messages=True, kick_members=True))
    command.admit("ada", discord.Permissions(administrator=True))


def test_a_disabled_command_is_refused() -> None:
    """With 403."""
    with pytest.raises(CommandRefusedError, match="disabled"):
        make(enabled=False).admit("ada", None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "Two Words"}, "Two Words"),
        ({"description": ""}, "1 to 100"),
        ({"permissions": ["fly"]}, "fly"),
        ({"cooldown": -1}, "-1"),
        ({"parameters": {"missing": {}}}, "missing"),
        ({"parameters": {"sides": {"colour": 1}}}, "colour"),
        ({"aliases": ["taken"]}, "taken"),
    ],
)
async def test_what_discord_would_not_take_fails_at_registration(change: dict[str, Any], says: str) -> None:
    """With the value."""
    client = DiscordClient(token="t")
    client.register_command("taken", "d", "u", lambda: None)
    with pytest.raises(CommandError, match=says):
        client.register_command(**{"name": "roll", "description": "d", "usage": "u", "handler": roll, **change})
    assert [command.about.name for command in client.commands] == ["taken"]


async def test_an_alias_runs_the_command() -> None:
    """And an unknown name lists the known."""
    client = DiscordClient(token="t")
    client.register_command("roll", "d", "u", roll, aliases=["dice"])
    assert (await client.execute(DiscordCommandInput(content="/dice 6"))).response == "6 up False"
    with pytest.raises(CommandRefusedError, match="known: roll"):
        await client.execute(DiscordCommandInput(content="walk"))


def test_long_answers_are_split_without_losing_anything() -> None:
    """At lines where there are some."""
    text = "\n".join(["a" * 900] * 5)
    parts = pieces(text)
    assert "\n".join(parts) == text
    assert all(len(part) <= 2000 for part in parts)
    assert "".join(pieces("b" * 4500)) == "b" * 4500


def test_answers_are_what_handlers_return() -> None:
    """Text, an embed, a dict of both, nothing."""
    embed = discord.Embed(title="t")
    assert answer_of(3).text == "3"
    assert answer_of(embed).embed is embed
    assert answer_of({"response": "r", "embed": {"title": "t"}}).text == "r"
    assert answer_of(None).empty
