"""What becomes of a session and of the messages for each way in which Discord ends a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botswain_discord import DiscordRefusedError

from .conftest import Adapter, Discord, PublishOrchestrator, until

RunAdapter = Callable[..., Adapter]

KEEPS = [
    {"kind": "drop"},
    {"kind": "reconnect"},
    {"kind": "invalid_session", "resumable": True},
    *({"kind": "close", "code": code} for code in (4000, 4001, 4002, 4003, 4005, 4008)),
]
"""The session is there for a RESUME."""
ENDS = [
    {"kind": "expire_sessions"},
    {"kind": "invalid_session", "resumable": False},
    *({"kind": "close", "code": code} for code in (1000, 1001, 4007, 4009)),
]
"""Discord has forgotten the session."""
REFUSES = {
    4004: "DISCORD_BOT_TOKEN",
    4010: "SHARD_IDS",
    4011: "SHARD_COUNT",
    4012: "newer release",
    4013: "DISCORD_INTENTS",
    4014: "DISCORD_INTENTS",
}
"""There is no use in coming back."""


def name(spec: dict[str, Any]) -> str:
    return "-".join(str(value) for value in spec.values())


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Op 9 is followed by an IDENTIFY almost at once."""
    monkeypatch.setattr("botswain_discord.shards.INVALID_SESSION_WAIT", (0.05, 0.05))


async def through(discord: Discord, ledger: PublishOrchestrator, spec: dict[str, Any]) -> None:
    """A message before the end of a connection, two while there is none, and one after: each arrives once, in order."""
    discord.say("before")
    await until(lambda: ledger.events, "the first message")
    before = discord.counts["connections"]
    await discord.fault(**spec)
    discord.say("meanwhile")
    discord.say("and more")
    await until(lambda: discord.counts["connections"] > before, "the next connection")
    discord.say("after")
    expected = ["before", "meanwhile", "and more", "after"]
    await until(lambda: len(ledger.events) == len(expected), "every message")
    assert [event.content for event in ledger.events] == expected


@pytest.mark.parametrize("spec", KEEPS, ids=name)
async def test_a_session_that_is_kept_is_resumed(
    run_adapter: RunAdapter, discord: Discord, ledger: PublishOrchestrator, spec: dict[str, Any]
) -> None:
    """No IDENTIFY is spent."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    await through(discord, ledger, spec)
    await adapter.status(200)
    assert (discord.counts["identifies"], discord.counts["resumes"]) == (1, 1)


@pytest.mark.parametrize("spec", ENDS, ids=name)
async def test_a_session_that_is_gone_is_begun_anew(
    run_adapter: RunAdapter, discord: Discord, ledger: PublishOrchestrator, spec: dict[str, Any]
) -> None:
    """One IDENTIFY, permitted before; what came in between is fetched. The cursor follows the new session."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    await through(discord, ledger, spec)
    await adapter.status(200)
    assert (discord.counts["identifies"], discord.counts["resumes"]) == (2, 0)
    assert ledger.coordination is not None
    cursors = ledger.coordination.cursors
    (session,) = discord.simulator.hub.sessions.values()
    await until(lambda: cursors[1, 0].session_id == session.id, "the new session's cursor")


@pytest.mark.parametrize(("code", "setting"), REFUSES.items())
async def test_a_bot_that_is_refused_does_not_come_back(
    run_adapter: RunAdapter, discord: Discord, ledger: PublishOrchestrator, code: int, setting: str
) -> None:
    """The process ends, names what to mend, and everything that was read before is recorded."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    discord.say("before")
    await discord.fault(kind="close", code=code)
    failure = await adapter.failure()
    assert isinstance(failure, DiscordRefusedError)
    assert setting in str(failure)
    assert [event.content for event in ledger.events] == ["before"]
    assert discord.counts["connections"] == 1


@pytest.mark.parametrize(
    ("spec", "identifies"),
    [
        ({"kind": "drop"}, 1),
        ({"kind": "reconnect"}, 1),
        ({"kind": "invalid_session", "resumable": True}, 1),
        ({"kind": "close", "code": 4000}, 1),
        ({"kind": "invalid_session", "resumable": False}, 2),
        ({"kind": "close", "code": 4007}, 2),
        ({"kind": "close", "code": 4009}, 2),
    ],
    ids=lambda value: name(value) if isinstance(value, dict) else str(value),
)
async def test_a_resume_that_does_not_work_at_once(
    run_adapter: RunAdapter, discord: Discord, ledger: PublishOrchestrator, spec: dict[str, Any], identifies: int
) -> None:
    """A new process RESUMEs from the cursor, and Discord ends the connection: once more, or, where the session is gone, anew."""
    first = run_adapter(ledger.url)
    await first.connected()
    discord.say("before")
    await until(lambda: ledger.events, "the first message")
    await first.stop()
    discord.say("meanwhile")
    await discord.fault(when="resume", count=1, **spec)
    second = run_adapter(ledger.url)
    await second.connected()
    discord.say("after")
    expected = ["before", "meanwhile", "after"]
    await until(lambda: len(ledger.events) == len(expected), "every message")
    assert [event.content for event in ledger.events] == expected
    assert discord.counts["identifies"] == identifies
