"""discord-service and the orchestrator itself, each a process: claims, cursors, permits and what is recorded."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from .conftest import Discord, OrchestratorProcess, Process, until

RunProcess = Callable[..., Awaitable[Process]]


async def test_kills_and_a_hand_over_lose_nothing(
    orchestrator_process: OrchestratorProcess, discord: Discord, run_process: RunProcess
) -> None:
    """A holder is killed, the orchestrator is killed, a holder is told to stop: recorded once and in order, with one IDENTIFY."""
    orchestrator = orchestrator_process
    first = await run_process(orchestrator.url)
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    said: list[str] = []

    async def say(count: int) -> None:
        for _ in range(count):
            said.append(str(len(said)))
            discord.say(said[-1])
            await asyncio.sleep(0.005)

    await say(60)
    await until(lambda: len(orchestrator.contents()) == 60, "the first messages")
    second = await run_process(orchestrator.url)
    await until(lambda: "claim_standby" in second.output, "the standby")
    await say(40)
    first.process.kill()
    await first.exit_code()
    await say(40)
    await until(lambda: discord.counts["resumes"] == 1, "the RESUME after the kill")
    await say(20)
    await orchestrator.kill()
    await say(40)
    await orchestrator.start()
    await until(lambda: orchestrator.contents() == said, "every message, in order")
    third = await run_process(orchestrator.url)
    await until(lambda: "claim_standby" in third.output, "the standby")
    second.process.send_signal(signal.SIGTERM)
    await say(40)
    assert await second.exit_code() == 0
    await until(lambda: discord.counts["resumes"] == 2, "the RESUME after the hand-over")
    await say(20)
    await until(lambda: orchestrator.contents() == said, "every message, in order")
    assert discord.counts["identifies"] == 1
