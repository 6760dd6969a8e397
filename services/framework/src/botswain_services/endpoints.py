"""What an endpoint is, and how a plain method becomes a function that FastAPI can serve.

Methods of services are written without FastAPI in mind. `adapt` gives their parameters the form that the endpoint's schema
and HTTP method imply: a model comes from the body, or from the query where there is no body; parameters without a type are
fields of the JSON body. Sync functions run in a thread (`threads`), as FastAPI would run them.
"""

from __future__ import annotations

import functools
import inspect
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, get_origin

from fastapi import Body, Query
from pydantic import BaseModel

from botswain_services.errors import EndpointError
from botswain_services.logs import get_logger
from botswain_services.threads import in_thread
from botswain_services.types import TaskSchema

_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}|\{[A-Za-z_]\w*(?::[a-z]+)?\})+")
_PARAMETER = re.compile(r"\{([A-Za-z_]\w*)(?::[a-z]+)?\}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a service. `path` has no leading slash; `method` is the one that clients use."""

    path: str
    methods: tuple[str, ...]
    schema: TaskSchema
    scope: str
    as_tool: bool

    @property
    def method(self) -> str:
        """GET where that does (it can be repeated), else the first that was given."""
        if self.schema.input_schema is None and "GET" in self.methods:
            return "GET"
        return "POST" if "POST" in self.methods else self.methods[0]

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the path's parameters."""
        return path_parameters(self.path)


def path_parameters(path: str) -> tuple[str, ...]:
    """Names of the `{parameters}` of a path."""
    return tuple(_PARAMETER.findall(path))


def clean_path(path: str) -> str:
    """The path without the slashes around it.

    Raises:
        EndpointError: it holds what no URL path does.
    """
    cleaned = path.strip("/")
    for segment in cleaned.split("/") if cleaned else ():
        if not _SEGMENT.fullmatch(segment):
            raise EndpointError(
                f"endpoint path {path!r}: {segment!r} is not a path segment. "
                "Use letters, digits and -._~!$&'()*+,;=:@, or a {parameter}; percent-encode anything else."
            )
    return cleaned


def clean_methods(path: str, methods: Iterable[str] | None) -> tuple[str, ...]:
    """Upper-case HTTP methods, POST when none were given.

    Raises:
        EndpointError: one is unknown.
    """
    names = tuple(dict.fromkeys(name.upper() for name in methods or ("POST",)))
    for name in names:
        if name not in _METHODS:
            raise EndpointError(
                f"endpoint {path!r}: {name!r} is not an HTTP method; known are {', '.join(sorted(_METHODS))}"
            )
    return names


def adapt(func: Callable[..., Any], schema: TaskSchema | None, method: str, path: str) -> Callable[..., Any]:
    """`func` as an async function with a signature that FastAPI reads as meant."""
    try:
        signature = inspect.signature(func, eval_str=True)
    except (NameError, TypeError, ValueError):
        return func  # FastAPI has its own word on types that can't be resolved here
    in_path = path_parameters(path)
    open_names = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and not _is_fastapi_default(parameter.default)
        and name not in in_path
    ]
    changed = {
        name: annotation
        for name, parameter in signature.parameters.items()
        if (annotation := _annotation(parameter, schema, method, open_names)) is not None
    }
    if not changed and inspect.iscoroutinefunction(func):
        return func
    parameters = [
        parameter.replace(annotation=changed.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
    ]
    return _with_signature(func, signature.replace(parameters=parameters))


def _annotation(
    parameter: inspect.Parameter, schema: TaskSchema | None, method: str, open_names: list[str]
) -> Any | None:
    """The annotation to use in place of the parameter's own; None: leave it."""
    bodiless = method in _WITHOUT_BODY
    if parameter.name in open_names:
        if schema is not None and schema.input_schema is not None and len(open_names) == 1:
            return Annotated[schema.input_schema, Query()] if bodiless else schema.input_schema
        return None if bodiless else Annotated[Any, Body(embed=True)]
    annotation = parameter.annotation
    if (
        bodiless
        and inspect.isclass(annotation)
        and get_origin(annotation) is None
        and issubclass(annotation, BaseModel)
    ):
        return Annotated[annotation, Query()]
    return None


def _is_fastapi_default(default: Any) -> bool:
    return type(default).__module__.startswith("fastapi.")


def _with_signature(func: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await func(*args, **kwargs)

    else:

        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            return await in_thread(func, *args, **kwargs)

    wrapper.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect.signature
    wrapper.__annotations__ = {name: p.annotation for name, p in signature.parameters.items()}
    return wrapper


def logged(
    func: Callable[..., Any], *, service_name: str, log_level: int = logging.INFO, **options: Any
) -> Callable[..., Any]:
    """`func` with a log line when it ends: its name, how long it took, and whether it raised.

    Args:
        func: sync or async.
        service_name: stands in the line.
        log_level: level of the line; a failure's is ERROR.
        options: `include_duration` (default True), `include_system_metrics` and `system_metrics` as in the middleware.
    """
    logger = get_logger("botswain_services.operations")
    name = getattr(func, "__name__", type(func).__name__)
    figures = _figures(options)

    def done(started: float, error: BaseException | None) -> None:
        fields: dict[str, Any] = {"operation": name, "service_name": service_name, **figures()}
        if options.get("include_duration", True):
            fields["duration_ms"] = round((time.perf_counter() - started) * 1000, 3)
        if error is None:
            logger.log(log_level, "operation_completed", **fields)
        else:
            logger.error("operation_failed", error_type=type(error).__name__, **fields)

    if inspect.iscoroutinefunction(func):

        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                result = await func(*args, **kwargs)
            except BaseException as error:
                done(started, error)
                raise
            done(started, None)
            return result

    else:

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                result = func(*args, **kwargs)
            except BaseException as error:
                done(started, error)
                raise
            done(started, None)
            return result

    return wrapper


def _figures(options: dict[str, Any]) -> Callable[[], dict[str, Any]]:
    if not options.get("include_system_metrics"):
        return dict
    from botswain_services.middleware import ProcessFigures

    figures = ProcessFigures(options.get("system_metrics") or None, None)
    return lambda: {"metrics": figures.read()}
