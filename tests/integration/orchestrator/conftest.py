"""An orchestrator in this process, on real sockets and a real database file, and an execution-service it can call."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from botswain_orchestrator import delivery, turns
from botswain_orchestrator.service import OrchestratorService
from botswain_orchestrator.settings import OrchestratorSettings
from botswain_proto.v1 import event_pb2, execution_pb2, execution_pb2_grpc, orchestrator_pb2, orchestrator_pb2_grpc
from botswain_services.auth import TokenIssuer, TokenVerifier
from botswain_services.lifecycle import serve
from botswain_services.rpc import Peer, RpcServer, connect
from postgres import PostgresServer, running_postgres

from .process import DEADLINE, SECRET, end_all

BOT = "900000000000000001"
CHANNEL = "100000000000000001"


def tool(name: str, *arguments: str, delivers: bool = False) -> execution_pb2.Tool:
    """A tool whose arguments are all strings, and required."""
    message = execution_pb2.Tool(name=name, server="discord", description=f"{name}.", delivers=delivers)
    message.input_schema.update(
        {"type": "object", "properties": {a: {"type": "string"} for a in arguments}, "required": list(arguments)}
    )
    return message


TOOLS = [
    tool("discord_send_message", "channel_id", "content", delivers=True),
    tool("discord_edit_message", "channel_id", "message_id", "content", delivers=True),
    tool("discord_add_reaction", "channel_id", "message_id", "emoji"),
    tool("read_file", "path"),
]


@dataclass
class FakeExecution(execution_pb2_grpc.ExecutionServiceServicer):
    """Stands where execution-service does: keeps every call, and answers as told."""

    tools: list[execution_pb2.Tool] = field(default_factory=lambda: list(TOOLS))
    away: dict[str, str] = field(default_factory=dict)
    """Servers that are not available, and why."""
    calls: list[execution_pb2.CallToolRequest] = field(default_factory=list)
    answer: Callable[[execution_pb2.CallToolRequest], Awaitable[execution_pb2.CallToolResponse]] | None = None
    traceparents: list[str] = field(default_factory=list)
    port: int = 0
    _ids: Any = field(default_factory=lambda: itertools.count(700000000000000001))
    _called: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def ListTools(  # noqa: N802
        self, request: Any, context: Any
    ) -> execution_pb2.ListToolsResponse:
        servers = [execution_pb2.ServerStatus(name=name, reason=reason) for name, reason in self.away.items()]
        return execution_pb2.ListToolsResponse(tools=self.tools, servers=servers)

    async def CallTool(  # noqa: N802
        self, request: execution_pb2.CallToolRequest, context: Any
    ) -> execution_pb2.CallToolResponse:
        metadata = dict(context.invocation_metadata())
        self.traceparents.append(metadata.get("traceparent", ""))
        async with self._called:
            self.calls.append(request)
            self._called.notify_all()
        if self.answer is not None:
            return await self.answer(request)
        return self.success(request)

    def success(self, request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        text = json.dumps({"message_id": str(next(self._ids)), "channel_id": CHANNEL})
        return execution_pb2.CallToolResponse(content=[execution_pb2.ToolContent(text=text)])

    def sent(self) -> list[tuple[str, str]]:
        """(channel, content) of every message sent, in order."""
        sends = [call for call in self.calls if call.name == "discord_send_message"]
        return [(call.arguments["channel_id"], call.arguments["content"]) for call in sends]  # type: ignore[misc]

    async def wait_for_calls(self, count: int) -> None:
        """Wait until that many calls came in."""
        async with self._called, asyncio.timeout(DEADLINE):
            await self._called.wait_for(lambda: len(self.calls) >= count)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nothing announces."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def failure(text: str) -> execution_pb2.CallToolResponse:
    """A tool's own error."""
    return execution_pb2.CallToolResponse(content=[execution_pb2.ToolContent(text=text)], is_error=True)


@contextlib.asynccontextmanager
async def serving_execution(fake: FakeExecution, port: int = 0) -> AsyncIterator[FakeExecution]:
    """Serve `fake` by gRPC, with authentication."""
    server = RpcServer("127.0.0.1", port, TokenVerifier(SECRET, audience="execution-service"))
    server.add_servicer("botswain.v1.ExecutionService", execution_pb2_grpc.add_ExecutionServiceServicer_to_server, fake)
    await server.start()
    fake.port = server.port
    try:
        yield fake
    finally:
        await server.drain(0)


@pytest.fixture
async def execution() -> AsyncIterator[FakeExecution]:
    """An execution-service."""
    async with serving_execution(FakeExecution()) as fake:
        yield fake


@dataclass
class Orchestrator:
    """A running orchestrator, seen from outside."""

    service: OrchestratorService
    peer: Peer
    http: httpx.AsyncClient
    stop: asyncio.Event
    _task: asyncio.Task[None]

    @property
    def stub(self) -> orchestrator_pb2_grpc.OrchestratorServiceStub:
        return orchestrator_pb2_grpc.OrchestratorServiceStub(self.peer.channel)

    async def process(self, event: event_pb2.InternalEvent) -> orchestrator_pb2.ProcessResponse:
        """Call `Process`."""
        request = orchestrator_pb2.ProcessRequest(event=event)
        return await self.stub.Process(request, timeout=DEADLINE, metadata=self.peer.metadata())

    def publish(self, requests: AsyncIterator[orchestrator_pb2.PublishRequest]) -> Any:
        """Call `Publish`."""
        return self.stub.Publish(requests, timeout=DEADLINE, metadata=self.peer.metadata())

    async def ask(self, text: str, **fields: Any) -> orchestrator_pb2.ProcessResponse:
        """Have a user write `text`."""
        return await self.process(message(text, **fields))

    async def end(self) -> None:
        """As SIGTERM does."""
        self.stop.set()
        await self._task


@pytest.fixture(autouse=True)
async def _no_process_is_left() -> AsyncIterator[None]:
    yield
    await end_all()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, for all tests of a worker."""
    with running_postgres(durable=False) as server:
        yield server


_databases: dict[Path, str] = {}


def database_url(folder: Path) -> str:
    """The ledger of a test: a file in its folder, unless `each_engine` gave it another."""
    return _databases.get(folder, f"sqlite:///{folder}/ledger.db")


@pytest.fixture
def own_database(postgres: PostgresServer, tmp_path: Path) -> Iterator[str]:
    """An empty PostgreSQL database for one test; its URL."""
    name = f"test_{next(_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Runs a test once on each engine."""
    engine: str = request.param
    if engine == "postgresql":
        _databases[tmp_path] = request.getfixturevalue("own_database")
    yield engine
    _databases.pop(tmp_path, None)


@contextlib.asynccontextmanager
async def running(folder: Path, execution_port: int, **settings: Any) -> AsyncIterator[Orchestrator]:
    """Run an orchestrator with its ledger in `folder`."""
    chosen = OrchestratorSettings(
        http_port=0,
        grpc_port=0,
        service_auth_secret=SECRET,
        database_url=database_url(folder),
        execution_service_url=f"grpc://127.0.0.1:{execution_port}",
        shutdown_grace_seconds=settings.pop("shutdown_grace_seconds", 5.0),
        **{"turn_attempts": 2, "turn_retry_seconds": 0.01} | settings,
    )
    service = OrchestratorService(chosen)
    stop = asyncio.Event()
    task = asyncio.create_task(serve(service, stop=stop))
    try:
        await until(lambda: service.health.phase == "running" or task.done())
        if task.done():
            task.result()
        assert service.rpc is not None
        tokens = TokenIssuer(SECRET, issuer="discord-service", audience="orchestrator-service")
        peer = connect(f"grpc://127.0.0.1:{service.rpc.port}", tokens, variable="TEST")
        base = f"http://127.0.0.1:{service.port}"
        async with httpx.AsyncClient(base_url=base, headers=tokens.header(), timeout=DEADLINE) as http:
            yield Orchestrator(service, peer, http, stop, task)
        await peer.close()
    finally:
        stop.set()
        await task


@pytest.fixture
async def orchestrator(tmp_path: Path, execution: FakeExecution) -> AsyncIterator[Orchestrator]:
    """An orchestrator with the scripted model."""
    async with running(tmp_path, execution.port) as started:
        yield started


_numbers = itertools.count(800000000000000001)


def message(
    text: str, *, channel: str = CHANNEL, user: str = "42", name: str = "Alice", **more: Any
) -> event_pb2.InternalEvent:
    """A Discord message as discord-service publishes it."""
    message_id = str(next(_numbers))
    event = event_pb2.InternalEvent(
        correlation_id=f"correlation-{message_id}",
        source=event_pb2.EVENT_SOURCE_DISCORD,
        source_event_id=message_id,
        source_channel_id=channel,
        source_user_id=user,
        source_user_name=name,
        content_type=event_pb2.CONTENT_TYPE_TEXT,
        content=text,
        event_id=f"discord:message:{message_id}",
        bot_id=BOT,
        **more,
    )
    event.routing.reply_channel_id = channel
    event.routing.conversation.conversation_id = f"discord:{BOT}:{channel}"
    return event


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What delivery and turns log, each line as a dict with what was bound, however logging is set up."""
    capture = structlog.testing.LogCapture()
    logger = structlog.wrap_logger(None, processors=[structlog.contextvars.merge_contextvars, capture])
    for module in (delivery, turns):
        monkeypatch.setattr(module, "log", logger)
    return capture.entries
