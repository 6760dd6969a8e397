"""Limits on request bodies: how large, and how slow.

A body may grow to a number of bytes (else 413), and must keep moving (else 408): after the first `timeout` seconds it has to
arrive at `SLOWEST` or faster, so that a large upload may take its time and a trickle may not.
"""

from __future__ import annotations

import asyncio

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SLOWEST = 10_000
"""Bytes a second."""
BODY_IS_HERE = "botswain.body_is_here"
"""In a scope: the server has received the whole body, so there is nothing to wait for."""


class BodyLimitMiddleware:
    """Raises HTTPException 413 or 408 out of `receive`; an outer middleware, or FastAPI, makes the answer of it."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout: float) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = None
        for key, value in scope["headers"]:
            if key in (b"content-length", b"transfer-encoding"):
                length = value
        if length is None:
            await self.app(scope, receive, send)  # no body
            return
        if length.isdigit():
            if int(length) > self._max_bytes:
                raise self._too_large()
            if BODY_IS_HERE in scope:
                await self.app(scope, receive, send)
                return
        deadline = asyncio.get_running_loop().time() + self._timeout
        received = 0
        complete = cut_off = False

        async def limited() -> Message:
            nonlocal received, complete, cut_off
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline + received / SLOWEST):
                    message = await receive()
            except TimeoutError:
                cut_off = True
                raise HTTPException(
                    408, f"the body did not arrive: {received} bytes came within {self._timeout:g} s or so"
                ) from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._max_bytes:
                cut_off = True
                raise self._too_large()
            return message

        async def closing(message: Message) -> None:
            if cut_off and message["type"] == "http.response.start":
                # What else may come on this connection is the rest of that body.
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self.app(scope, limited, closing)

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413, f"the body is larger than {self._max_bytes} bytes, the limit that MAX_BODY_BYTES sets"
        )
