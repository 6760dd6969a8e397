"""From a call on a client object to an HTTP request, and from the answer to a value or an error. Pure, but for the headers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import structlog
from pydantic import BaseModel

from botswain_services import tracing
from botswain_services.auth import TokenIssuer
from botswain_services.endpoints import Endpoint
from botswain_services.errors import ClientError, ServiceCallError
from botswain_services.settings import DEVELOPMENT_SECRET
from botswain_services.transport import Answer, CallFailedError
from botswain_services.urls import is_loopback, parse_url

_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_issuers: dict[tuple[str, str], TokenIssuer] = {}


@dataclass(slots=True)
class Prepared:
    """One request, but for its headers. `path` may hold a query."""

    method: str
    path: str
    body: bytes | None


def prepare(endpoint: Endpoint, args: tuple[Any, ...], kwargs: dict[str, Any], *, validate_input: bool) -> Prepared:
    """The request that a call means: keywords, or one instance of the input schema.

    Raises:
        ClientError: neither was given.
        pydantic.ValidationError: the keywords don't fit the schema.
    """
    values = dict(kwargs)
    in_path = {
        name: values.pop(name) for name in endpoint.parameters if name in values and not _is_field(endpoint, name)
    }
    payload = _payload(endpoint, args, values, validate_input)
    for name in endpoint.parameters:
        if name not in in_path:
            known = payload.model_dump(mode="json") if isinstance(payload, BaseModel) else payload
            if name not in known:
                raise ClientError(f"{endpoint.path!r}: the path's parameter {name!r} was not given")
            in_path[name] = known[name]
    path = endpoint.path
    for name, value in in_path.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe="")).replace(f"{{{name}:path}}", quote(str(value)))
    if endpoint.method in _BODILESS:
        query = _query(payload)
        return Prepared(endpoint.method, f"{path}?{query}" if query else path, None)
    body = payload.model_dump_json() if isinstance(payload, BaseModel) else json.dumps(payload, default=_plain)
    return Prepared(endpoint.method, path, body.encode())


def _payload(endpoint: Endpoint, args: tuple[Any, ...], kwargs: dict[str, Any], validate: bool) -> Any:
    schema = endpoint.schema.input_schema
    if args:
        if len(args) != 1 or kwargs or (validate and not (schema is not None and isinstance(args[0], schema))):
            wanted = f"one {schema.__name__}" if schema is not None else "no positional argument"
            raise ClientError(f"{endpoint.path!r} takes keywords, or {wanted}")
        return args[0]
    if validate and schema is not None:
        return schema(**kwargs)
    return kwargs


def _is_field(endpoint: Endpoint, name: str) -> bool:
    schema = endpoint.schema.input_schema
    return schema is not None and name in schema.model_fields


def _query(payload: Any) -> str:
    values = payload.model_dump(mode="json", exclude_none=True) if isinstance(payload, BaseModel) else payload
    pairs = [
        (name, str(item).lower() if isinstance(item, bool) else str(item))
        for name, value in values.items()
        for item in (value if isinstance(value, (list, tuple, set)) else [value])
        if item is not None
    ]
    return urlencode(pairs)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def read(endpoint: Endpoint, answer: Answer, *, validate_output: bool, url: str) -> Any:
    """The value that an answer holds: an instance of the output schema, or with `validate_output=False` plain data.

    An empty answer is `{"success": True}`.

    Raises:
        ServiceCallError: the answer is an error.
        pydantic.ValidationError: it does not fit the schema.
    """
    if not 200 <= answer.status < 300:
        raise error_of(answer, endpoint.method, url)
    schema = endpoint.schema.output_schema
    if not answer.body:
        return {"success": True}
    if validate_output and schema is not None:
        return schema.model_validate_json(answer.body)
    try:
        return json.loads(answer.body)
    except ValueError:
        return answer.body.decode("utf-8", "replace")


def error_of(answer: Answer, method: str, url: str) -> ServiceCallError:
    """The error that an answer stands for."""
    text = answer.body.decode("utf-8", "replace")
    detail: Any = text[:1000] or f"status {answer.status}"
    try:
        document = json.loads(answer.body)
    except ValueError:
        pass
    else:
        if isinstance(document, dict) and "detail" in document:
            detail = document["detail"]
    request_id = answer.headers.get("x-request-id")
    return ServiceCallError(answer.status, detail, method=method, url=url, body=text, request_id=request_id)


def failure(error: CallFailedError, method: str, url: str, headers: Mapping[str, str]) -> ServiceCallError:
    """The error of a call that no answer came to: 504 when time ran out, else 503."""
    status = 504 if error.timed_out else 503
    return ServiceCallError(status, str(error), method=method, url=url, request_id=headers.get("X-Request-ID"))


def call_headers(base_url: str, audience: str | None) -> dict[str, str]:
    """Headers of every call: request id and trace of the current task, and credentials for `audience`."""
    context = structlog.contextvars.get_contextvars()
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "X-Request-ID": str(context.get("request_id") or tracing.new_request_id()),
    }
    traceparent = tracing.current_traceparent()
    if traceparent:
        headers["traceparent"] = traceparent
    headers.update(credentials(base_url, audience))
    return headers


def credentials(base_url: str, audience: str | None) -> dict[str, str]:
    """The header with a token for `audience`, of SERVICE_AUTH_SECRET.

    Without a secret the documented development one serves, towards this machine only; elsewhere: no header.
    """
    if audience is None:
        return {}
    secret = os.environ.get("SERVICE_AUTH_SECRET")
    if not secret:
        if not _is_here(base_url):
            return {}
        secret = DEVELOPMENT_SECRET
    issuer = _issuers.get((secret, audience))
    if issuer is None:
        issuer = _issuers[secret, audience] = TokenIssuer(secret, issuer="client", audience=audience)
    return issuer.header()


@lru_cache(maxsize=256)
def _is_here(base_url: str) -> bool:
    return is_loopback(parse_url(base_url).host)
