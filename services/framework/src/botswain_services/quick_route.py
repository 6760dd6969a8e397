"""A short way for the commonest kind of endpoint: one JSON model in, one model out, nothing else.

FastAPI prepares for dependencies, forms, parameters of five kinds; for a call between services that is half of the time. A
route that needs none of it parses with Pydantic straight from the bytes, and writes straight to bytes. Whatever goes wrong
with the input goes FastAPI's own way, so errors are the same; so are the API's documents, which are not made here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeGuard

from fastapi import Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.exceptions import ResponseValidationError
from fastapi.params import Body, File, Form
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_JSON = b"application/json"


class QuickRoute(APIRoute):
    """An `APIRoute` that takes the short way where it can."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        model = _only_model(self, options)
        if model is not None:
            name = self.dependant.body_params[0].name
            self.app = _quick(self.endpoint, name, model, TypeAdapter(self.response_model), self.app)


def _only_model(route: APIRoute, options: dict[str, Any]) -> type[BaseModel] | None:
    """The model of the body, where the body is all that the endpoint takes, and its answer an ordinary one with a model."""
    needs = route.dependant
    others = (
        needs.path_params,
        needs.query_params,
        needs.header_params,
        needs.cookie_params,
        needs.dependencies,
        needs.request_param_name,
        needs.websocket_param_name,
        needs.http_connection_param_name,
        needs.response_param_name,
        needs.background_tasks_param_name,
        needs.security_scopes_param_name,
        route.dependencies,
        route.response_model_include,
        route.response_model_exclude,
        route.response_model_exclude_unset,
        route.response_model_exclude_defaults,
        route.response_model_exclude_none,
        route._embed_body_fields,
        options.get("max_body_size"),
    )
    if any(others) or len(needs.body_params) != 1:
        return None
    if not (
        route.status_code is None
        and route.response_model_by_alias
        and isinstance(route.response_class, DefaultPlaceholder)
        and _is_model(route.response_model)
        and inspect.iscoroutinefunction(route.endpoint)
    ):
        return None
    about = needs.body_params[0].field_info
    annotation = about.annotation
    if isinstance(about, (Form, File)) or not isinstance(about, Body) or not _is_model(annotation):
        return None
    return annotation


def _is_model(annotation: Any) -> TypeGuard[type[BaseModel]]:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def _quick(
    call: Callable[..., Any], name: str, model: type[BaseModel], output: TypeAdapter[Any], usual: ASGIApp
) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if _content_type(scope) != _JSON:
            await usual(scope, receive, send)
            return
        message = await receive()
        body = message.get("body", b"")
        if message.get("more_body"):
            message = await _whole(message, receive)
            body = message.get("body", b"")
        try:
            payload = model.model_validate_json(body)
        except ValidationError:
            await usual(scope, _from(message, receive), send)  # says what is wrong
            return
        result = await call(**{name: payload})
        if isinstance(result, Response):
            await result(scope, receive, send)
            return
        try:
            answer = output.dump_json(output.validate_python(result, from_attributes=True), by_alias=True)
        except ValidationError as error:
            raise ResponseValidationError(errors=error.errors(), body=result) from error
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", _JSON)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


def _content_type(scope: Scope) -> bytes | None:
    for key, value in scope["headers"]:
        if key == b"content-type":
            return value  # type: ignore[no-any-return]  # as ASGI has it
    return None


async def _whole(first: Message, receive: Receive) -> Message:
    """The body's parts as one message; a client that leaves half-way is the last message."""
    parts = [first.get("body", b"")]
    message = first
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return message
        parts.append(message.get("body", b""))
    return {"type": "http.request", "body": b"".join(parts), "more_body": False}


def _from(first: Message, receive: Receive) -> Receive:
    """`receive`, with a message before that was received already."""
    waiting = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
