"""A bot of one's own in this process."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
from botswain_discord import DiscordClient, DiscordEventHandler, DiscordEventType, DiscordRefusedError

from .conftest import until


class Recorder(DiscordEventHandler):
    def __init__(self):
        self.seen = []

    async def handle(self, event_type, **kwargs):
        self.seen.append((event_type, kwargs))

    def types(self):
        return [event_type for event_type, _ in self.seen]


@asynccontextmanager
async def running(client):
    task = asyncio.create_task(client.start_bot())
    try:
        async with asyncio.timeout(30):
            await client.wait_until_ready()
        yield
    finally:
        await client.stop_bot()
        await task


async def test_slash_commands_are_answered_and_refused(sim):
    """What a handler returns is the answer; a refusal and a failure are seen by the caller only."""
    client = DiscordClient(token=sim.simulator.token)
    errors = Recorder()
    client.register_event_handler(DiscordEventType.ERROR, errors)

    async def echo(interaction, text: str):
        await interaction.response.send_message(f"{interaction.user.name}: {text}")

    def fail():
        raise RuntimeError("a secret reason")

    client.register_command("echo", "Repeat", "/echo text", echo)
    client.register_command("fail", "Fail", "/fail", fail)
    client.register_command("off", "Never", "/off", lambda: "on", enabled=False)
    client.register_command("slow", "Once", "/slow", lambda: "once", cooldown=600)
    client.register_command("ban", "Ban", "/ban", lambda: "banned", permissions=["ban_members"])
    async with running(client):
        assert await sim.command("echo", text="hi") == {"state": "answered", "content": "grace: hi", "ephemeral": False}
        failed = await sim.command("fail")
        assert failed["ephemeral"]
        assert "secret" not in failed["content"]
        await until(lambda: errors.seen)
        assert str(errors.seen[0][1]["error"]) == "a secret reason"
        assert (await sim.command("off")) == {"state": "answered", "content": "/off is disabled.", "ephemeral": True}
        assert (await sim.command("slow"))["content"] == "once"
        again = await sim.command("slow")
        assert "cooling down" in again["content"]
        assert again["ephemeral"]
        banned = await sim.command("ban", user="grace")
        assert "ban members" in banned["content"]
        assert banned["ephemeral"]


async def test_a_slow_handler_is_announced(sim, monkeypatch):
    """Discord is told to wait, and gets the answer later."""
    monkeypatch.setattr("botswain_discord.discord_client.DEFER_AFTER", 0.01)
    client = DiscordClient(token=sim.simulator.token)

    async def think(interaction):
        await until(interaction.response.is_done)
        return "thought"

    client.register_command("think", "Think", "/think", think)
    async with running(client):
        assert (await sim.command("think"))["content"] == "thought"


async def test_events_reach_their_handlers_as_objects(sim):
    """With the documented keywords; a handler that fails becomes an ERROR and doesn't keep others from theirs."""
    recorder = Recorder()

    class Failing(DiscordEventHandler):
        async def handle(self, event_type, **kwargs):
            raise ValueError("broken")

    client = DiscordClient(token=sim.simulator.token)
    client.register_event_handler(DiscordEventType.MESSAGE, Failing())
    for event_type in DiscordEventType:
        client.register_event_handler(event_type, recorder)
    client.register_command("ping", "Ping", "/ping", lambda: "pong")
    async with running(client):
        message = sim.say("hello")
        await until(lambda: DiscordEventType.ERROR in recorder.types())
        sim.world.delete(sim.channel, message)
        await until(lambda: DiscordEventType.MESSAGE_DELETE in recorder.types())
        await sim.command("ping")
        await until(lambda: DiscordEventType.COMMAND in recorder.types())
    assert recorder.types()[0] is DiscordEventType.READY
    heard = next(about for event_type, about in recorder.seen if event_type is DiscordEventType.MESSAGE)
    assert heard["message"].author.name == "ada"
    error = next(about for event_type, about in recorder.seen if event_type is DiscordEventType.ERROR)
    assert (str(error["error"]), error["source"]) == ("broken", DiscordEventType.MESSAGE)


async def test_a_command_registered_while_running_can_be_used(sim):
    """It is told to Discord at once."""
    client = DiscordClient(token=sim.simulator.token)
    async with running(client):
        client.register_command("late", "Late", "/late", lambda: "better than never")
        application = next(iter(sim.world.applications.values()))
        await until(lambda: application.commands)
        assert (await sim.command("late"))["content"] == "better than never"


async def test_without_a_token_it_does_not_start(sim):
    """And says what to set."""
    with pytest.raises(DiscordRefusedError, match="DISCORD_BOT_TOKEN"):
        await DiscordClient().start_bot()


async def test_a_refused_token_is_not_repeated(sim, monkeypatch):
    """Neither given in code nor in the environment."""
    monkeypatch.setenv("DISCORD_BOT_TOKEN", "wrong-token-of-the-test")
    with pytest.raises(DiscordRefusedError, match="refused the token") as caught:
        await DiscordClient().start_bot()
    assert "wrong-token" not in str(caught.value)


async def test_a_bot_can_start_again(sim):
    """After it was stopped."""
    client = DiscordClient(token=sim.simulator.token)
    client.register_command("ping", "Ping", "/ping", lambda: "pong")
    for _ in range(2):
        async with running(client):
            assert client.is_ready
            assert (await sim.command("ping"))["content"] == "pong"
        assert not client.is_ready


async def test_a_bot_that_is_still_connecting_can_be_stopped(sim, monkeypatch):
    """`start_bot()` returns, also when Discord never answered."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("DISCORD_API_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        client = DiscordClient(token="t")
        task = asyncio.create_task(client.start_bot())
        await until(lambda: client._running is not None)
        await client.stop_bot()
        async with asyncio.timeout(10):
            await task
