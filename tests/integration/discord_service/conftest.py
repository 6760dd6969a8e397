"""Stand-ins for the orchestrator, served by the real gRPC and HTTP servers on free ports, with real credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest
from botswain_proto.v1 import orchestrator_pb2_grpc
from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_proto.v1.orchestrator_pb2 import ProcessRequest, ProcessResponse, PublishRequest, PublishResponse
from botswain_services import Service, ServiceSettings
from botswain_services.auth import TokenIssuer, TokenVerifier
from botswain_services.events import ProcessBody
from botswain_services.lifecycle import serve
from botswain_services.rpc import RpcServer
from fastapi import HTTPException
from pydantic import SecretStr

SECRET = "a-secret-of-the-tests-that-is-long-enough"
AUDIENCE = "orchestrator-service"
DEADLINE = 20.0


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

    def __init__(self) -> None:
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
            if not self.answering:
                continue
            rejected = [
                {"event_id": event.event_id, "reason": self.reject[event.event_id]}
                for event in request.events
                if event.event_id in self.reject
            ]
            yield PublishResponse(batch_id=request.batch_id, recorded=len(request.events), rejected=rejected)


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
async def orchestrator() -> AsyncIterator[PublishOrchestrator]:
    """A running orchestrator that takes a Publish stream."""
    servicer = PublishOrchestrator()
    await servicer.start()
    yield servicer
    await servicer.stop()


@pytest.fixture
async def http_orchestrator() -> AsyncIterator[HttpOrchestrator]:
    """A running orchestrator that takes POST /process."""
    service = HttpOrchestrator()
    await service.start()
    yield service
    await service.end()
