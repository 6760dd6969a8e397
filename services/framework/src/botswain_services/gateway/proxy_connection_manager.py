"""Clients that reach services through a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botswain_services import naming
from botswain_services.connection_manager import ConnectionManager
from botswain_services.endpoints import Endpoint
from botswain_services.errors import ClientError
from botswain_services.generation import method_name
from botswain_services.urls import Url

if TYPE_CHECKING:
    from collections.abc import Callable


class ProxyConnectionManager(ConnectionManager):
    """A client with the methods of another one, whose calls go through a gateway.

    Args:
        gateway_url: the gateway's base URL.
        app_name: the name the service is registered under.
        original_cm: the service's own client, a generated one: its endpoints and schemas are taken over.
    """

    def __init__(self, gateway_url: str | Url, app_name: str, original_cm: ConnectionManager) -> None:
        if not original_cm._service_endpoints:
            raise ClientError(f"{type(original_cm).__name__} tells nothing of its endpoints; give a generated client")
        base = naming.build_url("Gateway", gateway_url, None, None)
        super().__init__(base._replace(path=f"{base.path}{app_name}/"))
        self.gateway_url = str(base).rstrip("/")
        self.app_name = app_name
        self.original_cm = original_cm
        for endpoint in original_cm._service_endpoints.values():
            name = method_name(endpoint.path)
            if not hasattr(ConnectionManager, name):
                setattr(self, name, _bound(self.call, endpoint))
            if not hasattr(ConnectionManager, f"a{name}"):
                setattr(self, f"a{name}", _bound(self.acall, endpoint))

    @property
    def _audience(self) -> str | None:
        """The service checks the token, not the gateway."""
        return self.original_cm._audience

    def _still_answers(self) -> bool:
        """The gateway goes on; the service behind it is asked by itself."""
        from botswain_services.connecting import is_listening

        return is_listening(self.original_cm.url)


def _bound(call: Callable[..., Any], endpoint: Endpoint) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        return call(endpoint, *args, **kwargs)

    method.__name__ = method_name(endpoint.path)
    method.__doc__ = f"Calls {endpoint.method} /{endpoint.path} through the gateway."
    return method


class GatewayMethods(ConnectionManager):
    """What a gateway's client has beside its generated methods."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._registered_apps: dict[str, ProxyConnectionManager] = {}

    @property
    def registered_apps(self) -> list[str]:
        """Names of the applications that were registered here with a client of their own."""
        return list(self._registered_apps)

    def register_app(
        self, name: str, url: str | Url, connection_manager: ConnectionManager | None = None, **options: Any
    ) -> Any:
        """Register an application.

        With `connection_manager`, its own client, it can be called through the gateway as `<this client>.<name>`.
        """
        result = self.call(self._service_endpoints["register_app"], name=name, url=str(url), **options)
        self._attach(name, connection_manager)
        return result

    async def aregister_app(
        self, name: str, url: str | Url, connection_manager: ConnectionManager | None = None, **options: Any
    ) -> Any:
        """As `register_app()`, from asyncio."""
        result = await self.acall(self._service_endpoints["register_app"], name=name, url=str(url), **options)
        self._attach(name, connection_manager)
        return result

    def _attach(self, name: str, connection_manager: ConnectionManager | None) -> None:
        if connection_manager is None:
            return
        if not name.isidentifier() or hasattr(type(self), name):
            raise ClientError(f"{name!r} can't be an attribute of this client; use ProxyConnectionManager for it")
        proxy = ProxyConnectionManager(self.url, name, connection_manager)
        self._registered_apps[name] = proxy
        setattr(self, name, proxy)
