"""`RequestLoggingMiddleware`: a request id for every request, one envelope of log lines, a metric, and the caller's trace.

Plain ASGI: it looks at messages as they pass and holds none back, so streams stream. An application may add it by itself and
with its own options; of two that stand in one stack, the outer one works and the inner one steps aside.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from fastapi import HTTPException
from opentelemetry.trace import SpanKind
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from botswain_services import tracing
from botswain_services.logs import get_logger

REQUEST_ID = "X-Request-ID"
QUIET_PATHS = frozenset(
    f"/{path}"
    for path in (
        "",
        "docs",
        "favicon.ico",
        "health",
        "healthz",
        "heartbeat",
        "metrics",
        "openapi.json",
        "ready",
        "redoc",
        "status",
    )
)
"""Paths that probes and browsers ask all the time: no envelope for them unless they break."""
NOT_READY = 503
"""What `/ready` says of itself is logged by `Health`, when it changes."""

Observer: TypeAlias = Callable[[Scope, int, float], None]
"""Told of every answer: its scope, status and seconds."""

_VALID_ID = re.compile(r"[\x21-\x7e]{1,128}")
_VALID_PREFIX = re.compile(rb"(?:/[A-Za-z0-9._-]+)+")
_MARK = "botswain.request_id"


class RequestLoggingMiddleware:
    """Logs `request_started`, and `request_completed` or `request_failed`, for every request.

    Args:
        app: the application it stands before.
        service_name: stands in every line.
        log_metrics: add the process's `metrics_to_collect` to the last line.
        metrics_interval: seconds for which one reading of them serves; None: a reading a request.
        metrics_to_collect: names of `psutil.Process` figures; None: these two.
        add_request_id_header: return the id as `X-Request-ID`.
        logger: where the lines go; a structlog or a standard logger.
        exclude_paths: more paths without an envelope, beside `QUIET_PATHS`.
        observe: told of every answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        service_name: str,
        *,
        log_metrics: bool = False,
        metrics_interval: int | None = None,
        metrics_to_collect: list[str] | None = ["cpu_percent", "memory_percent"],  # noqa: B006 - as documented; only read
        add_request_id_header: bool = True,
        logger: Any | None = None,
        exclude_paths: Iterable[str] = (),
        observe: Observer | None = None,
    ) -> None:
        self.app = app
        self.service_name = service_name
        self.add_request_id_header = add_request_id_header
        self.logger = logger if logger is not None else get_logger(__name__)
        self._quiet = QUIET_PATHS | frozenset(exclude_paths)
        self._observe = observe
        self._figures = ProcessFigures(metrics_to_collect, metrics_interval) if log_metrics else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _MARK in scope:
            await self.app(scope, receive, send)
            return
        headers = _wanted_headers(scope)
        request_id = headers.get(b"x-request-id", "")
        if not _VALID_ID.fullmatch(request_id):
            request_id = tracing.new_request_id()
        scope[_MARK] = request_id
        state = scope.setdefault("state", {})
        state["request_id"], state["logger"] = request_id, self.logger
        traceparent = headers.get(b"traceparent", "")
        bound = bind_contextvars(request_id=request_id)
        try:
            if not traceparent and not tracing.configured():
                await self._serve(scope, receive, send, request_id, headers.get(b"user-agent"))
                return
            name = f"{scope['method']} {scope['path']}"
            with tracing.span(name, traceparent=traceparent, kind=SpanKind.SERVER):
                await self._serve(scope, receive, send, request_id, headers.get(b"user-agent"))
        finally:
            reset_contextvars(**bound)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str, user_agent: str | None) -> None:
        answer = _Answer()
        own_header = (REQUEST_ID.lower().encode(), request_id.encode()) if self.add_request_id_header else None

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                headers = list(message.get("headers", ()))
                answer.length = next(
                    (value.decode("latin-1") for key, value in headers if key == b"content-length"), None
                )
                if own_header is not None:
                    message["headers"] = [pair for pair in headers if pair[0] != own_header[0]] + [own_header]
            await send(message)

        about = {"service_name": self.service_name, "method": scope["method"], "path": scope["path"]}
        quiet = scope["path"] in self._quiet
        if not quiet:
            client = scope.get("client")
            self.logger.info("request_started", **about, client_ip=client[0] if client else None, user_agent=user_agent)
        started = time.perf_counter()
        try:
            await self.app(scope, receive, watched)
        except HTTPException as error:  # raised outside of any route: the limits on bodies
            await _answer_error(answer, watched, error.status_code, error.detail, request_id, scope, receive)
        except Exception as error:
            self.logger.exception(
                "request_failed", **about, duration_ms=_ms(started), error_type=type(error).__name__, **self._metrics()
            )
            if answer.status:
                raise  # half an answer is out; the server closes the connection
            await _answer_error(answer, watched, 500, "internal error", request_id, scope, receive)
        else:
            if not quiet or (answer.status >= 500 and answer.status != NOT_READY):
                self.logger.info(
                    "request_completed",
                    **about,
                    status_code=answer.status,
                    content_length=answer.length,
                    duration_ms=_ms(started),
                    **self._metrics(),
                )
        if self._observe is not None:
            self._observe(scope, answer.status, time.perf_counter() - started)

    def _metrics(self) -> dict[str, Any]:
        return {"metrics": self._figures.read()} if self._figures is not None else {}


class PrefixMiddleware:
    """Lets pages know where they stand behind a gateway: `X-Forwarded-Prefix` goes before the links of `/docs`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for key, value in scope["headers"]:
                if key == b"x-forwarded-prefix" and _VALID_PREFIX.fullmatch(value):
                    prefix = value.decode()
                    # A path holds its root path (ASGI), or a route of the same name as the prefix would lose its own.
                    scope = {
                        **scope,
                        "root_path": prefix,
                        "path": prefix + scope["path"],
                        "raw_path": value + scope["raw_path"],
                    }
        await self.app(scope, receive, send)


class _Answer:
    """What was seen of the answer; status 0: nothing yet."""

    __slots__ = ("length", "status")

    def __init__(self) -> None:
        self.status = 0
        self.length: str | None = None


async def _answer_error(
    answer: _Answer, send: Send, status: int, detail: Any, request_id: str, scope: Scope, receive: Receive
) -> None:
    if not answer.status:
        # The rest of the body was not read: the connection can't be used again.
        response = JSONResponse({"detail": detail, "request_id": request_id}, status, headers={"Connection": "close"})
        await response(scope, receive, send)


def _wanted_headers(scope: Scope) -> dict[bytes, str]:
    wanted = (b"x-request-id", b"traceparent", b"user-agent")
    return {key: value.decode("latin-1") for key, value in scope["headers"] if key in wanted}


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


class ProcessFigures:
    """Figures of this process, read at most once per interval."""

    def __init__(self, names: list[str] | None, interval: float | None) -> None:
        import psutil

        self._names = names = ["cpu_percent", "memory_percent"] if names is None else names
        self._interval = interval or 0.0
        self._process = psutil.Process()
        self._read_at = float("-inf")
        self._last: dict[str, Any] = {}
        unknown = [name for name in names if not hasattr(self._process, name)]
        if unknown:
            raise ValueError(f"metrics_to_collect: psutil.Process has no {', '.join(unknown)}")

    def read(self) -> dict[str, Any]:
        now = time.monotonic()
        if now - self._read_at >= self._interval:
            self._read_at = now
            self._last = {name: getattr(self._process, name)() for name in self._names}
        return self._last
