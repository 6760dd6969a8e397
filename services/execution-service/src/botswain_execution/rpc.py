"""`botswain.v1.ExecutionService` over gRPC.

What the model can act on (a refusal, wrong arguments, a tool's failure) is a result with `is_error`; a status other than OK
means that no call was made: INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE, RESOURCE_EXHAUSTED. A tool that nobody has is NOT_FOUND
only once every server has told its tools: right after the start it may be one that is still to come.
"""

from __future__ import annotations

import time
from typing import Any, NoReturn

import grpc
from botswain_proto.v1 import execution_pb2, execution_pb2_grpc
from botswain_services import tracing
from botswain_services.logs import bound, get_logger
from opentelemetry import trace

from botswain_execution import conversion, metrics, policy
from botswain_execution.catalog import Catalog, CatalogTool
from botswain_execution.errors import CallFailedError, ServerBusyError, ServerUnavailableError, UnknownToolError
from botswain_execution.policy import CallContext
from botswain_execution.runtime import Runtime

log = get_logger(__name__)

IDEMPOTENCY_KEY = "botswain.dev/idempotency-key"
CORRELATION_ID = "botswain.dev/correlation-id"
ATTEMPTED_AT = "botswain.dev/attempted-at"
LONGEST_KEY = 25
_ANSWER_TIME = 0.05
"""Seconds of the caller's own deadline that are left for the answer's way back."""

Context = grpc.aio.ServicerContext[Any, Any]


class ExecutionServicer(execution_pb2_grpc.ExecutionServiceServicer):
    """Finds the tool, asks the policy, has the runtime call it."""

    def __init__(self, runtime: Runtime, catalog: Catalog) -> None:
        self._runtime = runtime
        self._catalog = catalog

    async def ListTools(  # noqa: N802 - gRPC's name
        self, request: execution_pb2.ListToolsRequest, context: Context
    ) -> execution_pb2.ListToolsResponse:
        """The tools that agents may use, and how the servers do.

        UNAVAILABLE until those of every required server are known.
        """
        missing = [state for state in self._runtime.states() if state.required and not state.tools]
        if missing:
            words = ", ".join(f"{state.name} ({state.reason})" for state in missing)
            await _abort(
                context, grpc.StatusCode.UNAVAILABLE, f"required servers have not told their tools yet: {words}"
            )
        return execution_pb2.ListToolsResponse(
            tools=[conversion.to_tool(tool) for tool in self._catalog.tools],
            servers=[conversion.to_status(state) for state in self._runtime.states()],
        )

    async def CallTool(  # noqa: N802 - gRPC's name
        self, request: execution_pb2.CallToolRequest, context: Context
    ) -> execution_pb2.CallToolResponse:
        """Call one tool and wait for its result."""
        if not request.name:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "name is empty")
        if len(request.idempotency_key) > LONGEST_KEY:
            words = f"idempotency_key has {len(request.idempotency_key)} characters, more than {LONGEST_KEY}"
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, words)
        call_context = conversion.to_context(request.context)
        ids = {
            "correlation_id": call_context.correlation_id,
            "event_id": call_context.event_id,
            "run_id": call_context.run_id,
        }
        with bound(**{key: value for key, value in ids.items() if value}):
            try:
                tool = self._catalog.find(request.name)
                return await self._call(tool, request, call_context, context.time_remaining())
            except UnknownToolError as error:
                await _abort(context, self._unknown_code(), self._why_unknown(str(error)))
            except ServerBusyError as error:
                await _abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            except ServerUnavailableError as error:
                await _abort(context, grpc.StatusCode.UNAVAILABLE, str(error))

    def _unknown_code(self) -> grpc.StatusCode:
        silent = any(not state.available and not state.tools for state in self._runtime.states())
        return grpc.StatusCode.UNAVAILABLE if silent else grpc.StatusCode.NOT_FOUND

    def _why_unknown(self, text: str) -> str:
        """A server that isn't up may be the one that has the tool."""
        down = [f"{state.name} ({state.reason})" for state in self._runtime.states() if not state.available]
        return f"{text} Not available now: {', '.join(down)}" if down else text

    async def _call(
        self,
        tool: CatalogTool,
        request: execution_pb2.CallToolRequest,
        call_context: CallContext,
        remaining: float | None,
    ) -> execution_pb2.CallToolResponse:
        arguments = conversion.from_struct(request.arguments)
        refusal = policy.refusal(tool, arguments, call_context)
        if refusal is not None:
            return _refused(tool, refusal)
        timeout = _timeout(tool, request, remaining)
        started = time.perf_counter()
        trace.get_current_span().set_attributes({"mcp.tool": tool.tool.name, "mcp.server": tool.server})
        try:
            result = await self._runtime.call(
                tool.server, tool.tool.name, arguments, meta=_meta(request, call_context), timeout=timeout
            )
        except CallFailedError as error:
            seconds = time.perf_counter() - started
            response = conversion.to_error(str(error), server=tool.server, seconds=seconds, transient=error.transient)
            outcome = "failed"
        else:
            seconds = time.perf_counter() - started
            response = conversion.to_response(result, server=tool.server, seconds=seconds)
            outcome = "tool_error" if result.is_error else "ok"
        _record(tool, outcome, seconds, response)
        return response


def _refused(tool: CatalogTool, refusal: policy.Refusal) -> execution_pb2.CallToolResponse:
    if refusal.approvable:
        log.info("tool_needs_approval", tool=tool.name, server=tool.server)
    else:
        log.warning("tool_refused", tool=tool.name, server=tool.server, reason=refusal.reason)
    outcome = "needs_approval" if refusal.approvable else "refused"
    metrics.CALLS.labels(tool.server, tool.tool.name, outcome).inc()
    response = conversion.to_error(refusal.reason, server=tool.server)
    response.approval_required = refusal.approvable
    return response


def _timeout(tool: CatalogTool, request: execution_pb2.CallToolRequest, remaining: float | None) -> float:
    """Seconds: the shortest of the server's setting, the request's deadline and what the caller has left."""
    limits = [tool.config.timeout_seconds]
    if request.HasField("deadline"):
        limits.append(request.deadline.ToTimedelta().total_seconds())
    if remaining is not None:
        limits.append(remaining - _ANSWER_TIME)
    return max(0.001, min(limits))


def _meta(request: execution_pb2.CallToolRequest, context: CallContext) -> dict[str, str]:
    values = {
        "traceparent": tracing.current_traceparent(),
        IDEMPOTENCY_KEY: request.idempotency_key,
        CORRELATION_ID: context.correlation_id,
        ATTEMPTED_AT: request.attempted_at.ToJsonString() if request.HasField("attempted_at") else "",
    }
    return {key: value for key, value in values.items() if value}


def _record(tool: CatalogTool, outcome: str, seconds: float, response: execution_pb2.CallToolResponse) -> None:
    metrics.CALLS.labels(tool.server, tool.tool.name, outcome).inc()
    metrics.SECONDS.labels(tool.server).observe(seconds)
    fields = {"tool": tool.name, "server": tool.server, "outcome": outcome, "ms": round(seconds * 1000, 1)}
    if outcome == "ok":
        log.info("tool_called", **fields)
    else:
        text = next((content.text for content in response.content if content.text), "")
        log.warning("tool_called", error=text[:500], **fields)


async def _abort(context: Context, code: grpc.StatusCode, words: str) -> NoReturn:
    log.warning("call_not_made", code=code.name, reason=words)
    await context.abort(code, words)
    raise AssertionError("abort returned")
