"""Discord by the simulator, and stand-ins for the orchestrator: real gRPC and HTTP servers on free ports, real credentials."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from botswain_discord import DiscordAdapter, DiscordSettings
from botswain_proto.v1 import coordination_pb2_grpc, orchestrator_pb2_grpc
from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_proto.v1.orchestrator_pb2 import ProcessRequest, ProcessResponse, PublishRequest, PublishResponse
from botswain_services import Service, ServiceSettings, StartupError
from botswain_services.auth import TokenIssuer, TokenVerifier
from botswain_services.events import ProcessBody
from botswain_services.lifecycle import serve
from botswain_services.rpc import RpcServer
from botswain_simulator import Draft, Simulator
from fastapi import HTTPException
from pydantic import SecretStr

from .claiming import Coordination

SECRET = "a-secret-of-the-tests-that-is-long-enough"
AUDIENCE = "orchestrator-service"
DEADLINE = 60.0


async def until(condition: Callable[[], Any], what: str = "the condition") -> None:
    """Wait until `condition()` is true; fail after DEADLINE seconds."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - what is waited for is of many kinds
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"{what} didn't come within {DEADLINE} s")


def tokens(secret: str = SECRET) -> TokenIssuer:
    """Makes tokens for the orchestrator."""
    return TokenIssuer(secret, issuer="discord-service", audience=AUDIENCE)


class PublishOrchestrator(orchestrator_pb2_grpc.OrchestratorServiceServicer):
    """Records what is published. While `answering` is false, batches are recorded and not acknowledged."""

    def __init__(self, coordination: Coordination | None = None) -> None:
        self.coordination = coordination
        """Grants claims, where it isn't None; else they are UNIMPLEMENTED."""
        self.port = 0
        self.answering = True
        self.requests: list[PublishRequest] = []
        self.reject: dict[str, str] = {}
        self._server: RpcServer | None = None

    @property
    def url(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    @property
    def events(self) -> list[InternalEvent]:
        """Every event once, in the order it was first recorded."""
        first: dict[str, InternalEvent] = {}
        for request in self.requests:
            for event in request.events:
                first.setdefault(event.event_id, event)
        return list(first.values())

    async def start(self) -> None:
        """Serve, on the same port as before."""
        self._server = RpcServer("127.0.0.1", self.port, TokenVerifier(SECRET, audience=AUDIENCE))
        name = "botswain.v1.OrchestratorService"
        self._server.add_servicer(name, orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server, self)
        if self.coordination is not None:
            self._server.add_servicer(
                "botswain.v1.CoordinationService",
                coordination_pb2_grpc.add_CoordinationServiceServicer_to_server,
                self.coordination,
            )
        await self._server.start()
        self.port = self._server.port

    async def stop(self) -> None:
        """Break every stream."""
        if self._server is not None:
            await self._server.drain(0)
            self._server = None

    async def Process(self, request: ProcessRequest, context: Any) -> ProcessResponse:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def Publish(self, request_iterator: Any, context: Any) -> AsyncIterator[PublishResponse]:  # noqa: N802
        async for request in request_iterator:
            self.requests.append(request)
            fenced = self.coordination is not None and self.coordination.record(request)
            if not self.answering:
                continue
            rejected = [
                {"event_id": event.event_id, "reason": self.reject[event.event_id]}
                for event in request.events
                if event.event_id in self.reject
            ]
            yield PublishResponse(
                batch_id=request.batch_id, recorded=len(request.events), rejected=rejected, fenced=fenced
            )


class HttpOrchestrator(Service):
    """Records what is posted. `answers` are the status codes of the next posts, 200 when there are none left."""

    name: ClassVar[str] = AUDIENCE

    def __init__(self, port: int = 0) -> None:
        settings = ServiceSettings(service_auth_secret=SecretStr(SECRET), shutdown_grace_seconds=1)
        super().__init__(settings=settings, host="127.0.0.1", port=port)
        self.bodies: list[ProcessBody] = []
        self.answers: list[int] = []
        self.hold: dict[str, asyncio.Event] = {}
        self.stop_event = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.add_endpoint("/process", self._process, scope="service")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _process(self, body: ProcessBody) -> dict[str, str]:
        status = self.answers.pop(0) if self.answers else 200
        if status != 200:
            raise HTTPException(status, f"told to answer {status}")
        self.bodies.append(body)
        if body.message in self.hold:
            await self.hold[body.message].wait()
        return {"response": ""}

    async def start(self) -> None:
        self._task = asyncio.create_task(serve(self, stop=self.stop_event))
        await until(lambda: self.health.phase == "running", "the orchestrator's start")

    async def end(self) -> None:
        self.stop_event.set()
        if self._task is not None:
            await self._task


@pytest.fixture
async def adapters() -> list[Adapter]:
    """The adapters of a test. They end before their orchestrator, which has to take their claims back."""
    return []


@pytest.fixture
async def orchestrator(adapters: list[Adapter]) -> AsyncIterator[PublishOrchestrator]:
    """A running orchestrator that takes a Publish stream."""
    async with _serving(PublishOrchestrator(), adapters) as servicer:
        yield servicer


@pytest.fixture
async def ledger(adapters: list[Adapter]) -> AsyncIterator[PublishOrchestrator]:
    """A running orchestrator that grants claims and keeps cursors."""
    async with _serving(PublishOrchestrator(Coordination()), adapters) as servicer:
        yield servicer


@contextlib.asynccontextmanager
async def _serving(servicer: PublishOrchestrator, adapters: list[Adapter]) -> AsyncIterator[PublishOrchestrator]:
    await servicer.start()
    yield servicer
    await asyncio.gather(*(adapter.stop() for adapter in adapters))
    await servicer.stop()


@pytest.fixture
async def http_orchestrator() -> AsyncIterator[HttpOrchestrator]:
    """A running orchestrator that takes POST /process."""
    service = HttpOrchestrator()
    await service.start()
    yield service
    await service.end()


class Discord:
    """The simulated Discord, by what a person would do there."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.world = simulator.world
        self.application = next(iter(simulator.world.applications.values()))
        self.ada = self.world.user_named("ada")
        self.guild = next(iter(self.world.guilds.values()))

    def channel(self, name: str = "general") -> Any:
        return next(channel for channel in self.world.channels.values() if channel.name == name)

    def say(self, content: str, *, channel: Any = None, author: Any = None, **draft: Any) -> Any:
        """Post a message, Ada's in #general unless told otherwise; the simulator's message."""
        return self.world.post(channel or self.channel(), author or self.ada, Draft(content, **draft))

    def dispatch(self, name: str, data: object) -> None:
        """Send any dispatch to every session."""
        self.simulator.hub.dispatch_to(list(self.simulator.hub.sessions.values()), name, data)

    async def fault(self, **spec: Any) -> None:
        """Set up a fault, or do it at once."""
        async with httpx.AsyncClient() as client:
            (await client.post(f"{self.simulator.url}/sim/faults", json=spec)).raise_for_status()

    @property
    def counts(self) -> dict[str, int]:
        """What the gateway counted: connections, identifies, resumes, …"""
        counts: dict[str, int] = self.simulator.stats.as_json()["gateway"]
        return counts

    def variables(self, orchestrator_url: str, **changes: str) -> dict[str, str]:
        """The environment of a service that runs this Discord's bot."""
        return {
            "DISCORD_BOT_TOKEN": self.application.token,
            "DISCORD_APPLICATION_ID": self.application.id,
            "DISCORD_API_URL": self.simulator.api_url,
            "GATEWAY_SERVICE_URL": orchestrator_url,
            "SERVICE_AUTH_SECRET": SECRET,
            "HEALTH_PORT": "0",
            **changes,
        }


class Adapter:
    """discord-service in this process."""

    def __init__(self, variables: dict[str, str]) -> None:
        given = {name.lower(): value for name, value in variables.items()}
        self.service = DiscordAdapter(DiscordSettings.model_validate(given))
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(serve(self.service, stop=self._stop))

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """What `/ready` answers."""
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://127.0.0.1:{self.service.port}/ready")
        return response.status_code, response.json()

    async def connected(self) -> None:
        """Wait until every shard is."""
        await until(lambda: self._task.done() or self.service.bot.problem() is None, "the shards' connection")
        assert not self._task.done(), self._task.exception()

    async def status(self, code: int) -> dict[str, Any]:
        """Wait until `/ready` answers with `code`; the answer."""
        async with asyncio.timeout(DEADLINE):
            while True:
                status, body = await self.ready()
                if status == code:
                    return body

    async def failure(self) -> BaseException | None:
        """Wait for the service to end by itself; why it did."""
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait({self._task})
        return self._task.exception()

    async def stop(self) -> None:
        """Stop, unless it has ended."""
        self._stop.set()
        await asyncio.wait({self._task})
        if self._task.exception() is None or isinstance(self._task.exception(), StartupError):
            return
        self._task.result()


class Process:
    """discord-service as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.output = ""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, variables: dict[str, str]) -> Process:
        environment = {"PATH": os.environ["PATH"], **variables}
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "botswain_discord", env=environment, stderr=asyncio.subprocess.PIPE
            )
        )

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.output += line.decode()

    async def exit_code(self) -> int:
        """Wait for its end; what it wrote is all in `output` then."""
        async with asyncio.timeout(DEADLINE):
            code = await self.process.wait()
            await self._reading
        return code

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.exit_code()


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    """A running Discord with the default world, where neither IDENTIFYs nor requests need to wait for each other."""
    async with Simulator(port=0, identify_interval=0.0, max_concurrency=16, rate_limits="off") as simulator:
        yield Discord(simulator)


@pytest.fixture
async def run_adapter(discord: Discord, adapters: list[Adapter]) -> AsyncIterator[Callable[..., Adapter]]:
    """Starts discord-service here; called with the orchestrator's URL and variables to change."""

    def start(orchestrator_url: str, **changes: str) -> Adapter:
        adapters.append(Adapter(discord.variables(orchestrator_url, **changes)))
        return adapters[-1]

    yield start
    for adapter in adapters:
        await adapter.stop()


@pytest.fixture
async def run_process(discord: Discord) -> AsyncIterator[Callable[..., Any]]:
    """Starts discord-service as a process; called like `run_adapter`, and awaited."""
    processes: list[Process] = []

    async def start(orchestrator_url: str, **changes: str) -> Process:
        processes.append(await Process.start(discord.variables(orchestrator_url, **changes)))
        return processes[-1]

    yield start
    for process in processes:
        await process.end()


class OrchestratorProcess:
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
async def orchestrator_process(tmp_path: Path) -> AsyncIterator[OrchestratorProcess]:
    """A running orchestrator."""
    orchestrator = OrchestratorProcess(tmp_path)
    await orchestrator.start()
    yield orchestrator
    await orchestrator.kill()
