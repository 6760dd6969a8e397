"""The gRPC side: `OrchestratorService`, and `CoordinationService` from `coordination`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from botswain_proto.v1 import coordination_pb2_grpc, orchestrator_pb2, orchestrator_pb2_grpc
from botswain_services.logs import get_logger
from botswain_services.rpc import RpcServer, caller

from botswain_orchestrator.coordination.coordinator import Coordinator
from botswain_orchestrator.coordination.rpc import CoordinationServicer
from botswain_orchestrator.errors import DrainingError, LedgerUnavailableError
from botswain_orchestrator.events import check
from botswain_orchestrator.intake import Intake, Taken

log = get_logger(__name__)

MOST_UNACKNOWLEDGED = 64
"""Batches of one stream that may wait for their commit; then reading pauses, and gRPC's flow control holds the
publisher back.
"""

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_Acks: TypeAlias = "asyncio.Queue[tuple[int, asyncio.Task[Taken]] | None]"


def add_servicers(server: RpcServer, intake: Intake, coordinator: Coordinator) -> None:
    """Serve the gRPC APIs on `server`."""
    server.add_servicer(
        "botswain.v1.OrchestratorService",
        orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server,
        OrchestratorServicer(intake),
    )
    server.add_servicer(
        "botswain.v1.CoordinationService",
        coordination_pb2_grpc.add_CoordinationServiceServicer_to_server,
        CoordinationServicer(coordinator),
    )


class OrchestratorServicer(orchestrator_pb2_grpc.OrchestratorServiceServicer):
    """Takes events, one by one or in a stream of batches."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def Process(  # noqa: N802 - gRPC's name  # type: ignore[override]
        self, request: orchestrator_pb2.ProcessRequest, context: _Context
    ) -> orchestrator_pb2.ProcessResponse:
        """Answer one event; INVALID_ARGUMENT names the field, UNAVAILABLE means: again, later."""
        reason = check(request.event)
        if reason is not None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"event: {reason}")
        try:
            return await self._intake.process(request.event)
        except (DrainingError, LedgerUnavailableError) as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))

    async def Publish(  # noqa: N802 - gRPC's name  # type: ignore[override]
        self, request_iterator: AsyncIterator[orchestrator_pb2.PublishRequest], context: _Context
    ) -> AsyncIterator[orchestrator_pb2.PublishResponse]:
        """Record batches; each is acknowledged when it is durable, in the order in which they came."""
        acks: _Acks = asyncio.Queue(MOST_UNACKNOWLEDGED)
        reading = asyncio.create_task(self._read(request_iterator, acks), name="publish reader")
        publisher = caller().issuer
        log.info("publish_opened", publisher=publisher)
        try:
            while (ack := await acks.get()) is not None:
                batch_id, recording = ack
                yield _response(batch_id, await recording)
            await reading
        except LedgerUnavailableError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            log.info("publish_closed", publisher=publisher)

    async def _read(self, requests: AsyncIterator[orchestrator_pb2.PublishRequest], acks: _Acks) -> None:
        """Start recording what comes, until the publisher or this process ends the stream."""
        draining = asyncio.ensure_future(self._intake.draining.wait())
        try:
            while not draining.done():
                following = asyncio.ensure_future(anext(requests, None))
                await asyncio.wait({following, draining}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    break
                request = following.result()
                if request is None:
                    break
                cursor = request.cursor if request.HasField("cursor") else None
                taking = self._intake.take(request.events, bot_id=request.bot_id, cursor=cursor, epoch=request.epoch)
                await acks.put((request.batch_id, asyncio.create_task(taking, name=f"batch {request.batch_id}")))
        finally:
            draining.cancel()
            await acks.put(None)


def _response(batch_id: int, taken: Taken) -> orchestrator_pb2.PublishResponse:
    rejected = [orchestrator_pb2.RejectedEvent(event_id=event, reason=reason) for event, reason in taken.rejected]
    return orchestrator_pb2.PublishResponse(
        batch_id=batch_id,
        recorded=taken.recorded,
        duplicates=taken.duplicates,
        rejected=rejected,
        fenced=taken.fenced,
    )
