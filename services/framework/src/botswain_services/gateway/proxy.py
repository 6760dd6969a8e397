"""Forwarding: one request, or one websocket, to an application, and what comes back.

Small bodies go in one piece each way; larger ones, and those without a length, stream. Header names are as they came;
what belongs to one connection only (RFC 9110, 7.6.1) is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, unquote

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from yarl import URL

from botswain_services import tracing
from botswain_services.gateway.addresses import is_forbidden
from botswain_services.logs import get_logger

CONNECT_SECONDS = 5.0
SMALL_BYTES = 64 * 1024
MAX_WEBSOCKET_BYTES = 16 * 1024 * 1024
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OWN = frozenset(
    {b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-prefix", b"x-forwarded-for", b"x-request-id"}
)
_DROPPED = _HOP_BY_HOP | _OWN
_HOP_BY_HOP_AND_DATE = _HOP_BY_HOP | {b"date"}  # the server here writes its own
_WEBSOCKET = frozenset(
    {
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-extensions",
        b"sec-websocket-protocol",
        b"content-length",
    }
)
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
log = get_logger(__name__)


class _Resolver(ThreadedResolver):
    """Names may change what they point to after they were allowed; so every resolved address is looked at."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        for result in found:
            if is_forbidden(result["host"]):
                raise OSError(None, f"{host} points to {result['host']}, which is never forwarded to")
        return found


class Proxy:
    """Forwards to applications over kept connections."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30, resolver=_Resolver())
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_NOT_ADDED,
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def forward(self, request: Request, app_name: str, base: str, path: str) -> Response:
        """The application's answer, or an error's that says what went wrong."""
        target = target_of(request.scope, app_name, base, path)
        if target is None:
            return _problem(400, "the path leads out of the application")
        headers = forwarded_headers(request.scope, app_name)
        try:
            async with asyncio.timeout(self._timeout):
                body = await _body_of(request)
                upstream = await self._open().request(
                    request.method, target, headers=headers, data=body, allow_redirects=False
                )
        except (TimeoutError, aiohttp.ServerTimeoutError):
            return _problem(504, f"{app_name} did not begin to answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return _problem(502, f"{app_name} {_reason(error)}")
        length = upstream.content_length
        if request.method == "HEAD" or (length is not None and length <= SMALL_BYTES):
            try:
                content = await upstream.read()
            except aiohttp.ClientError as error:
                return _problem(502, f"{app_name} {_reason(error)}")
            return _Whole(upstream, content)
        return _Streaming(upstream)

    async def forward_websocket(self, websocket: WebSocket, app_name: str, base: str, path: str) -> None:
        """Connect both sides until either ends."""
        target = target_of(websocket.scope, app_name, base, path)
        if target is None:
            await websocket.send_denial_response(_problem(400, "the path leads out of the application"))
            return
        headers = [
            pair for pair in forwarded_headers(websocket.scope, app_name) if pair[0].lower().encode() not in _WEBSOCKET
        ]
        try:
            async with asyncio.timeout(self._timeout):
                upstream = await self._open().ws_connect(
                    target,
                    headers=headers,
                    protocols=websocket.scope.get("subprotocols", ()),
                    max_msg_size=MAX_WEBSOCKET_BYTES,
                )
        except (TimeoutError, aiohttp.ServerTimeoutError):
            await websocket.send_denial_response(_problem(504, f"{app_name} did not answer within {self._timeout:g} s"))
            return
        except aiohttp.WSServerHandshakeError as error:
            await websocket.send_denial_response(_problem(error.status, f"{app_name} refused the websocket"))
            return
        except (aiohttp.ClientError, OSError) as error:
            await websocket.send_denial_response(_problem(502, f"{app_name} {_reason(error)}"))
            return
        async with upstream:
            await websocket.accept(subprotocol=upstream.protocol)
            await _pump_both(websocket, upstream)


async def _pump_both(websocket: WebSocket, upstream: aiohttp.ClientWebSocketResponse) -> None:
    tasks = [
        asyncio.create_task(_to_upstream(websocket, upstream)),
        asyncio.create_task(_to_client(websocket, upstream)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _to_upstream(websocket: WebSocket, upstream: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            await upstream.close(code=_sendable(message.get("code")))
            return
        if message.get("text") is not None:
            await upstream.send_str(message["text"])
        else:
            await upstream.send_bytes(message["bytes"])


async def _to_client(websocket: WebSocket, upstream: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the client went first
        async for message in upstream:
            if message.type is aiohttp.WSMsgType.TEXT:
                await websocket.send_text(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                await websocket.send_bytes(message.data)
        await websocket.close(code=_sendable(upstream.close_code))


def _sendable(code: int | None) -> int:
    """A close code that may be sent: some only ever describe what happened here."""
    return 1000 if code is None or code in (1005, 1006, 1015) else code


def target_of(scope: Scope, app_name: str, base: str, path: str) -> URL | None:
    """Where a request goes, percent-encoding kept; None when it would leave the application."""
    raw = scope.get("raw_path") or b""
    prefix = f"/{app_name}/".encode()
    encoded = raw[len(prefix) :].decode("latin-1") if raw.startswith(prefix) else quote(path)
    encoded = encoded.partition("?")[0]
    if any(part in (".", "..") for part in unquote(encoded).replace("\\", "/").split("/")):
        return None
    query = scope.get("query_string", b"").decode("latin-1")
    text = f"{base.rstrip('/')}/{encoded}"
    return URL(f"{text}?{query}" if query else text, encoded=True)


def forwarded_headers(scope: Scope, app_name: str) -> list[tuple[str, str]]:
    """The request's headers as the application is to see them."""
    given: list[tuple[bytes, bytes]] = scope["headers"]
    dropped = _not_forwarded(given)
    headers, hops, host = [], [], ""
    for key, value in given:
        if key not in dropped:
            headers.append((key.decode("latin-1"), value.decode("latin-1")))
        elif key == b"host":
            host = value.decode("latin-1")
        elif key == b"x-forwarded-for":
            hops.append(value.decode("latin-1"))
    client = scope.get("client")
    headers.append(("X-Forwarded-For", ", ".join([*hops, client[0] if client else "unknown"])))
    headers.append(("X-Forwarded-Host", host))
    headers.append(("X-Forwarded-Proto", "https" if scope["scheme"] in ("https", "wss") else "http"))
    headers.append(("X-Forwarded-Prefix", f"/{app_name}"))
    request_id = scope.get("botswain.request_id")
    if request_id:
        headers.append(("X-Request-ID", request_id))
    traceparent = tracing.current_traceparent() if tracing.configured() else ""
    if traceparent:
        headers = [pair for pair in headers if pair[0] != "traceparent"]
        headers.append(("traceparent", traceparent))
    return headers


def _not_forwarded(given: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Names of headers of this connection only: the known ones, and those that `Connection` names."""
    for key, _ in given:
        if key == b"connection":
            break
    else:
        return _DROPPED
    named = (part.strip().lower() for key, value in given if key == b"connection" for part in value.split(b","))
    return _DROPPED.union(named)


async def _body_of(request: Request) -> bytes | AsyncIterator[bytes] | None:
    length = declared = None
    for key, value in request.scope["headers"]:
        if key == b"content-length":
            length = int(value)
        declared = declared or key in (b"content-length", b"transfer-encoding")
    if not declared:
        return None
    if length is not None and length <= SMALL_BYTES:
        return await _small_body(request.receive)
    return request.stream()


async def _small_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body


def _response_headers(upstream: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    raw = [(key.lower(), value) for key, value in upstream.raw_headers]
    dropped = _HOP_BY_HOP_AND_DATE
    for key, value in raw:
        if key == b"connection":
            dropped = dropped.union(part.strip().lower() for part in value.split(b","))
    return [pair for pair in raw if pair[0] not in dropped]


class _Whole(Response):
    """An answer in one piece."""

    def __init__(self, upstream: aiohttp.ClientResponse, content: bytes) -> None:
        self.status_code = upstream.status
        self.raw_headers = _response_headers(upstream)
        self.body = content
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


class _Streaming(Response):
    """An answer that goes on as it comes; ended when the client leaves."""

    def __init__(self, upstream: aiohttp.ClientResponse) -> None:
        self.status_code = upstream.status
        self.raw_headers = _response_headers(upstream)
        self.background = None
        self._upstream = upstream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                pump.result()
        finally:
            for task in (pump, gone):
                task.cancel()
            await asyncio.gather(pump, gone, return_exceptions=True)
            self._upstream.close()

    async def _pump(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for chunk in self._upstream.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    with contextlib.suppress(ClientDisconnect):
        while (await receive())["type"] != "http.disconnect":
            pass


def _reason(error: BaseException) -> str:
    os_error: Any = getattr(error, "os_error", error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "broke off its answer"
    text = getattr(os_error, "strerror", None) or str(os_error) or type(os_error).__name__
    return f"can't be reached: {text}"


def _problem(status: int, reason: str) -> JSONResponse:
    log.warning("forwarding_failed", status=status, reason=reason)
    return JSONResponse({"detail": reason}, status)
