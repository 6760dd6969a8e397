"""Discord by the simulator, and bots in this process and in their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from botswain_simulator import Draft, Simulator

sys.path.insert(0, str(Path(__file__).parent))  # for dice_bot, which launched processes import


class Discord:
    """The simulated Discord, by what a person would do there."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.world = simulator.world
        self.ada = self.world.user_named("ada")
        self.guild = next(iter(self.world.guilds.values()))
        self.channel = next(channel for channel in self.world.channels.values() if channel.name == "general")

    def say(self, content: str) -> Any:
        return self.world.post(self.channel, self.ada, Draft(content))

    async def command(self, name: str, user: str = "grace", **options: Any) -> dict[str, Any]:
        """Use a slash command and wait for the answer: its state, `content` and whether only the user sees it."""
        async with httpx.AsyncClient(base_url=self.simulator.url) as client:
            listed = (await client.get("/sim/commands", params={"channel_id": self.channel.id})).json()
            body = {
                "kind": "command",
                "command_id": next(one["id"] for one in listed if one["name"] == name),
                "channel_id": self.channel.id,
                "username": user,
                "options": [{"name": key, "value": value} for key, value in options.items()],
                "wait": 10,
            }
            answered = await client.post("/sim/interactions", json=body)
            answered.raise_for_status()
            seen = answered.json()
        message = self.channel.messages[seen["response_message_id"]]
        return {"state": seen["state"], "content": message.content, "ephemeral": bool(message.flags & 64)}


async def until(condition: Callable[[], Any]) -> None:
    """Wait until `condition()` is true; fail after 30 s."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for is of many kinds
            await asyncio.sleep(0.005)


@pytest.fixture
async def sim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Discord]:
    """A running Discord; DISCORD_API_URL names it, and no token is set."""
    async with Simulator(port=0, rate_limits="off", identify_interval=0) as simulator:
        for name in ("BOTSWAIN_ENV", "SERVICE_AUTH_SECRET", "DISCORD_BOT_TOKEN", "API_GATEWAY_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SERVICE_STATE_DIR", str(tmp_path / "state"))
        monkeypatch.setenv("DISCORD_API_URL", simulator.api_url)
        yield Discord(simulator)
