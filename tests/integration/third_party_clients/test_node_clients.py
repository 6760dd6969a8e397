"""Unmodified Node.js libraries against the simulator: they log in, receive, answer, react, edit, and take slash commands."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from botswain_simulator import Simulator

HERE = Path(__file__).parent / "node"
DEADLINE = 60.0

pytestmark = pytest.mark.needs("node", "npm")


@pytest.fixture(scope="session")
def node_bots(root: Path) -> Path:
    """A folder with the bots and their locked packages; installed once, kept between runs."""
    lock = (HERE / "package-lock.json").read_bytes()
    folder = root / ".tools" / f"node-clients-{hashlib.sha256(lock).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "installing").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        for source in HERE.iterdir():
            shutil.copy(source, folder)
        if not (folder / "installed").exists():
            install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (folder / "installed").touch()
    return folder


@asynccontextmanager
async def running(script: Path, sim: Simulator) -> AsyncIterator[dict[str, Any]]:
    """The bot's process, from when it says that it is ready; gives what it said."""
    env = {"PATH": os.environ["PATH"], "SIMULATOR": sim.url, "TOKEN": sim.token}
    process = await asyncio.create_subprocess_exec(
        "node", script.name, cwd=script.parent, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(DEADLINE):
            line = await process.stdout.readline()
        assert line, (await process.stderr.read()).decode()
        yield json.loads(line)
    finally:
        process.terminate()
        await process.communicate()


async def until(events: aiohttp.ClientResponse, name: str, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first event called `name` in the control API's stream that matches."""
    current = ""
    async with asyncio.timeout(DEADLINE):
        async for raw in events.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("event:"):
                current = line.removeprefix("event:").strip()
            elif line.startswith("data:") and current == name:
                data: dict[str, Any] = json.loads(line.removeprefix("data:"))
                if matches(data):
                    return data
    raise AssertionError(f"the event stream ended before {name}")


@pytest.mark.parametrize("script", ["discordjs_bot.mjs", "oceanic_bot.mjs"])
async def test_a_node_bot_answers_reacts_and_edits(script: str, node_bots: Path) -> None:
    """A bot on a stock Node.js library logs in, gets a message, replies, reacts and edits its reply."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        Simulator(port=0) as sim,
        aiohttp.ClientSession(sim.url, timeout=timeout) as http,
        running(node_bots / script, sim) as ready,
        http.get("/sim/events") as events,
    ):
        assert ready == {"ready": "botswain", "guilds": 1}
        channel = await channel_named(http, "general")
        async with http.post(f"/sim/channels/{channel}/messages", json={"content": "ping"}) as answer:
            asked = await answer.json()
        reply = await until(events, "message_create", lambda m: m["author"].get("bot", False))
        assert (reply["content"], reply["message_reference"]["message_id"]) == ("pong", asked["id"])
        edited = await until(events, "message_update", lambda m: m["id"] == reply["id"] and m["content"] == "pong!")
        assert edited["edited_timestamp"]
        async with http.get(f"/sim/channels/{channel}/messages?limit=2") as answer:
            _, original = await answer.json()
        assert [r["emoji"]["name"] for r in original["reactions"]] == ["👍"]


@pytest.mark.parametrize("script", ["discordjs_bot.mjs", "oceanic_bot.mjs"])
async def test_a_node_bot_takes_slash_commands(script: str, node_bots: Path) -> None:
    """A registered slash command, used by a person, is answered through its interaction."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        Simulator(port=0) as sim,
        aiohttp.ClientSession(sim.url, timeout=timeout) as http,
        running(node_bots / script, sim),
        http.get("/sim/events") as events,
    ):
        channel = await channel_named(http, "general")
        async with http.get(f"/sim/commands?channel_id={channel}") as answer:
            (command,) = await answer.json()
        use = {"kind": "command", "command_id": command["id"], "channel_id": channel}
        async with http.post("/sim/interactions", json=use) as answer:
            assert answer.status == 200, await answer.text()
        reply = await until(events, "message_create", lambda m: m["author"].get("bot", False))
        assert reply["content"] == "Hello, ada"


async def channel_named(http: aiohttp.ClientSession, name: str) -> str:
    """The id of a channel of the default guild."""
    async with http.get("/sim/state") as answer:
        state = await answer.json()
    return next(channel["id"] for channel in state["guilds"][0]["channels"] if channel["name"] == name)
