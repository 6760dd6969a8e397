"""A bot that crashes again and again, each time losing its sessions, must not spend the day's IDENTIFYs: that costs the token."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from botswain_simulator import Simulator

from .conftest import Discord, OrchestratorProcess, Process, until

RunProcess = Callable[..., Awaitable[Process]]
SHARDS = 16
A_DAY = 20
KEPT = 2
"""The orchestrator keeps a tenth."""


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    """A Discord that grants 20 IDENTIFYs a day, one for each of 16 shards at once."""
    async with Simulator(
        port=0, identify_interval=0.0, max_concurrency=SHARDS, rate_limits="off", session_start_limit=A_DAY
    ) as simulator:
        yield Discord(simulator)


async def test_a_crash_loop_never_spends_the_reserve(
    orchestrator_process: OrchestratorProcess, discord: Discord, run_process: RunProcess
) -> None:
    """Further IDENTIFYs are spaced, and refused at the reserve; `/ready` says for each shard why it waits."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shards = {"SHARD_IDS": ",".join(map(str, range(SHARDS))), "SHARD_COUNT": str(SHARDS), "HEALTH_PORT": str(port)}
    token = discord.application.token
    first = await run_process(orchestrator_process.url, **shards)
    await until(lambda: discord.counts["identifies"] == SHARDS, "each shard's IDENTIFY")
    first.process.kill()
    await first.exit_code()
    await discord.fault(kind="expire_sessions")
    await run_process(orchestrator_process.url, **shards)
    await until(lambda: discord.counts["identifies"] == A_DAY - KEPT, "the last that are permitted")
    async with httpx.AsyncClient() as client:

        async def reason() -> str:
            body: dict[str, Any] = (await client.get(f"http://127.0.0.1:{port}/ready")).json()
            return str(body.get("reasons", {}).get("discord"))

        while "2 of 20 IDENTIFYs are left today, and the last 2 are kept" not in await reason():
            pass
        assert (await reason()).count("waiting to identify") == SHARDS - (A_DAY - KEPT - SHARDS)
    assert discord.counts["identifies"] == A_DAY - KEPT
    assert discord.application.token == token
