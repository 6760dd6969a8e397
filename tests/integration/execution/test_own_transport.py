"""How the shipped servers are served: pipes without threads, and nothing but MCP among the protocol's lines."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from .conftest import SERVERS, Running

StartService = Callable[..., Awaitable[Running]]
OWN = str(SERVERS / "own_transport.py")


@pytest.fixture
async def own(start_service: StartService) -> Running:
    """A service with that server."""
    running = await start_service(own={"command": sys.executable, "args": [OWN]})
    await running.available("own")
    return running


async def test_what_a_tool_prints_is_logged(own: Running) -> None:
    """It goes to stderr, wherever it comes from, and the answer arrives whole."""
    with capture_logs() as logs:
        answer = await own.call("chatter", {"text": "said"})
    assert (answer.content[0].text, answer.is_error) == ("said", False)
    texts = {line["text"] for line in logs if line["event"] == "mcp_server_stderr"}
    assert {"from the descriptor", "from a child"} <= texts
    assert not [line for line in logs if line["event"] == "mcp_server_noise"]


async def test_a_child_of_a_tool_does_not_read_the_protocol(own: Running) -> None:
    """Its input is at its end at once."""
    assert (await own.call("read_input")).content[0].text == ""


async def test_long_lines_and_many_calls_pass(own: Running) -> None:
    """Several megabytes in both directions, in calls side by side; text beyond ASCII stays what it was."""
    text = "ä→🚀" * 20_000
    answers = await asyncio.gather(*(own.call("repeat", {"text": text, "times": 4}) for _ in range(8)))
    assert all(answer.content[0].text == text * 4 for answer in answers)


async def test_it_ends_with_its_input() -> None:
    """Nobody has to kill it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, OWN, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_line("ping", 1))
    assert json.loads(await process.stdout.readline())["id"] == 1
    process.stdin.close()
    assert await process.wait() == 0


async def test_files_in_place_of_pipes_are_served_too(tmp_path: Path) -> None:
    """As a shell redirects them."""
    asked, said = tmp_path / "in", tmp_path / "out"
    asked.write_bytes(_line("ping", 1))
    with asked.open("rb") as source, said.open("wb") as target:
        process = await asyncio.create_subprocess_exec(sys.executable, OWN, stdin=source, stdout=target)
        assert await process.wait() == 0
    assert json.loads(said.read_text())["id"] == 1


def _line(method: str, number: int, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, **params}).encode() + b"\n"
