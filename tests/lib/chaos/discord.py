"""The simulator: started once, never killed, and asked over its control API."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from chaos import layouts
from chaos.waiting import until

START_DEADLINE = 60.0
PAGE = 1000
NONCE_WINDOW = 65
"""Seconds for which the simulator remembers nonces: hardly longer than the platform relies on."""


class Discord:
    """The running simulator."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self.channels: list[str] = []
        """Ids of the channels and threads, those of different guilds by turns."""
        self._http = http
        self._guilds: list[str] = []

    async def sim(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control API."""
        response = await self._http.request(method, f"{self.url}/sim{path}", json=body)
        response.raise_for_status()
        return response.json() if response.content else None

    async def look_around(self) -> None:
        """Learn the channels."""
        state = await self.sim("GET", "/state")
        by_guild = [[str(channel["id"]) for channel in guild["channels"]] for guild in state["guilds"]]
        self.channels = [channel for row in zip(*by_guild, strict=True) for channel in row]
        self._guilds = [str(guild["id"]) for guild in state["guilds"]]

    async def say(self, channel_id: str, text: str) -> str:
        """Write as a person; the message's id."""
        message = await self.sim("POST", f"/channels/{channel_id}/messages", {"content": text})
        return str(message["id"])

    async def open_channel(self) -> None:
        """Make a channel, or every other time a thread."""
        number = len(self.channels)
        if number % 2:
            parent = self.channels[number // 2 % layouts.CHANNELS]
            made = await self.sim("POST", f"/channels/{parent}/threads", {"name": f"thread-{number}"})
        else:
            guild = self._guilds[number // 2 % len(self._guilds)]
            made = await self.sim("POST", f"/guilds/{guild}/channels", {"name": f"channel-{number}"})
        self.channels.append(str(made["id"]))

    async def fault(self, **spec: Any) -> dict[str, Any]:
        """Have something go wrong."""
        return dict(await self.sim("POST", "/faults", spec))

    async def until_connected(self, deadline: float) -> list[dict[str, Any]]:
        """Wait until a session is connected; those that are, none when that takes longer than `deadline` seconds."""

        async def look() -> list[dict[str, Any]]:
            return [one for one in await self.sim("GET", "/sessions") if one["connected"]]

        return await until(look, deadline)

    async def stats(self) -> dict[str, Any]:
        """Counts since the start."""
        return dict(await self.sim("GET", "/stats"))

    async def identifies_left(self) -> tuple[int, int]:
        """Of the day's IDENTIFYs, as Discord tells them: left, and in all."""
        response = await self._http.get(
            f"{self.url}/api/v10/gateway/bot", headers={"Authorization": f"Bot {layouts.TOKEN}"}
        )
        limit = response.raise_for_status().json()["session_start_limit"]
        return int(limit["remaining"]), int(limit["total"])

    async def said_by_the_bot(self) -> dict[str, list[str]]:
        """By channel, the bot's messages as they stand, oldest first."""
        return {channel: await self._said_in(channel) for channel in self.channels}

    async def _said_in(self, channel_id: str) -> list[str]:
        texts: list[str] = []
        after = "0"
        while page := await self.sim("GET", f"/channels/{channel_id}/messages?limit={PAGE}&after={after}"):
            page.sort(key=lambda message: int(message["id"]))
            texts += [message["content"] for message in page if message["author"].get("bot")]
            after = page[-1]["id"]
        return texts


@asynccontextmanager
async def running_discord(folder: Path, http: httpx.AsyncClient) -> AsyncIterator[Discord]:
    """A simulator with the world of `layouts`."""
    (folder / "world.json").write_text(layouts.world())
    port_file = folder / "simulator.port"
    with (folder / "simulator.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "botswain_simulator", "--port", "0", "--port-file", str(port_file)),
            *("--world", str(folder / "world.json"), "--rate-limits", "relaxed", "--nonce-window", str(NONCE_WINDOW)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        port = await until(partial(asyncio.to_thread, _read, port_file), START_DEADLINE)
        discord = Discord(f"http://127.0.0.1:{port}", http)
        await discord.look_around()
        yield discord
    finally:
        process.terminate()
        await process.wait()


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
