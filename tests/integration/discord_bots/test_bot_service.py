"""A bot as a service in a process of its own."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from botswain_services import LaunchError, ServiceCallError
from dice_bot import DiceBot


@pytest.fixture
async def dice(sim):
    manager = await asyncio.to_thread(
        lambda: DiceBot.launch(port=0, progress_bar=False, token=sim.simulator.token, plus=10)
    )
    yield manager
    await asyncio.to_thread(manager._launched.end)


async def test_a_command_answers_the_same_to_people_and_programs(sim, dice):
    """The slash command in Discord, the generated client, and the MCP tool; launch() returned with the bot connected."""
    assert (await dice.aget_bot_status()).status == "connected"
    assert (await sim.command("add", a=2, b=3))["content"] == "15"
    assert (await dice.aexecute_command(content="/add 2 b:3")).response == "15"
    async with dice.mcp_client as client:
        answer = await client.call_tool("execute_command", {"payload": {"content": "add", "options": {"a": 2}}})
        assert answer.structured_content["response"] == "13"


async def test_status_and_commands_are_told(sim, dice):
    """With names, counts, options and flags."""
    status = await dice.aget_bot_status()
    assert (status.bot_name, status.guild_count) == ("botswain", 1)
    commands = (await dice.aget_commands()).commands
    assert [command["name"] for command in commands] == ["add", "purge"]
    assert commands[0]["parameters"][0] == {
        "name": "a",
        "description": "one",
        "type": "integer",
        "required": True,
        "choices": [],
    }


async def test_refusals_are_errors_of_the_call(sim, dice):
    """Unknown, wrong and not permitted; a caller with the permission is let in."""
    for content, status in (("walk", 404), ("add x", 422), ("purge", 403)):
        with pytest.raises(ServiceCallError) as caught:
            await dice.aexecute_command(content=content)
        assert caught.value.status_code == status
    ids = {"channel_id": int(sim.channel.id), "guild_id": int(sim.guild.id)}
    owner = int(sim.guild.owner_id)
    answer = await dice.aexecute_command(content="purge", author_id=owner, **ids)
    assert answer.response == "purged"


async def test_the_token_is_in_neither_command_line_nor_log(sim, dice):
    """Of the launched process."""
    token = sim.simulator.token
    files = [Path(f"/proc/{dice._launched.process.pid}/cmdline"), Path(DiceBot.default_log_file())]
    command_line, log = await asyncio.to_thread(lambda: [file.read_text() for file in files])
    assert token not in command_line
    assert log
    assert token not in log


async def test_a_bad_token_is_reported_by_launch(sim):
    """With what to mend, without the token."""
    with pytest.raises(LaunchError, match="refused the token") as caught:
        await asyncio.to_thread(lambda: DiceBot.launch(port=0, progress_bar=False, token="wrong-token-here"))
    assert "wrong-token" not in str(caught.value) + caught.value.worker_traceback


async def test_a_bot_that_does_not_connect_in_time_is_an_error(sim, monkeypatch):
    """An API that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("DISCORD_API_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(LaunchError, match="not connected to Discord"):
            await asyncio.to_thread(lambda: DiceBot.launch(port=0, progress_bar=False, token="t", timeout=3))


def test_more_than_one_worker_is_refused():
    """Each would answer."""
    with pytest.raises(LaunchError, match="one process"):
        DiceBot.launch(port=0, num_workers=2)
