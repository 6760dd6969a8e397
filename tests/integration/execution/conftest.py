"""A running ExecutionService with a client of it, and a stand-in for Discord whose answers a test scripts."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web
from botswain_execution.config import McpConfig, parse_config
from botswain_execution.service import ExecutionService
from botswain_execution.settings import ExecutionSettings
from botswain_execution.subprocess_runtime import SubprocessRuntime
from botswain_proto.v1 import execution_pb2, execution_pb2_grpc
from botswain_services.auth import TokenIssuer
from botswain_services.lifecycle import serve
from botswain_services.rpc import Peer, connect

SERVERS = Path(__file__).parent / "servers"
SECRET = "a secret that is long enough for HS256"
DEADLINE = 10.0


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for `condition`; fail naming `what` when it doesn't come."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - the condition is any function
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"not within {DEADLINE:g} s: {what}")


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], Any], str], Awaitable[None]]:
    """`until(condition, what)` waits for a condition."""
    return until


@pytest.fixture
def quirky() -> Callable[..., dict[str, Any]]:
    """Makes a configuration entry of the server that misbehaves on demand (servers/quirky.py)."""

    def entry(**keys: Any) -> dict[str, Any]:
        return {"command": sys.executable, "args": [str(SERVERS / "quirky.py")], **keys}

    return entry


def config(entries: dict[str, Any]) -> McpConfig:
    return parse_config(json.dumps({"mcpServers": entries}), {}, source="test", folder=SERVERS)


@pytest.fixture
async def start_runtime() -> AsyncIterator[Callable[..., Awaitable[SubprocessRuntime]]]:
    """Starts a runtime of the given entries; ends it after the test."""
    async with AsyncExitStack() as stack:

        async def start(**entries: dict[str, Any]) -> SubprocessRuntime:
            runtime = SubprocessRuntime(config(entries))
            await runtime.start()
            stack.push_async_callback(runtime.stop)
            return runtime

        yield start


@dataclass
class Running:
    """A service that runs in this process, and a client of it."""

    service: ExecutionService
    peer: Peer
    stub: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"

    async def tools(self) -> execution_pb2.ListToolsResponse:
        request = execution_pb2.ListToolsRequest()
        response: execution_pb2.ListToolsResponse = await self.stub.ListTools(
            request, metadata=self.peer.metadata(), timeout=DEADLINE
        )
        return response

    async def call(
        self, name: str, arguments: dict[str, Any] | None = None, **more: Any
    ) -> execution_pb2.CallToolResponse:
        timeout = more.pop("timeout", DEADLINE)
        metadata = more.pop("metadata", None) or self.peer.metadata()
        request = execution_pb2.CallToolRequest(name=name, **more)
        request.arguments.update(arguments or {})
        response: execution_pb2.CallToolResponse = await self.stub.CallTool(request, metadata=metadata, timeout=timeout)
        return response

    async def available(self, *names: str) -> None:
        await until(
            lambda: all(s.available for s in self.service.runtime.states() if s.name in names), f"{names} available"
        )


@pytest.fixture
async def start_service(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    """Starts a service with the given entries (or `path=` of a file) on free ports; ends it after the test."""
    async with AsyncExitStack() as stack:

        async def start(*, path: Path | None = None, settings: dict[str, Any] | None = None, **entries: Any) -> Running:
            if path is None:
                path = tmp_path / "mcp_servers.json"
                path.write_text(json.dumps({"mcpServers": entries}))
            return await stack.enter_async_context(_running(path, settings or {}))

        yield start


@asynccontextmanager
async def _running(path: Path, settings: dict[str, Any]) -> AsyncIterator[Running]:
    service = ExecutionService(
        ExecutionSettings(
            service_auth_secret=SECRET,
            http_port=0,
            grpc_port=0,
            mcp_servers_config=path,
            **settings,  # type: ignore[arg-type]
        )
    )
    stop = asyncio.Event()
    task = asyncio.create_task(serve(service, stop=stop))
    peer: Peer | None = None
    try:
        await until(lambda: service.health.phase == "running" or task.done(), "the service runs")
        if task.done():
            task.result()
        assert service.rpc is not None
        tokens = TokenIssuer(SECRET, issuer="test", audience="execution-service")
        peer = connect(f"grpc://127.0.0.1:{service.rpc.port}", tokens, variable="TEST")
        yield Running(service, peer, execution_pb2_grpc.ExecutionServiceStub(peer.channel))
    finally:
        if peer is not None:
            await peer.close()
        stop.set()
        await task


@dataclass
class Asked:
    """A request that reached the stand-in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


Answer = tuple[int, dict[str, str], Any]


@dataclass
class FakeDiscord:
    """Answers with what `answers` holds for the next requests, then with 200 and a message."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: list[Answer | None] = field(default_factory=list)
    """None: drop the connection."""
    answering: Callable[[web.Request], Awaitable[Answer]] | None = None
    """Answers instead, where it is set."""
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    """Paths whose answer waits for an event."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append(
            Asked(request.method, request.raw_path, {k.lower(): v for k, v in request.headers.items()}, body)
        )
        answer: Answer | None = self.answers.pop(0) if self.answers else (200, {}, {"id": str(1000 + len(self.asked))})
        if self.answering is not None:
            answer = await self.answering(request)
        if hold := self.held.get(request.path):
            await hold.wait()
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            raise web.HTTPBadRequest
        status, headers, content = answer
        if status == 204:
            return web.Response(status=status, headers=headers)
        return web.json_response(content, status=status, headers=headers)


@pytest.fixture
async def fake_discord() -> AsyncIterator[FakeDiscord]:
    """The stand-in, on a free port."""
    fake = FakeDiscord()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v10"
    yield fake
    await runner.cleanup()


@pytest.fixture(autouse=True)
async def _no_process_is_left() -> AsyncIterator[None]:
    """What a test started has ended when it ends."""
    before = set(psutil.Process().children())  # another file's browser, say, which starts processes of its own
    yield

    def left() -> list[str]:
        tops = set(psutil.Process().children()) - before
        found = tops.union(*(top.children(recursive=True) for top in tops if top.is_running()))
        return [str(child) for child in found if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

    await until(lambda: not left(), f"no child is left: {left()}")
