"""The orchestrator as a process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

SECRET = "a-secret-for-these-tests-alone-32b"
DEADLINE = 20.0
_started: list[Process] = []


async def start(folder: Path, **variables: str) -> Process:
    """An orchestrator with its ledger in `folder`."""
    environment = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "VIRTUAL_ENV")}
    environment |= {
        "SERVICE_AUTH_SECRET": SECRET,
        "HTTP_PORT": "0",
        "GRPC_PORT": "0",
        "DATABASE_URL": f"sqlite:///{folder}/ledger.db",
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "botswain_orchestrator", cwd=folder, env=environment, stdout=PIPE, stderr=PIPE
    )
    _started.append(process)
    return process


async def line_of(process: Process, event: str) -> dict[str, Any]:
    """The first log line of that event."""
    assert process.stderr is not None
    async with asyncio.timeout(DEADLINE):
        while line := await process.stderr.readline():
            entry: dict[str, Any] = json.loads(line)
            if entry["event"] == event:
                return entry
    raise AssertionError(f"the process ended without {event}")


async def end_all() -> None:
    """End those that a test left behind when it failed."""
    while _started:
        process = _started.pop()
        if process.returncode is None:
            process.kill()
            await process.communicate()
