"""Servers that others wrote work from the configuration alone: other libraries, another language, older and newer revisions."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from botswain_execution.subprocess_runtime import SubprocessRuntime

Start = Callable[..., Awaitable[SubprocessRuntime]]
Entry = Callable[..., dict[str, Any]]
Until = Callable[[Callable[[], Any], str], Awaitable[None]]
SERVERS = Path(__file__).parent / "servers"
EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31"


def script(name: str) -> dict[str, Any]:
    return {"command": sys.executable, "args": [str(SERVERS / name)]}


async def up(runtime: SubprocessRuntime, until: Until) -> dict[str, Any]:
    await until(lambda: runtime.tools(), "the tools are listed")
    return {tool.name: tool for tool in runtime.tools()[0].tools}


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"])
async def test_every_revision_of_the_protocol_is_spoken(
    start_runtime: Start, quirky: Entry, until: Until, revision: str
) -> None:
    """A server that knows one revision only, be it the oldest or the newest, lists its tools and answers calls."""
    runtime = await start_runtime(old=quirky(env={"PROTOCOL": revision}))
    assert "echo" in await up(runtime, until)
    assert runtime.states()[0].protocol_version == revision
    result = await runtime.call("old", "echo", {"text": "hello"}, meta={"traceparent": "x"}, timeout=5)
    assert result.content[0].text == "hello"  # type: ignore[union-attr]


async def test_server_of_the_official_sdk(start_runtime: Start, until: Until) -> None:
    """Structured results arrive, and what a tool raises arrives as its error."""
    runtime = await start_runtime(sdk=script("sdk_server.py"))
    await up(runtime, until)
    result = await runtime.call("sdk", "add", {"a": 2, "b": 3}, meta={}, timeout=10)
    assert result.structured_content == {"result": 5}
    failed = await runtime.call("sdk", "fail", {}, meta={}, timeout=10)
    assert failed.is_error


async def test_server_of_fastmcp(start_runtime: Start, until: Until) -> None:
    """A fastmcp server works, whatever it prints while it starts."""
    runtime = await start_runtime(fast=script("fastmcp_server.py"))
    assert "multiply" in await up(runtime, until)
    result = await runtime.call("fast", "multiply", {"a": 2, "b": 3.5}, meta={}, timeout=10)
    assert result.structured_content == {"result": 7.0}


@pytest.fixture(scope="session")
def everything() -> Path:
    """The program of the reference server from npm, installed once a machine."""
    folder = Path(tempfile.gettempdir(), f"botswain-test-npm-{os.getuid()}", EVERYTHING.replace("/", "_"))
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node_modules" / ".bin" / "mcp-server-everything"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test workers want it too
        if not program.exists():
            command = [
                "npm",
                "install",
                "--prefix",
                str(folder),
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                EVERYTHING,
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=100)
    return program


@pytest.mark.needs("node", "npm")
async def test_server_from_npm(start_runtime: Start, until: Until, everything: Path) -> None:
    """The protocol's reference server, written in TypeScript, lists its tools and echoes."""
    runtime = await start_runtime(everything={"command": str(everything), "args": ["stdio"]})
    tools = await up(runtime, until)
    assert {"echo", "get-sum"} <= set(tools), sorted(tools)
    result = await runtime.call("everything", "echo", {"message": "hello"}, meta={}, timeout=10)
    assert "hello" in result.content[0].text  # type: ignore[union-attr]
    image = await runtime.call("everything", "get-tiny-image", {}, meta={}, timeout=10)
    assert "image" in {block.type for block in image.content}
