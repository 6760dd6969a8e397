"""The main job as a whole, as `make check-main-job` runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(300)
async def test_every_message_is_answered_once_and_in_order(root: Path) -> None:
    """201 messages over 11 channels, 20 of them with tools: each gets exactly one answer, in order within its channel."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(root / "tests" / "checks" / "main_job.py")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    outcome = json.loads(out.decode().splitlines()[-1])
    assert outcome["ok"] is True
    assert outcome["replies"] == 201
    assert outcome["p50_ms"] <= outcome["p99_ms"]
    assert all(outcome["trace_lines"].values())
