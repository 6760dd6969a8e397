"""The functions that a service's author uses beside `Service`: decorators, and the generator of clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import FastAPI

from botswain_services.endpoints import clean_path
from botswain_services.generation import generate_connection_manager

if TYPE_CHECKING:
    from botswain_services.connection_manager import ConnectionManager
    from botswain_services.service import Service

__all__ = ["add_endpoint", "generate_connection_manager", "register_connection_manager"]

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound="Service")
_OWN_OPTIONS = ("schema", "autolog_kwargs", "methods", "scope", "as_tool")


def add_endpoint(app: FastAPI, path: str, self: Service | None, **kwargs: Any) -> Callable[[F], F]:
    """Decorator that serves a function at `path`, as `Service.add_endpoint` does.

    Args:
        app: the application that gets the route.
        path: with or without the leading slash.
        self: the service; None: a plain route of `app`.
        kwargs: `schema`, `methods`, `scope`, `as_tool` and `autolog_kwargs` as for `Service.add_endpoint`; all others are
            for FastAPI's `add_api_route`.
    """
    own = {name: kwargs.pop(name) for name in _OWN_OPTIONS if name in kwargs}

    def decorate(func: F) -> F:
        if self is None:
            app.add_api_route(f"/{clean_path(path)}", func, methods=own.get("methods") or ["POST"], **kwargs)
        else:
            self._register(
                app,
                path,
                func,
                own.get("schema"),
                kwargs,
                own.get("autolog_kwargs"),
                own.get("methods"),
                own.get("scope", "public"),
                own.get("as_tool", False),
            )
        return func

    return decorate


def register_connection_manager(connection_manager: type[ConnectionManager]) -> Callable[[type[S]], type[S]]:
    """Class decorator: `connect()` and `launch()` of the service return `connection_manager`."""

    def decorate(service_class: type[S]) -> type[S]:
        service_class.register_connection_manager(connection_manager)
        return service_class

    return decorate
