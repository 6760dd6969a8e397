"""Making a client class from a service class: one method, and one async method, an endpoint."""

from __future__ import annotations

import inspect
import keyword
import re
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botswain_services.connection_manager import ConnectionManager
from botswain_services.endpoints import Endpoint
from botswain_services.errors import ClientError

if TYPE_CHECKING:
    from botswain_services.service import Service

PROTECTED = ("shutdown", "ashutdown", "status", "astatus")
_generated: weakref.WeakKeyDictionary[type[Service], type[ConnectionManager]] = weakref.WeakKeyDictionary()
_OPTIONS = [
    inspect.Parameter("validate_input", inspect.Parameter.KEYWORD_ONLY, default=True, annotation=bool),
    inspect.Parameter("validate_output", inspect.Parameter.KEYWORD_ONLY, default=True, annotation=bool),
    inspect.Parameter("timeout", inspect.Parameter.KEYWORD_ONLY, default=60, annotation=float),
]


def client_class(service_class: type[Service], init: dict[str, Any] | None = None) -> type[ConnectionManager]:
    """The generated client class of a service, made once. `init`: constructor arguments it can't be made without."""
    known = _generated.get(service_class)
    if known is None:
        known = generate_connection_manager(service_class, init=init)
        extension = service_class._client_extension
        if extension is not None:
            known = type(known.__name__, (extension, known), {"__doc__": known.__doc__})
        _generated[service_class] = known
    return known


def generate_connection_manager(
    service_cls: type[Service],
    protected_methods: list[str] = list(PROTECTED),  # noqa: B006 - the documented signature; it is only read
    *,
    init: dict[str, Any] | None = None,
) -> type[ConnectionManager]:
    """A `ConnectionManager` class with two methods an endpoint: `<name>` and, async, `a<name>`.

    Both take keywords or one instance of the endpoint's input schema, and `validate_input`, `validate_output` (False: plain
    data) and `timeout` in seconds. What is no letter, digit or underscore in a path becomes an underscore in the name.

    Args:
        service_cls: the service; an instance is made, with `live_service=False` if it takes that, to see its endpoints.
        protected_methods: names that stay as they are.
        init: more arguments for that instance.

    Raises:
        ClientError: the instance can't be made, or two endpoints would get methods of one name.
    """
    endpoints = _endpoints_of(service_cls, init or {})
    body: dict[str, Any] = {
        "_service_class": service_cls,
        "_service_endpoints": {endpoint.path: endpoint for endpoint in endpoints},
        "__doc__": f"Client of {service_cls.__name__}, made from its endpoints.",
        "__module__": service_cls.__module__,
    }
    owners: dict[str, str] = {}
    for endpoint in endpoints:
        name = method_name(endpoint.path)
        for method, make in ((name, _sync_method), (f"a{name}", _async_method)):
            if method in protected_methods:
                continue
            if hasattr(ConnectionManager, method):
                raise ClientError(
                    f"{service_cls.__name__}: endpoint {endpoint.path!r} would replace ConnectionManager.{method}; rename it"
                )
            if method in owners:
                raise ClientError(
                    f"{service_cls.__name__}: endpoints {owners[method]!r} and {endpoint.path!r} would both be "
                    f"the client's method {method!r}; rename one"
                )
            owners[method] = endpoint.path
            body[method] = make(method, endpoint)
    return type(f"{service_cls.__name__}ConnectionManager", (ConnectionManager,), body)


def method_name(path: str) -> str:
    """The name of the method that calls the endpoint at `path`."""
    name = re.sub(r"\W", "_", re.sub(r"\{(\w+)(?::\w+)?\}", r"\1", path), flags=re.ASCII) or "root"
    return f"_{name}" if name[0].isdigit() else f"{name}_" if keyword.iskeyword(name) else name


def _endpoints_of(service_class: type[Service], init: dict[str, Any]) -> list[Endpoint]:
    from botswain_services.service import construction

    arguments = accepted(service_class, {"live_service": False, **init})
    token = construction.set({"live_service": False})
    try:
        return list(service_class(**arguments)._routes.values())
    except TypeError as error:
        raise ClientError(
            f"no client can be made for {service_class.__name__}: its constructor can't be called with "
            f"{sorted(arguments) or 'no arguments'} ({error})"
        ) from error
    finally:
        construction.reset(token)


def accepted(service_class: type[Service], arguments: dict[str, Any]) -> dict[str, Any]:
    """Those of `arguments` that the class's constructor takes."""
    parameters = inspect.signature(service_class.__init__).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return arguments
    names = {parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY}
    return {name: value for name, value in arguments.items() if name in names}


def _sync_method(name: str, endpoint: Endpoint) -> Callable[..., Any]:
    def method(self: ConnectionManager, *args: Any, **kwargs: Any) -> Any:
        return self.call(endpoint, *args, **kwargs)

    return _described(method, name, endpoint, f"Calls {endpoint.method} /{endpoint.path}.")


def _async_method(name: str, endpoint: Endpoint) -> Callable[..., Any]:
    async def method(self: ConnectionManager, *args: Any, **kwargs: Any) -> Any:
        return await self.acall(endpoint, *args, **kwargs)

    return _described(method, name, endpoint, f"Calls {endpoint.method} /{endpoint.path}, from asyncio.")


def _described(method: Callable[..., Any], name: str, endpoint: Endpoint, doc: str) -> Callable[..., Any]:
    """Give the method the name and signature that editors and `help()` show."""
    method.__name__ = method.__qualname__ = name
    method.__doc__ = doc
    empty = inspect.Parameter.empty
    fields = endpoint.schema.input_schema.model_fields if endpoint.schema.input_schema is not None else {}
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)]
    parameters.append(inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL))
    parameters += [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            default=empty if about.is_required() else about.default,
            annotation=about.annotation,
        )
        for field, about in fields.items()
        if field.isidentifier() and not keyword.iskeyword(field) and field not in {"self", "args"}
    ]
    parameters += [option for option in _OPTIONS if option.name not in fields]
    if not fields:
        parameters.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
    output = endpoint.schema.output_schema or Any
    method.__signature__ = inspect.Signature(parameters, return_annotation=output)  # type: ignore[attr-defined]  # for inspect
    return method
