"""Unmodified Python clients, each a process of its own, log in, hear, answer, react and reconnect."""

from pathlib import Path
from typing import Any

import pytest
from botswain_simulator.world.defaults import BOT_ID

BOTS = Path(__file__).parent / "bots"
LIBRARIES = ("discordpy", "hikari", "disnake")


async def start_bot(run: Any, sim: Any, library: str) -> Any:
    program = await run(str(BOTS / f"{library}_bot.py"), sim.api_url, sim.gateway_url, sim.token)
    await program.line("ready")
    return program


@pytest.mark.parametrize("library", LIBRARIES)
async def test_a_client_logs_in_answers_reacts_and_resumes(run: Any, sim: Any, person: Any, library: str) -> None:
    """In a channel and in a direct conversation, with a file, an edit and reactions both ways; then its connection
    breaks, and what was said meanwhile is answered without a second IDENTIFY.
    """
    program = await start_bot(run, sim, library)
    message = await person.say("hello")
    await program.line("answered hello")
    direct = await person.call("POST", "/sim/dms", {"bot_id": BOT_ID})
    await person.say("psst", direct["id"])
    await program.line("answered psst")
    heard, answer = await person.read()
    assert [r["emoji"]["name"] for r in heard["reactions"]] == ["👍"]
    assert (answer["content"], answer["message_reference"]["message_id"]) == ("you said hello", message["id"])
    assert len(answer["attachments"]) == 1
    await person.call("PUT", f"/sim/channels/{person.general}/messages/{answer['id']}/reactions/%E2%9C%85", status=204)
    await program.line("reaction")
    assert (await person.call("POST", "/sim/faults", {"kind": "drop"}))["hits"] == 1
    await person.say("while away")
    await program.line("answered while away")
    assert (sim.stats.gateway["identifies"], sim.stats.gateway["resumes"]) == (1, 1)
    assert [entry for entry in sim.stats.recent_requests if entry["status"] >= 400] == []


async def test_discord_py_meets_op_7_and_op_9(run: Any, sim: Any, person: Any) -> None:
    """Told to reconnect it resumes; told that its session is invalid it identifies anew."""
    program = await start_bot(run, sim, "discordpy")
    await person.call("POST", "/sim/faults", {"kind": "reconnect"})
    await program.line("resumed")
    await person.call("POST", "/sim/faults", {"kind": "invalid_session", "resumable": False})
    while sim.stats.gateway["identifies"] < 2:
        await person.call("GET", "/health")
    await person.say("again")
    await program.line("answered again")


@pytest.mark.parametrize("library", ["discordpy", "disnake"])
async def test_a_clients_command_is_run(run: Any, sim: Any, person: Any, library: str) -> None:
    """Registered by the library, used by a person, answered in the channel."""
    await start_bot(run, sim, library)
    commands: list[dict[str, Any]] = []
    while not commands:
        commands = await person.call("GET", f"/sim/commands?channel_id={person.general}")
    options = [{"name": "a", "value": 40}, {"name": "b", "value": 2}]
    body = {
        "kind": "command",
        "command_id": commands[0]["id"],
        "channel_id": person.general,
        "options": options,
        "wait": 10,
    }
    assert (await person.call("POST", "/sim/interactions", body))["state"] == "answered"
    assert [m["content"] for m in await person.read()] == ["42"]


async def test_discord_py_opens_a_thread_and_gives_up_on_a_void_token(run: Any, sim: Any, person: Any) -> None:
    """It writes in the thread; close code 4004 reaches the library as what it is, and the program ends."""
    program = await start_bot(run, sim, "discordpy")
    message = await person.say("thread")
    await program.line("answered thread")
    assert [m["content"] for m in await person.read(message["id"])][-1] == "in the thread"
    await person.call("POST", "/sim/faults", {"kind": "reset_token"})
    await program.line("(ended)")
    assert any("4004" in line for line in program.lines), program.lines
