"""The orchestrator with the real execution-service and its MCP servers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from botswain_proto.v1 import execution_pb2, execution_pb2_grpc, orchestrator_pb2
from botswain_services.auth import TokenIssuer
from botswain_services.rpc import connect

from .conftest import DEADLINE, SECRET, running


@pytest.fixture
async def execution_port(tmp_path: Path) -> AsyncIterator[int]:
    """The gRPC port of an execution-service whose Discord nobody answers for, and whose folder holds `notes.txt`."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "notes.txt").write_text("Weigh anchor at dawn.")
    environment = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "VIRTUAL_ENV")}
    environment |= {
        "SERVICE_AUTH_SECRET": SECRET,
        "HTTP_PORT": "0",
        "GRPC_PORT": "0",
        "FILESYSTEM_ROOT": str(files),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "botswain_execution", cwd=tmp_path, env=environment, stderr=PIPE
    )
    assert process.stderr is not None
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(2 * DEADLINE):
            while (entry := json.loads(await process.stderr.readline()))["event"] != "service_ready":
                pass
        reading = asyncio.create_task(_drained(process.stderr))  # a full pipe would stop it
        await _servers_up(entry["grpc"])
        yield entry["grpc"]
    finally:
        process.terminate()
        await process.wait()
        if reading is not None:
            await reading


async def _servers_up(port: int) -> None:
    tokens = TokenIssuer(SECRET, issuer="test", audience="execution-service")
    peer = connect(f"grpc://127.0.0.1:{port}", tokens, variable="TEST")
    stub = execution_pb2_grpc.ExecutionServiceStub(peer.channel)
    async with asyncio.timeout(2 * DEADLINE):
        while True:
            try:
                request = execution_pb2.ListToolsRequest()
                listed = await stub.ListTools(request, metadata=peer.metadata(), timeout=DEADLINE)
                if listed.servers and all(server.available for server in listed.servers):
                    break
            except grpc.aio.AioRpcError as error:  # no list before the required server's tools are known
                assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017
            await asyncio.sleep(0.05)
    await peer.close()


async def _drained(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


async def test_real_tools_are_listed_called_and_refused(tmp_path: Path, execution_port: int) -> None:
    """A file is read through MCP; wrong arguments come back as the schema's complaint; a send without a token fails."""
    async with running(tmp_path, execution_port) as orchestrator:

        async def post(text: str) -> str:
            body = {"thread_id": "t", "message": text, "correlation_id": text}
            response = await orchestrator.http.post("/process", json=body)
            return str(response.json()["response"])

        assert "Weigh anchor at dawn." in await post("read file notes.txt")
        assert "path" in await post('call read_file {"path": 5}')
        assert "path" in await post('call read_file {"file": "notes.txt"}')
        result = await orchestrator.ask("hello")
        assert result.delivery == orchestrator_pb2.DELIVERY_FAILED
