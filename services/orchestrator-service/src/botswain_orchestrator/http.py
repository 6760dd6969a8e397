"""The HTTP side: `POST /process`, for adapters that speak plain HTTP and for people with curl."""

from __future__ import annotations

from typing import Any, Literal

from botswain_proto.v1 import orchestrator_pb2
from botswain_services import InvalidEventError, Service, TaskSchema
from botswain_services.events import ProcessBody, from_process_body, to_proto
from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from botswain_orchestrator.errors import DrainingError, LedgerUnavailableError
from botswain_orchestrator.events import check
from botswain_orchestrator.intake import Intake

MAX_BODY_BYTES = 1024 * 1024
"""More than the longest text takes in any script, escaped."""


class ToolCallOutcome(BaseModel):
    """One tool call of the agent."""

    name: str
    is_error: bool
    duration_ms: float


class ProcessEventResponse(BaseModel):
    """How the turn of an event ended."""

    correlation_id: str
    event_id: str
    run_id: str
    status: Literal["completed", "failed", "duplicate", "superseded"]
    response: str
    """The agent's last text; empty when it only used tools."""
    tool_calls: list[ToolCallOutcome]
    delivery: Literal["agent", "fallback", "none", "failed"]
    duration_ms: float
    error: str
    """Why the turn failed; empty when it didn't."""


def add_endpoints(service: Service, intake: Intake) -> None:
    """Serve the HTTP API of `intake`."""

    async def process(body: ProcessBody) -> ProcessEventResponse:
        """Answer one event and return when the turn is over. An event that was answered before comes back as a
        duplicate.
        """
        try:
            event = to_proto(from_process_body(body))
        except InvalidEventError as error:
            raise RequestValidationError(_problems(str(error))) from None
        reason = check(event)
        if reason is not None:
            raise RequestValidationError([_problem(f"metadata.{reason.partition(' ')[0]}", reason)])
        try:
            return to_response(await intake.process(event))
        except (DrainingError, LedgerUnavailableError) as error:
            raise HTTPException(503, str(error), headers={"Retry-After": "1"}) from None

    schema = TaskSchema(name="process", input_schema=ProcessBody, output_schema=ProcessEventResponse)
    service.add_endpoint("/process", process, schema=schema, scope="service")
    service.app.add_exception_handler(RequestValidationError, _unprocessable)
    service.app.add_middleware(BodyLimit, limit=MAX_BODY_BYTES)


def to_response(result: orchestrator_pb2.ProcessResponse) -> ProcessEventResponse:
    """The result as JSON's readers expect it."""
    status: Any = orchestrator_pb2.TurnStatus.Name(result.status).removeprefix("TURN_STATUS_").lower()
    delivery: Any = orchestrator_pb2.Delivery.Name(result.delivery).removeprefix("DELIVERY_").lower()
    return ProcessEventResponse(
        correlation_id=result.correlation_id,
        event_id=result.event_id,
        run_id=result.run_id,
        status=status,
        response=result.response,
        tool_calls=[
            ToolCallOutcome(name=call.name, is_error=call.is_error, duration_ms=call.duration.ToNanoseconds() / 1e6)
            for call in result.tool_calls
        ],
        delivery=delivery,
        duration_ms=result.duration.ToNanoseconds() / 1e6,
        error=result.error,
    )


def _problems(explanation: str) -> list[dict[str, Any]]:
    """`InvalidEventError`'s lines, `metadata.<field>: <what>`, in the form of FastAPI's own problems."""
    parted = (line.partition(": ") for line in explanation.splitlines())
    return [_problem(field, message or field) for field, _, message in parted]


def _problem(field: str, message: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": ("body", *field.split(".")), "msg": message}


async def _unprocessable(_request: Request, error: Exception) -> JSONResponse:
    """422 that names the field, without FastAPI's copy of the input: that may be long, or hold what isn't ours to
    repeat.
    """
    assert isinstance(error, RequestValidationError)
    problems = [{"type": one["type"], "loc": list(one["loc"]), "msg": one["msg"]} for one in error.errors()]
    return JSONResponse({"detail": problems}, status_code=422)


class BodyLimit:
    """ASGI middleware: a body over `limit` bytes gets 413, whether or not it says its length."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._words = f"the body is larger than {limit} bytes"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._limit:
            await JSONResponse({"detail": self._words}, status_code=413)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise HTTPException(413, self._words)  # FastAPI hands this kind on
            return message

        await self._app(scope, counted, send)
