"""The service as a process of its own, with the shipped servers: how it starts, complains and ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from botswain_proto.v1 import execution_pb2, execution_pb2_grpc
from botswain_services.auth import TokenIssuer
from botswain_services.lifecycle import bind
from botswain_services.rpc import connect

Until = Callable[[Callable[[], Any], str], Awaitable[None]]
SECRET = "a secret that is long enough for HS256"


def free_port() -> int:
    listener = bind("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    listener.close()
    return port


def environment(**values: Any) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    return {**kept, "SERVICE_AUTH_SECRET": SECRET, **{key: str(value) for key, value in values.items()}}


async def start(env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "botswain_execution", env=env, stderr=asyncio.subprocess.PIPE, limit=1 << 20
    )


@pytest.fixture
async def shipped(tmp_path: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, str]]]:
    """The process with the shipped configuration, ready, with all three servers up; and its environment."""
    env = environment(HTTP_PORT=free_port(), GRPC_PORT=free_port(), FILESYSTEM_ROOT=tmp_path / "files")
    process = await start(env)
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = (await client.get(f"http://127.0.0.1:{env['HTTP_PORT']}/ready")).json()
                    if set(answer.get("servers", {"": ""}).values()) == {"available"}:
                        break
                await asyncio.sleep(0.05)
        yield process, env
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_shipped_servers_work_and_end_with_the_service(
    shipped: tuple[asyncio.subprocess.Process, dict[str, str]], until: Until, tmp_path: Path
) -> None:
    """Files are written, found and read; pages inside are refused; SIGTERM ends the service with 0 and every server with it."""
    process, env = shipped
    tokens = TokenIssuer(SECRET, issuer="test", audience="execution-service")
    peer = connect(f"grpc://127.0.0.1:{env['GRPC_PORT']}", tokens, variable="TEST")
    stub: Any = execution_pb2_grpc.ExecutionServiceStub(peer.channel)

    async def call(name: str, **arguments: Any) -> str:
        request = execution_pb2.CallToolRequest(name=name)
        request.arguments.update(arguments)
        response = await stub.CallTool(request, metadata=peer.metadata(), timeout=10)
        return ("error: " if response.is_error else "") + "".join(content.text for content in response.content)

    assert await call("write_file", path="notes/a.md", content="Hello\nworld\n") == "Wrote 12 bytes to notes/a.md."
    assert await call("read_file", path="notes/a.md") == "Hello\nworld\n"
    assert await call("list_directory") == "notes/"
    assert await call("search_files", text="WORLD") == "notes/a.md:2: world"
    assert "leads out of the folder" in await call("read_file", path="../x")
    assert "arguments.offset: -1 is less than the minimum of 0" in await call("read_file", path="x", offset=-1)
    refused = await call("fetch", url=f"http://127.0.0.1:{env['HTTP_PORT']}/tools")
    assert refused.startswith("error:")
    assert "is at a private address" in refused
    await peer.close()

    servers = psutil.Process(process.pid).children(recursive=True)
    assert len(servers) == 3
    process.send_signal(signal.SIGTERM)
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, stderr.decode()
    assert not [server for server in servers if server.is_running()]
    lines = [json.loads(line) for line in stderr.splitlines()]
    called = [line for line in lines if line["event"] == "tool_called"]
    assert {line["service"] for line in lines} == {"execution-service"}
    assert called[0]["trace_id"]


async def test_servers_end_when_the_service_is_killed(
    shipped: tuple[asyncio.subprocess.Process, dict[str, str]], until: Until
) -> None:
    """SIGKILL of the service ends its servers too: their input ends."""
    process, _ = shipped
    servers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    await process.wait()
    await until(lambda: not [server for server in servers if server.is_running()], "the servers have ended")


@pytest.mark.parametrize(
    ("values", "config", "words"),
    [
        ({}, '{"mcpServers": {"a": {"command": "x", "replicas": 0}}}', "mcpServers.a.replicas"),
        ({"SERVICE_AUTH_SECRET": ""}, "{}", "SERVICE_AUTH_SECRET still has its development default"),
    ],
)
async def test_wrong_settings_end_the_start_in_one_line(
    tmp_path: Path, values: dict[str, str], config: str, words: str
) -> None:
    """A mistake ends the process with 2 and a line that names it, without a traceback."""
    path = tmp_path / "servers.json"
    path.write_text(config)
    process = await start(environment(**{"HTTP_PORT": 0, "GRPC_PORT": 0, "MCP_SERVERS_CONFIG": path, **values}))
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert words in stderr.decode()
    assert "Traceback" not in stderr.decode()


async def test_taken_port_is_named(tmp_path: Path) -> None:
    """A port that is taken ends the start with 1 and says which, and no server is left."""
    path = tmp_path / "servers.json"
    path.write_text('{"mcpServers": {}}')
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    process = await start(environment(HTTP_PORT=0, GRPC_PORT=port, MCP_SERVERS_CONFIG=path))
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    listener.close()
    assert process.returncode == 1
    assert f"start-up: gRPC can't listen on 127.0.0.1:{port}" in stderr.decode()
