"""`Service`: one process with an HTTP API, probes, MCP tools and, if it adds servicers, gRPC.

Every service of the platform is one.
A subclass adds endpoints in `__init__`, opens what it needs in `startup()`, finishes its work in `drain()` and lets go in
`shutdown_cleanup()`. `run_service()` serves it in this process, `Service.launch()` in one of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from botswain_services import lifecycle, naming, problems
from botswain_services.access import SCOPES, Access
from botswain_services.auth import Identity, TokenVerifier
from botswain_services.default_endpoints import VERSION, add_default_endpoints, add_probes
from botswain_services.endpoints import Endpoint, adapt, clean_methods, clean_path, logged, path_parameters
from botswain_services.errors import EndpointError
from botswain_services.health import Check, Health
from botswain_services.launchable import Launchable
from botswain_services.limits import BodyLimitMiddleware
from botswain_services.logs import configure_logging, get_logger
from botswain_services.mcp_server import McpAccess, McpServer
from botswain_services.middleware import PrefixMiddleware, RequestLoggingMiddleware
from botswain_services.quick_route import QuickRoute
from botswain_services.settings import DEVELOPMENT_SECRET, ServiceSettings, local_settings
from botswain_services.tracing import configure_tracing, shutdown_tracing
from botswain_services.types import (
    Heartbeat,
    ServerStatus,
    TaskSchema,
)
from botswain_services.urls import Url, is_loopback

if TYPE_CHECKING:
    from botswain_services.rpc.server import RpcServer


construction: ContextVar[dict[str, Any] | None] = ContextVar("botswain_construction", default=None)
"""Constructor arguments (`url`, `pid_file`, `live_service`) for subclasses whose own constructors don't hand them on."""

_STATUS = {
    "created": ServerStatus.AVAILABLE,
    "starting": ServerStatus.LAUNCHING,
    "running": ServerStatus.AVAILABLE,
    "draining": ServerStatus.STOPPING,
}


class Service(Launchable):
    """Base of every service.

    `name` is its audience in JWTs, its name in logs and in `/health`; a subclass that sets none is called like its class.
    """

    name: ClassVar[str] = "service"
    mcp: ClassVar[McpAccess] = McpAccess()
    """Of the class: connects MCP clients. Of an instance: its FastMCP server."""
    settings_class: ClassVar[type[ServiceSettings]] = ServiceSettings
    """What is read from the environment when no settings are given."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = [base.__dict__ for base in cls.__mro__ if base is not Service]
        named = any("name" in names and "_named_by_class" not in names for names in own)
        if not named:
            cls.name = cls.__name__
            cls._named_by_class = True

    _named_by_class: ClassVar[bool]

    def __init__(
        self,
        *,
        url: str | Url | None = None,
        host: str | None = None,
        port: int | None = None,
        summary: str | None = None,
        description: str | None = None,
        terms_of_service: str | None = None,
        license_info: dict[str, str | Any] | None = None,
        live_service: bool = True,
        pid_file: str | None = None,
        settings: ServiceSettings | None = None,
        grpc_port: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Prepare to serve; nothing is opened yet.

        Args:
            url: where to serve; before `host` and `port`, which complete the class's default URL.
            host: address to bind to.
            port: port to bind to; 0: any free one.
            summary: one line for the API's documentation.
            description: text for the API's documentation.
            terms_of_service: URL for the API's documentation.
            license_info: licence for the API's documentation (`{"name": …, "url": …}`).
            live_service: False when the instance is made only to look at its endpoints; subclasses skip what is expensive.
            pid_file: where the process id is kept by who launched it; its name holds the server id.
            settings: what the environment set; read from it when not given.
            grpc_port: serve gRPC too, there; 0: any free port.
            kwargs: ignored, with a line in the log, so that subclasses may hand on all they were given.
        """
        given = construction.get() or {}
        url = given.get("url") if url is None and host is None and port is None else url
        self.live_service: bool = live_service and given.get("live_service", True)
        self.pid_file: str | None = pid_file or given.get("pid_file")
        self.id = naming.server_id_of(self.pid_file)
        self._url = self.build_url(url=url, host=host, port=port)
        self.host: str = self._url.host or "localhost"
        self.port: int = self._url.port if self._url.port is not None else 80
        loopback = is_loopback(self.host) or not self.live_service
        self.settings = settings or local_settings(self.settings_class, loopback=loopback)
        self.shutdown_grace_seconds = self.settings.shutdown_grace_seconds
        self.request_timeout_seconds = self.settings.request_timeout_seconds
        self.logger = get_logger(self.name)
        self.health = Health()
        secret = self.settings.service_auth_secret.get_secret_value()
        self.verifier = TokenVerifier(secret, audience=self.name)
        self.access = Access(
            self.verifier,
            development=self.settings.botswain_env == "development",
            public_secret=secret == DEVELOPMENT_SECRET,
        )
        self.rpc: RpcServer | None = self._make_rpc(grpc_port) if grpc_port is not None else None
        self._endpoints: dict[str, TaskSchema] = {}
        self._routes: dict[str, Endpoint] = {}
        self._own_routes: int | None = None
        """How many routes of the subclass stand before the default ones, which are asked for less."""
        self._mcp = McpServer(self.name, description or f"{self.name} MCP server", self.access)
        self.parts: list[lifecycle.Part] = [self._mcp]
        if self.settings.api_gateway_url and self.live_service:
            from botswain_services.gateway.registration import Registration

            self.parts.insert(0, Registration(self, self.settings.api_gateway_url))
        self.app = FastAPI(
            title=self.name,
            version=VERSION,
            summary=summary,
            description=description or "",
            terms_of_service=terms_of_service,
            license_info=license_info,
            lifespan=self._lifespan,
        )
        self.app.router.route_class = QuickRoute
        self._add_middleware()
        add_probes(self)
        add_default_endpoints(self)
        self._own_routes = 0
        self.app.mount(self.get_mcp_paths()[0], self._mcp)
        if kwargs:
            self.logger.warning("unknown_parameters_ignored", parameters=sorted(kwargs))

    # What subclasses override ----------------------------------------------------------------------------------------

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

    def heartbeat(self) -> Heartbeat:
        """A complete check of the service."""
        return Heartbeat(status=self._current_status(), server_id=self.id, message="The service answers.", details=None)

    # Endpoints and tools ---------------------------------------------------------------------------------------------

    @property
    def endpoints(self) -> dict[str, TaskSchema]:
        """The schemas of all endpoints, by path without the leading slash."""
        return self._endpoints

    @property
    def status(self) -> ServerStatus:
        """The current status of this service."""
        return self._current_status()

    @property
    def url(self) -> Url:
        """Where the service serves."""
        return self._url._replace(port=self.port)

    def add_endpoint(
        self,
        path: str,
        func: Callable[..., Any],
        schema: TaskSchema | type[TaskSchema] | None = None,
        api_route_kwargs: dict[str, Any] | None = None,
        autolog_kwargs: dict[str, Any] | None = None,
        methods: list[str] | None = None,
        scope: str = "public",
        as_tool: bool = False,
    ) -> None:
        """Serve `func` at `path`.

        Args:
            path: with or without the leading slash.
            func: sync or async. A parameter that is a Pydantic model comes from the body (of GET and DELETE: from the
                query), parameters without a type are fields of the JSON body, all others are as FastAPI takes them.
            schema: what it takes and gives; the generated client's method follows it. Of a class an instance is made.
            api_route_kwargs: more for FastAPI's `add_api_route`.
            autolog_kwargs: log a line for every call: `log_level`, `include_duration`, `include_system_metrics`,
                `system_metrics`.
            methods: POST when not given.
            scope: `public`; `service`: a JWT for this service is asked for; `admin`: the same, but on a loopback address in
                development anybody on this machine may call.
            as_tool: make it an MCP tool too.

        Raises:
            EndpointError: the path is taken, or is none; a method or the scope is unknown.
        """
        self._register(self.app, path, func, schema, api_route_kwargs, autolog_kwargs, methods, scope, as_tool)

    def add_tool(self, tool_name: str, func: Callable[..., Any]) -> None:
        """Make `func` an MCP tool. Its docstring, with the names of tool and service, describes it to models."""
        self._mcp.add(tool_name, func)

    def add_readiness_check(self, name: str, check: Check) -> None:
        """Make `/ready` ask `check`, which answers None or the reason why not."""
        self.health.add_check(name, check)

    async def require_caller(self, request: Request) -> Identity:
        """FastAPI dependency: who calls, or 401."""
        return await self.access.require_service(request)

    def _register(
        self,
        app: FastAPI,
        path: str,
        func: Callable[..., Any],
        schema: TaskSchema | type[TaskSchema] | None,
        api_route_kwargs: dict[str, Any] | None,
        autolog_kwargs: dict[str, Any] | None,
        methods: list[str] | None,
        scope: str,
        as_tool: bool,
    ) -> None:
        cleaned, verbs = clean_path(path), clean_methods(path, methods)
        if scope not in SCOPES:
            raise EndpointError(f"endpoint {path!r}: unknown scope {scope!r}; known are {', '.join(SCOPES)}")
        taken = self._routes.get(cleaned)
        if taken is not None and set(taken.methods) & set(verbs):
            raise EndpointError(f"endpoint {path!r} ({', '.join(verbs)}) is registered already")
        schema = schema() if isinstance(schema, type) else schema  # type: ignore[call-arg]  # such classes have their own name
        options = dict(api_route_kwargs or {})
        if scope != "public":
            guard = self.access.require_service if scope == "service" else self.access.require_admin
            options["dependencies"] = [*options.get("dependencies", ()), Depends(guard)]
        if schema is not None and schema.output_schema is not None:
            options.setdefault("response_model", schema.output_schema)
        called = logged(func, service_name=self.name, **autolog_kwargs) if autolog_kwargs is not None else func
        for verb in verbs:
            own = {"operation_id": f"{cleaned}_{verb.lower()}", **options}
            app.add_api_route(f"/{cleaned}", adapt(called, schema, verb, cleaned), methods=[verb], **own)
            if self._own_routes is not None and app is self.app and not path_parameters(cleaned):
                app.router.routes.insert(self._own_routes, app.router.routes.pop())
                self._own_routes += 1
        if taken is None:
            self._endpoints[cleaned] = schema or TaskSchema(name=cleaned)
            self._routes[cleaned] = Endpoint(cleaned, verbs, self._endpoints[cleaned], scope, as_tool)
        if as_tool:
            self._mcp.add(cleaned, func, scope=scope, schema=schema)

    # Default endpoints -----------------------------------------------------------------------------------------------

    def endpoints_func(self) -> dict[str, Any]:
        """List all endpoints of the service."""
        return {"endpoints": list(self._endpoints)}

    def status_func(self) -> dict[str, Any]:
        """Tell the current status of the service."""
        return {"status": self._current_status()}

    def heartbeat_func(self) -> Any:
        """Check the service completely."""
        return {"heartbeat": self.heartbeat()}

    def class_name_func(self) -> dict[str, str]:
        """Tell the name of the service's class."""
        return {"class_name": type(self).__name__}

    def server_id_func(self) -> dict[str, Any]:
        """Tell the id of this instance of the service."""
        return {"server_id": self.id}

    def pid_file_func(self) -> dict[str, Any]:
        """Tell where the service's process id is kept."""
        return {"pid_file": self.pid_file}

    @staticmethod
    def shutdown() -> Response:
        """End the service this is called in: what is under way is finished first."""
        if lifecycle.request_stop():
            return JSONResponse({"shutdown": True})
        return JSONResponse({"detail": "this application is served by another server, which has to end it"}, 409)

    def _current_status(self) -> ServerStatus:
        return _STATUS[self.health.phase]

    def _add_middleware(self) -> None:
        problems.add_handlers(self.app)
        observe = None
        if self.live_service:
            from botswain_services.metrics import observe_http

            observe = observe_http
        self.app.add_middleware(
            BodyLimitMiddleware, max_bytes=self.settings.max_body_bytes, timeout=self.settings.request_timeout_seconds
        )
        self.app.add_middleware(PrefixMiddleware)
        self.app.add_middleware(RequestLoggingMiddleware, service_name=self.name, observe=observe)

    def _make_rpc(self, port: int) -> RpcServer:
        from botswain_services.rpc.server import RpcServer

        return RpcServer(self.host, port, self.verifier, reflection=self.settings.grpc_reflection)

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Under a server of somebody else's: the same order as `lifecycle.serve`, which leaves this out."""
        self.health.phase = "starting"
        try:
            await self.startup()
            self.health.phase = "running"
            yield
        finally:
            self.health.phase = "draining"
            await self.drain()
            await self.shutdown_cleanup()
            for part in self.parts:
                await part.close()


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
        return lifecycle.run(prepared)
    finally:
        shutdown_tracing()
