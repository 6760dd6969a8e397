"""`Gateway`: a service that serves other services, each below its name.

    GET /echo/docs  →  GET http://127.0.0.1:8010/docs

Requests whose first segment names an application leave the gateway's own routing before it begins. Whether an application
may be called is for the application to say: the gateway passes credentials on, and adds none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from fastapi import HTTPException, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from botswain_services.connection_manager import ConnectionManager
from botswain_services.gateway.addresses import allowed_hosts, check_url
from botswain_services.gateway.proxy import Proxy
from botswain_services.gateway.proxy_connection_manager import GatewayMethods
from botswain_services.gateway.registry import Registry
from botswain_services.gateway.types import (
    AppConfig,
    AppReference,
    GatewaySettings,
    RegisterAppTaskSchema,
    UnregisterAppTaskSchema,
)
from botswain_services.gateway.watching import Watch
from botswain_services.service import Service
from botswain_services.settings import ServiceSettings
from botswain_services.types import Heartbeat


class Gateway(Service):
    """One HTTP door to many services."""

    name = "gateway"
    settings_class: ClassVar[type[ServiceSettings]] = GatewaySettings
    _client_extension: ClassVar[type[ConnectionManager] | None] = GatewayMethods

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = self.settings
        assert isinstance(settings, GatewaySettings)
        self._allowed = allowed_hosts(settings.gateway_allowed_hosts)
        self._registry = Registry(Path(f"{self.pid_file}.apps") if self.pid_file else None)
        self._watch = Watch(
            self._registry, interval=settings.gateway_check_seconds, forget_after=settings.gateway_forget_seconds
        )
        self._proxy = Proxy(settings.gateway_upstream_timeout_seconds)
        self.parts += [self._watch, _Closing(self._proxy)]
        self.app.add_middleware(_Forwarding, gateway=self)
        self.app.user_middleware.append(self.app.user_middleware.pop(0))  # innermost: behind limits and logs
        origins = [origin.strip() for origin in settings.gateway_cors_origins.split(",") if origin.strip()]
        if origins:
            from fastapi.middleware.cors import CORSMiddleware

            self.app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"])
        self.add_endpoint("/register_app", self.register_app, RegisterAppTaskSchema(), scope="admin")
        self.add_endpoint("/unregister_app", self.unregister_app, UnregisterAppTaskSchema(), scope="admin")
        self.add_endpoint("/apps", self.apps, methods=["GET"])

    def register_app(self, payload: AppConfig) -> None:
        """Serve an application below `/<name>/`, in place of one of the same name.

        Raises:
            HTTPException: 422: the name is one of the gateway's own paths, or the URL is not allowed.
        """
        own = {str(getattr(route, "path", "")).strip("/").partition("/")[0] for route in self.app.routes}
        if payload.name in own:
            raise HTTPException(422, f"{payload.name!r} is a path of the gateway itself; choose another name")
        try:
            url = check_url(payload.url, self._allowed)
        except ValueError as error:
            raise HTTPException(422, f"url: {error}") from None
        if self._registry.get(payload.name) != str(url):
            self._registry.add(payload.name, str(url))
            self.logger.info("app_registered", app=payload.name, url=str(url))

    def unregister_app(self, payload: AppReference) -> None:
        """Serve an application no longer."""
        url = None
        if payload.url is not None:
            try:
                url = str(check_url(payload.url, self._allowed))
            except ValueError as error:
                raise HTTPException(422, f"url: {error}") from None
        self._registry.remove(payload.name, url)
        self.logger.info("app_unregistered", app=payload.name)

    def apps(self) -> dict[str, Any]:
        """The names of all applications."""
        return {"apps": sorted(self._registry.all())}

    async def forward_request(self, request: Request, app_name: str, path: str) -> Response:
        """The answer of the application `app_name` to a request for `path`.

        404 when there is none of that name, 503 when it is known to be dead, 502 when it can't be reached, 504 when it does
        not begin to answer in time; each with the reason.
        """
        url = self._registry.get(app_name)
        if url is None:
            return JSONResponse({"detail": f"no application is registered as {app_name!r}"}, 404)
        if self._watch.is_dead(app_name, url):
            return _dead(app_name)
        return await self._proxy.forward(request, app_name, url, path)

    async def forward_websocket(self, websocket: WebSocket, app_name: str, path: str) -> None:
        """Connect a websocket to the application `app_name`."""
        url = self._registry.get(app_name)
        if url is None or self._watch.is_dead(app_name, url):
            await websocket.send_denial_response(_dead(app_name))
            return
        await self._proxy.forward_websocket(websocket, app_name, url, path)

    def heartbeat(self) -> Heartbeat:
        """The gateway's heartbeat; `details` holds the last ones of its applications, by server id."""
        details: dict[UUID, Heartbeat] = self._watch.heartbeats()
        own = super().heartbeat()
        return Heartbeat(own.status, own.server_id, f"{own.message} Applications: {len(details)}.", details)

    async def heartbeat_func(self) -> Any:
        """Check the gateway and all its applications."""
        await self._watch.look()
        return {"heartbeat": self.heartbeat()}

    def knows(self, name: str) -> bool:
        """Whether an application of that name is registered."""
        return self._registry.get(name) is not None


def _dead(app_name: str) -> JSONResponse:
    return JSONResponse({"detail": f"{app_name} does not answer its health checks"}, 503, headers={"Retry-After": "5"})


class _Forwarding:
    """Takes the requests that are for applications out of the gateway's own routing."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self.app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            name, slash, path = scope["path"].lstrip("/").partition("/")
            if slash and self._gateway.knows(name):
                scope["botswain.route"] = f"/{name}/"
                if scope["type"] == "websocket":
                    await self._gateway.forward_websocket(WebSocket(scope, receive, send), name, path)
                    return
                response = await self._gateway.forward_request(Request(scope, receive, send), name, path)
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)


class _Closing:
    """Closes the proxy's connections at the gateway's end."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    async def started(self) -> None:
        """Nothing yet."""

    async def draining(self) -> None:
        """Requests under way still need it."""

    async def close(self) -> None:
        """Close."""
        await self._proxy.close()
