"""The orchestrator is away for long: everything waits, within bounds, and comes in order."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import Discord, Process, PublishOrchestrator, until

RunProcess = Callable[..., Awaitable[Process]]


def peak_memory_mib(process: Process) -> float:
    """The most memory a process has had."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def outage(
    ledger: PublishOrchestrator, discord: Discord, run_process: RunProcess, events: int, **variables: str
) -> dict[str, Any]:
    """Let `events` messages come while the orchestrator is away, then start it again and let 200 a second come until what
    waits is no more than what comes; the figures.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await run_process(ledger.url, HEALTH_PORT=str(port), EVENT_LOG_RATE="0", **variables)
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    before = peak_memory_mib(process)
    channels = [discord.channel(name) for name in ("general", "random", "bots")]
    payload = {
        "type": 0,
        "timestamp": "2026-11-22T10:00:00.123000+00:00",
        "content": "hello there " * 10,
        "guild_id": discord.guild.id,
        "author": {"id": discord.ada.id, "username": "ada", "global_name": "Ada"},
    }
    said: dict[str, list[str]] = {channel.id: [] for channel in channels}
    at: dict[str, float] = {}

    def say(channel_id: str) -> None:
        message_id = discord.world.new_id()
        said[channel_id].append(message_id)
        at[message_id] = time.monotonic()
        discord.dispatch("MESSAGE_CREATE", {**payload, "id": message_id, "channel_id": channel_id})

    await until(lambda: ledger.requests, "the stream")
    await ledger.stop()
    async with httpx.AsyncClient() as client:

        async def outbox() -> dict[str, int]:
            body = (await client.get(f"http://127.0.0.1:{port}/ready")).json()
            waiting: dict[str, int] = body["outbox"]
            return waiting

        for number in range(events):
            say(channels[number % 3].id)
            if number % 2_000 == 1_999:
                while (await outbox())["depth"] < number + 1:  # noqa: ASYNC110 - another process's state
                    await asyncio.sleep(0.02)
        waiting = await outbox()
        started = time.monotonic()
        await ledger.start()
        await until(lambda: ledger.requests and ledger.events, "the first event")
        later = time.monotonic()
        number = events
        while (
            number < events + 200 or number % 50 or (await outbox())["depth"] > 100
        ):  # new events don't keep old ones waiting, nor the other way
            say(channels[number % 3].id)
            number += 1
            await asyncio.sleep(0.005)
        caught_up = time.monotonic()
        while (await outbox())["depth"]:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.05)
        drained = time.monotonic()
    got: dict[str, list[str]] = {}
    for event in ledger.events:
        got.setdefault(event.source_channel_id, []).append(event.source_event_id)
    assert got == said
    assert sum(map(len, got.values())) == number >= events
    return {
        "events": events,
        "in_file": waiting["on_disk"],
        "events_meanwhile": number - events,
        "seconds_to_catch_up": round(caught_up - started, 1),
        "seconds_to_drain": round(drained - started, 1),
        "seconds_after_the_last": round(drained - max(at.values()), 1),
        "first_after": round(later - started, 1),
        "mib_before": round(before),
        "mib_at_most": round(peak_memory_mib(process)),
    }


async def test_more_than_memory_holds_waits_in_a_file(
    ledger: PublishOrchestrator, discord: Discord, run_process: RunProcess, tmp_path: Path
) -> None:
    """In order, with what comes while it drains, and without a trace of the file afterwards."""
    figures = await outage(ledger, discord, run_process, 6_000, OUTBOX_LIMIT="500", OUTBOX_DIR=str(tmp_path))
    assert figures["in_file"] > 3_000
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib's is for threads only


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_minutes_at_200_messages_a_second(
    ledger: PublishOrchestrator, discord: Discord, run_process: RunProcess, tmp_path: Path
) -> None:
    """120,000 events: none is lost, order holds, the process stays below 256 MiB, and catches up while more come."""
    figures = await outage(ledger, discord, run_process, 120_000, OUTBOX_DIR=str(tmp_path))
    print(json.dumps(figures))
    assert figures["in_file"] > 100_000
    assert figures["mib_at_most"] < 256
