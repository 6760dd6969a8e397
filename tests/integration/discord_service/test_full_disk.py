"""The orchestrator is away and the disk is full: reading pauses, and goes on when there is room."""

from __future__ import annotations

import resource
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import Discord, Process, PublishOrchestrator, until

RunProcess = Callable[..., Awaitable[Process]]
ROOM = 256 * 1024
"""Bytes a file may have at first: some hundred events."""


def limit_files(process: Process, size: int) -> None:
    """No file of the process may grow beyond `size` bytes; writing fails then, as it does on a full disk."""
    _, hard = resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.mark.parametrize("room_first", [True, False], ids=["room comes first", "the orchestrator comes first"])
async def test_a_full_disk_stops_reading_and_loses_nothing(
    ledger: PublishOrchestrator, discord: Discord, run_process: RunProcess, tmp_path: Path, room_first: bool
) -> None:
    """`/ready` says that reading pauses. It goes on when there is room again, or when the orchestrator is back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await run_process(
        ledger.url, HEALTH_PORT=str(port), EVENT_LOG_RATE="0", OUTBOX_LIMIT="100", OUTBOX_DIR=str(tmp_path)
    )
    await until(lambda: discord.counts["identifies"] == 1 and ledger.requests, "the IDENTIFY and the stream")
    limit_files(process, ROOM)
    await ledger.stop()
    total = 8_000
    for number in range(total):
        discord.say(str(number), channel=discord.channel(("general", "random")[number % 2]))
    async with httpx.AsyncClient() as client:

        async def ready() -> dict[str, Any]:
            body: dict[str, Any] = (await client.get(f"http://127.0.0.1:{port}/ready")).json()
            return body

        await until(lambda: "outbox_file_refuses" in process.output, "the refusal")
        while (body := await ready())["shards"][0]["state"] != "reading paused":  # another process's state
            pass
        assert body["outbox"]["depth"] < total
        assert "orchestrator" in body["reasons"]
        if room_first:
            limit_files(process, resource.RLIM_INFINITY)
            while (await ready())["outbox"]["depth"] < total:
                pass
    await ledger.start()
    await until(lambda: len(ledger.events) == total, "every message")
    for first, name in enumerate(("general", "random")):
        got = [event.content for event in ledger.events if event.source_channel_id == discord.channel(name).id]
        assert got == [str(number) for number in range(first, total, 2)]
    assert discord.counts["connections"] == 1
