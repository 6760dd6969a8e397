"""A tool that a person has to approve, through every process: the bot asks, a reaction decides, also after a SIGKILL of all."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from urllib.parse import quote

import pytest
from botswain_execution.settings import shipped_config
from running_platform import RunningPlatform, SimEvent, running_platform

pytestmark = pytest.mark.timeout(300)

WRITE = 'call write_file {"path": "log.txt", "content": "Weighed anchor."}'


def needing_approval(folder: Path) -> dict[str, str]:
    """The shipped servers, of which `write_file` needs approval; as an environment."""
    shipped = shipped_config()
    document = json.loads(shipped.read_text())
    for server in document["mcpServers"].values():
        server["cwd"] = str(shipped.parent / server["cwd"])
    document["mcpServers"]["filesystem"]["approvalTools"] = ["write_file"]
    path = folder / "mcp_servers.json"
    path.write_text(json.dumps(document))
    return {"MCP_SERVERS_CONFIG": str(path)}


def by_the_bot(event: SimEvent, words: str) -> bool:
    return event.name == "message_create" and bool(event.data["author"].get("bot")) and words in event.data["content"]


async def asked(platform: RunningPlatform, channel: str) -> str:
    """Want the call; the id of the question, once both answers are offered under it."""
    async with platform.events() as events:
        await platform.say(channel, WRITE)
        question = await events.first(lambda one: by_the_bot(one, "**Approval needed** for `write_file`"))
        await events.first(lambda one: one.name == "reaction_add" and one.data["emoji"]["name"] == "❌")
    return str(question.data["id"])


async def react(platform: RunningPlatform, channel: str, message: str, emoji: str) -> None:
    await platform.sim("PUT", f"/channels/{channel}/messages/{message}/reactions/{quote(emoji)}")


async def test_a_reaction_decides(tmp_path: Path) -> None:
    """Refused, no file is written; approved, it is, and the bot says so. Between question and answer everything may be killed."""
    data = tmp_path / "data"
    written = data / "files/log.txt"
    environment = needing_approval(tmp_path)
    async with running_platform(data, environment=environment) as platform:
        channel = await platform.general()
        refused = await asked(platform, channel)
        async with platform.events() as events:
            await react(platform, channel, refused, "❌")
            await events.first(lambda one: by_the_bot(one, "I didn't make the call: refusing the call of write_file"))
        assert not written.exists()
        question = await asked(platform, channel)
        for part in ("orchestrator", "discord", "execution"):
            os.kill(platform.pid(part), signal.SIGKILL)
        for part in ("orchestrator", "discord", "execution"):
            await platform.until_log(lambda line, part=part: line["event"] == f"{part} is ready again")  # type: ignore[misc]
        async with platform.events() as events:
            await react(platform, channel, question, "✅")
            await events.first(lambda one: by_the_bot(one, "`write_file` says:"))
        assert written.read_text() == "Weighed anchor."
