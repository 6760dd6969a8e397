"""The short form of `make chaos`: a fixed plan."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

FAULTS = (
    "kill-discord",
    "kill-orchestrator",
    "kill-execution",
    "kill-mcp-server",
    "hand-over",
    "dropped-connection",
    "reconnect-request",
    "rest-5xx-hidden",
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("layout", ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
async def test_every_message_is_answered_once_while_processes_are_killed(root: Path, layout: str) -> None:
    """Each process is killed under load, one is rolled over, connections break: nothing is lost, doubled or out of order."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chaos", "--layout", layout, "--seed", "3", "--steps", str(len(FAULTS))),
        *("--rate", "20", "--spacing", "8", "--faults", *FAULTS),
        env={**os.environ, "PYTHONPATH": str(root / "tests" / "lib")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    outcome = json.loads(out.decode().splitlines()[-1])
    assert outcome["ok"] is True
    assert outcome["answered_once"] == outcome["issued"]
    assert (outcome["lost"], outcome["doubled"], outcome["out_of_order"]) == (0, 0, 0)
    assert outcome["kills"] == 4
    assert set(outcome["faults"]) == set(FAULTS)
