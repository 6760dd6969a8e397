"""The called side: a `grpc.aio` server whose every call is authenticated, traced, counted and bounded, and that drains.

Health checks and reflection answer without a token; everything else asks for one. A call with a single answer ends at its
caller's deadline, or at `LONGEST_CALL` where the caller set none. Its log lines carry the caller's correlation and request id.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias
from uuid import uuid4

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from opentelemetry.trace import SpanKind

from botswain_services import tracing
from botswain_services.auth import Identity, TokenVerifier
from botswain_services.errors import AuthenticationError, StartupError
from botswain_services.logs import bound, get_logger
from botswain_services.metrics import RPC_CALLS, RPC_SECONDS
from botswain_services.rpc.client import MAX_MESSAGE_BYTES

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
_PUBLIC = ("/grpc.health.v1.Health/", "/grpc.reflection.")
LONGEST_CALL = 600.0
"""Seconds for a call with a single answer whose caller set no deadline."""
_caller: contextvars.ContextVar[Identity] = contextvars.ContextVar("caller")
_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("deadline")
log = get_logger(__name__)


def caller() -> Identity:
    """Who made the call that is being served. Raises LookupError outside of one."""
    return _caller.get()


def remaining() -> float | None:
    """Seconds until the caller of the call that is being served gives up; None outside of one, or where it never does.

    Pass it on as the timeout of calls that are made to answer this one.
    """
    deadline = _deadline.get(None)
    return None if deadline is None else max(0.0, deadline - time.monotonic())


class _Guard(grpc.aio.ServerInterceptor):
    """Refuses calls without a valid token; runs the others inside their caller's trace and correlation id."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None or method.startswith(_PUBLIC):
            return handler
        metadata = {
            key: value for key, value in handler_call_details.invocation_metadata or () if isinstance(value, str)
        }
        try:
            identity = self._verifier.verify(metadata.get("authorization"))
        except AuthenticationError as error:
            log.warning("call_refused", method=method, reason=str(error))
            return _refusing(handler, str(error))
        return _wrapped(handler, method, identity, metadata)


def _refusing(handler: _Handler, reason: str) -> _Handler:
    async def unary(_request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, reason)

    async def stream(_request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        for _ in ():
            yield  # makes this a stream
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, reason)

    return _like(handler, stream if handler.response_streaming else unary)


def _wrapped(handler: _Handler, method: str, identity: Identity, metadata: dict[str, str]) -> _Handler:
    inner: Any = _function_of(handler)

    @contextmanager
    def served(context: grpc.aio.ServicerContext[Any, Any]) -> Iterator[None]:
        _caller.set(identity)
        left = context.time_remaining()
        if left is not None:
            _deadline.set(time.monotonic() + left)
        values = {"request_id": metadata.get("x-request-id") or uuid4().hex}
        if "x-correlation-id" in metadata:
            values["correlation_id"] = metadata["x-correlation-id"]
        with (
            bound(**values),
            _counted(method, context),
            tracing.span(method.lstrip("/"), traceparent=metadata.get("traceparent"), kind=SpanKind.SERVER),
        ):
            yield

    async def unary(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        with served(context):
            try:
                async with asyncio.timeout(None if context.time_remaining() is not None else LONGEST_CALL) as limit:
                    return await inner(request, context)
            except TimeoutError:
                if not limit.expired():
                    raise
                await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"no answer within {LONGEST_CALL:g} s")

    async def stream(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        with served(context):
            async for response in inner(request, context):
                yield response

    return _like(handler, stream if handler.response_streaming else unary)


@contextmanager
def _counted(method: str, context: grpc.aio.ServicerContext[Any, Any]) -> Iterator[None]:
    started = time.perf_counter()
    code = grpc.StatusCode.UNKNOWN
    try:
        yield
        code = _code_of(context, grpc.StatusCode.OK)
    except (asyncio.CancelledError, GeneratorExit):
        code = grpc.StatusCode.CANCELLED
        raise
    except BaseException:
        code = _code_of(context, grpc.StatusCode.UNKNOWN)
        raise
    finally:
        RPC_CALLS.labels(method, code.name).inc()
        RPC_SECONDS.labels(method).observe(time.perf_counter() - started)


def _code_of(context: grpc.aio.ServicerContext[Any, Any], otherwise: grpc.StatusCode) -> grpc.StatusCode:
    """The code that the servicer set, as a member or a number; else `otherwise`."""
    given: Any = context.code()
    if isinstance(given, grpc.StatusCode):
        return given
    return next((code for code in grpc.StatusCode if code.value[0] == given), otherwise) if given else otherwise


def _function_of(handler: _Handler) -> Any:
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def _like(handler: _Handler, function: Any) -> _Handler:
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[(bool(handler.request_streaming), bool(handler.response_streaming))]
    return make(function, handler.request_deserializer, handler.response_serializer)


class RpcServer:
    """One process's gRPC side. Add servicers, `start()`, later `drain()`."""

    def __init__(self, host: str, port: int, verifier: TokenVerifier, *, reflection: bool = False) -> None:
        self.host = host
        self.port = port
        """What it is bound to; after `start()` the real one where 0 was asked for."""
        self._reflection = reflection
        self._names: list[str] = []
        self._health = health_aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[_Guard(verifier)],
            options=[
                ("grpc.so_reuseport", 0),  # else a second process would share a taken port in silence
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                # Peers ping every 5 s, streams idle or not.
                ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def add_servicer(self, service_name: str, add: Callable[[Any, Any], None], servicer: object) -> None:
        """Serve `servicer`.

        Args:
            service_name: its full protobuf name, e.g. `botswain.v1.ExecutionService`.
            add: the generated `add_…Servicer_to_server`.
            servicer: the implementation.
        """
        add(servicer, self._server)
        self._names.append(service_name)

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            StartupError: the port is taken or not allowed.
        """
        if self._reflection:
            from grpc_reflection.v1alpha import reflection

            reflection.enable_server_reflection([*self._names, reflection.SERVICE_NAME], self._server)
        address = f"{self.host}:{self.port}"
        try:
            self.port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise StartupError(f"gRPC can't listen on {address}: the port is taken or not allowed") from error
        await self._server.start()
        for name in ["", *self._names]:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def drain(self, grace: float) -> None:
        """Take no new calls, and give those under way `grace` seconds."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
