"""`Service`: one process with an HTTP API, probes and, if it adds servicers, gRPC. Every service of the platform is one.

A subclass adds endpoints in `__init__`, opens what it needs in `startup()`, works by itself in `run()` if it does, finishes its
work in `drain()` and lets go in `shutdown_cleanup()`. `run_service()` serves it in this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from botswain_services.auth import Identity, TokenVerifier
from botswain_services.errors import AuthenticationError
from botswain_services.health import Check, Health
from botswain_services.lifecycle import run
from botswain_services.logs import configure_logging
from botswain_services.rpc.server import RpcServer
from botswain_services.settings import ServiceSettings
from botswain_services.tracing import configure_tracing, shutdown_tracing
from botswain_services.types import TaskSchema

VERSION = "0.1.0"


class Service:
    """Base of every service. `name` is its audience in JWTs, its name in logs and in `/health`."""

    name: ClassVar[str] = "service"

    def __init__(
        self,
        *,
        settings: ServiceSettings,
        host: str,
        port: int,
        grpc_port: int | None = None,
        summary: str | None = None,
        description: str | None = None,
    ) -> None:
        self.settings = settings
        self.host = host
        self.port = port
        self.shutdown_grace_seconds = settings.shutdown_grace_seconds
        self.health = Health()
        self.verifier = TokenVerifier(settings.service_auth_secret.get_secret_value(), audience=self.name)
        self.rpc: RpcServer | None = None
        if grpc_port is not None:
            self.rpc = RpcServer(host, grpc_port, self.verifier, reflection=settings.grpc_reflection)
        self.app = FastAPI(title=self.name, version=VERSION, summary=summary, description=description or "")
        self._add_probes()

    async def startup(self) -> None:
        """Open what the service needs. Raise `StartupError` when it can't work."""

    async def run(self) -> None:
        """Work beside the calls, once started; nothing by default.

        The process ends when this returns, and with what it raises: `StartupError` for what a person has to mend. It is
        cancelled before `drain()`.
        """
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Finish what is under way and take nothing new; bounded by SHUTDOWN_GRACE_SECONDS."""

    async def shutdown_cleanup(self) -> None:
        """Let go of everything. Runs after the last call was answered, also when start-up failed half-way."""

    def add_endpoint(
        self,
        path: str,
        func: Callable[..., Any],
        schema: TaskSchema | None = None,
        api_route_kwargs: dict[str, Any] | None = None,
        methods: list[str] | None = None,
        scope: str = "public",
    ) -> None:
        """Serve `func` at `path`.

        Args:
            path: with or without the leading slash.
            func: as FastAPI takes it.
            schema: what it takes and gives.
            api_route_kwargs: more for FastAPI's `add_api_route`.
            methods: POST when not given.
            scope: `public`, or `service`: a JWT of another service of the platform is asked for.
        """
        options = dict(api_route_kwargs or {})
        if scope == "service":
            options["dependencies"] = [*options.get("dependencies", ()), Depends(self.require_caller)]
        if schema is not None and schema.output_schema is not None:
            options.setdefault("response_model", schema.output_schema)
        self.app.add_api_route("/" + path.strip("/"), func, methods=methods or ["POST"], **options)

    def add_readiness_check(self, name: str, check: Check) -> None:
        """Make `/ready` ask `check`, which answers None or the reason why not."""
        self.health.add_check(name, check)

    async def require_caller(self, request: Request) -> Identity:
        """FastAPI dependency: who calls, or 401."""
        try:
            return self.verifier.verify(request.headers.get("authorization"))
        except AuthenticationError as error:
            raise HTTPException(401, str(error), headers={"WWW-Authenticate": "Bearer"}) from None

    def _add_probes(self) -> None:
        about = {"service": self.name, "version": VERSION}

        async def health() -> dict[str, str]:
            return {"status": "healthy", **about}

        async def ready() -> JSONResponse:
            readiness = await self.health.readiness()
            body = {"status": "ready" if readiness.ready else "not ready", **about, **self.health.details}
            if readiness.reasons:
                body["reasons"] = readiness.reasons
            return JSONResponse(body, status_code=200 if readiness.ready else 503)

        async def metrics() -> Response:
            from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

            return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

        for path, func in (("/health", health), ("/ready", ready), ("/metrics", metrics)):
            self.app.add_api_route(path, func, methods=["GET"], include_in_schema=path != "/metrics", tags=["probes"])


def run_service(build: Callable[[], Service]) -> int:
    """Build a service, set up its logs and traces, and serve it until a signal comes.

    Returns:
        The process's exit code: 0, 1 when it could not start, 2 when a setting is wrong. The reason is on stderr, in words.
    """

    def prepared() -> Service:
        service = build()
        settings = service.settings
        configure_logging(service.name, level=settings.log_level, log_format=settings.log_format)
        configure_tracing(service.name, endpoint=settings.otel_exporter_otlp_endpoint)
        return service

    try:
        return run(prepared)
    finally:
        shutdown_tracing()
