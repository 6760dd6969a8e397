"""discord-service and the orchestrator itself, each a process: claims, cursors, permits and what is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from botswain_proto.v1.event_pb2 import InternalEvent

from .conftest import SECRET, Discord, Process, until

RunProcess = Callable[..., Awaitable[Process]]


class Orchestrator:
    """orchestrator-service as a process, with a ledger in a file; no tool can be called."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "ledger.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    async def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "GRPC_PORT": str(self.port),
            "HTTP_PORT": "0",
            "DATABASE_URL": f"sqlite:///{self.file}",
            "EXECUTION_SERVICE_URL": "grpc://127.0.0.1:1",
            "SERVICE_AUTH_SECRET": SECRET,
            "LOG_LEVEL": "ERROR",
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "botswain_orchestrator", env=environment, stderr=asyncio.subprocess.DEVNULL
        )

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def contents(self) -> list[str]:
        """The recorded messages, in the order they were recorded."""
        if not self.file.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as ledger:
            rows = ledger.execute("SELECT payload FROM events ORDER BY id").fetchall()
        return [InternalEvent.FromString(payload).content for (payload,) in rows]


@pytest.fixture
async def orchestrator_process(tmp_path: Path) -> AsyncIterator[Orchestrator]:
    """A running orchestrator."""
    orchestrator = Orchestrator(tmp_path)
    await orchestrator.start()
    yield orchestrator
    await orchestrator.kill()


async def test_kills_and_a_hand_over_lose_nothing(
    orchestrator_process: Orchestrator, discord: Discord, run_process: RunProcess
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
