"""Reads request bodies: JSON, multipart with files, and plain forms."""

import re

import orjson
from aiohttp import BodyPartReader, web

from botswain_simulator.rest import errors
from botswain_simulator.rest.routing import Body, File

MAX_REQUEST_BYTES = 25 * 1024 * 1024
"""Discord docs: resources/message, "Limitations"."""

_FILE_NAME = re.compile(r"files?(?:\[\d+\])?|file\d+")


async def read(request: web.Request) -> Body:
    """The body of a request. Raises ApiError for what can't be read."""
    if not request.body_exists:
        return Body()
    try:
        if request.content_type.startswith("multipart/"):
            return await _multipart(request)
        if request.content_type == "application/x-www-form-urlencoded":
            form = await request.post()
            return Body({key: value for key, value in form.items() if isinstance(value, str)} or None)
        return Body(_json(await request.read()))
    except web.HTTPRequestEntityTooLarge:
        raise errors.too_large() from None


def _json(raw: bytes) -> object:
    if not raw.strip():
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise errors.ApiError(400, 50109, "The request body contains invalid JSON.") from None


async def _multipart(request: web.Request) -> Body:
    body = Body()
    fields: dict[str, object] = {}
    size = 0
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            data = bytes(await part.read(decode=True))
            size += len(data)
            if size > MAX_REQUEST_BYTES:
                raise errors.too_large()
            name = part.name or ""
            if part.filename is not None or _FILE_NAME.fullmatch(name):
                content_type = part.headers.get("Content-Type", "application/octet-stream")
                body.files[name] = File(part.filename or name, content_type, data)
            elif name == "payload_json":
                body.data = _json(data)
            else:
                fields[name] = data.decode(errors="replace")
    except ValueError as error:
        raise errors.ApiError(400, 50035, f"Invalid multipart body: {error}") from error
    if body.data is None and fields:
        body.data = fields
    return body
