"""A short way for the commonest kind of endpoint: one JSON model in, one model out, nothing else.

FastAPI prepares for dependencies, forms, parameters of five kinds; for a call between services that is half of the time. A
route that needs none of it parses with Pydantic straight from the bytes, and writes straight to bytes. Whatever goes wrong
with the input goes FastAPI's own way, so errors are the same; so are the API's documents, which are not made here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.exceptions import ResponseValidationError
from fastapi.params import Body, File, Form
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class QuickRoute(APIRoute):
    """An `APIRoute` that takes the short way where it can."""

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        usual = super().get_route_handler()
        if not _is_plain(self):
            return usual
        parameters = self.dependant.body_params
        if not parameters:
            return usual
        field = parameters[0]
        model = field.field_info.annotation
        if (
            self._embed_body_fields
            or isinstance(field.field_info, (Form, File))
            or not isinstance(field.field_info, Body)
        ):
            return usual
        if not (inspect.isclass(model) and issubclass(model, BaseModel)):
            return usual
        return _quick(self.endpoint, field.name, model, TypeAdapter(self.response_model), usual)


def _is_plain(route: APIRoute) -> bool:
    """Nothing but one body parameter, an ordinary answer with a model, and no options about either."""
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
    )
    return (
        not any(others)
        and len(needs.body_params) == 1
        and route.status_code is None
        and route.response_model_by_alias
        and isinstance(route.response_class, DefaultPlaceholder)
        and inspect.isclass(route.response_model)
        and issubclass(route.response_model, BaseModel)
        and inspect.iscoroutinefunction(route.endpoint)
    )


def _quick(
    call: Callable[..., Any], name: str, model: type[BaseModel], output: TypeAdapter[Any], usual: Handler
) -> Handler:
    async def handle(request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            return await usual(request)
        body = await request.body()
        try:
            payload = model.model_validate_json(body)
        except ValidationError:
            return await usual(request)  # says what is wrong; the body stays readable
        result = await call(**{name: payload})
        if isinstance(result, Response):
            return result
        try:
            answer = output.validate_python(result, from_attributes=True)
        except ValidationError as error:
            raise ResponseValidationError(errors=error.errors(), body=result) from error
        return Response(output.dump_json(answer, by_alias=True), media_type="application/json")

    return handle
