"""Error answers that say what was wrong and where, the same for every service.

The body is `{"detail": …}`. For a schema violation (422) `detail` is a list of `{"loc": [...], "msg", "type"}`; the values
that were sent are not repeated, because one may be a secret.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from botswain_services.errors import ServiceCallError

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def add_handlers(app: FastAPI) -> None:
    """Make `app` answer with these forms."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(ServiceCallError, _failed_call)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    syntax = next((problem for problem in problems if problem["type"] == "json_invalid"), None)
    if syntax is not None:
        reason = syntax.get("ctx", {}).get("error", "it can't be parsed")
        position = syntax["loc"][-1] if len(syntax["loc"]) > 1 else "?"
        return JSONResponse({"detail": f"the body is not JSON: {reason} (at character {position})"}, 400)
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    whole_body = any(tuple(problem["loc"]) == ("body",) and problem["type"] != "missing" for problem in problems)
    reason = f"the content type is {sent!r}" if sent else "no content type was sent"
    if whole_body and sent != "application/json" and not sent.endswith("+json") and sent not in _FORMS:
        return JSONResponse({"detail": f"{reason}; send application/json"}, 415)
    detail = [
        {"loc": [_plain(part) for part in item["loc"]], "msg": item["msg"], "type": item["type"]} for item in problems
    ]
    return JSONResponse({"detail": detail}, 422)


def _plain(part: Any) -> str | int:
    return part if isinstance(part, int) else str(part).encode("utf-8", "replace").decode()


async def _failed_call(_request: Request, error: Exception) -> JSONResponse:
    """A call this service made failed: that is its own failure, not its caller's mistake."""
    assert isinstance(error, ServiceCallError)
    status = error.status_code if error.status_code in (503, 504) else 502
    return JSONResponse({"detail": f"a service that this one depends on failed: {error}"}, status)
