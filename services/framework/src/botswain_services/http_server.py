"""HTTP/1.1 on the server's side: uvicorn's, with limits on how long a request's headers may take and how large they may be.

Without them, clients that never finish their headers hold connections, or memory, for ever. Bodies have their own limits
(`limits`); these are told here when they have nothing to wait for. An answer's head and body, which ASGI hands over one after
the other, leave in one piece: two writes would take the time of two for both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from botswain_services.limits import BODY_IS_HERE

MAX_HEADER_BYTES = 64 * 1024
_TIMED_OUT = b"408 Request Timeout"
_TOO_LARGE = b"431 Request Header Fields Too Large"


class TimedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request headers are not complete within `header_timeout` seconds, or `MAX_HEADER_BYTES`."""

    header_timeout: ClassVar[float] = 30.0
    _timer: asyncio.TimerHandle | None = None
    _in_headers = False
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._plain_transport = transport
        self.transport: Any = _JoiningTransport(transport, self.loop)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(_TOO_LARGE)
            elif self._timer is None:
                self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._in_headers = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.scope[BODY_IS_HERE] = True  # type: ignore[literal-required]  # an extension of ours
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self.transport = self._plain_transport
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.header_timeout, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self._refuse(_TIMED_OUT)

    def _refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
            self.transport.close()


class _JoiningTransport:
    """A transport that keeps an answer's head back until what follows it, for one turn of the event loop at most."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.") and data.endswith(b"\r\n\r\n"):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class HttpServer(uvicorn.Server):
    """Serves one application on a socket it is given, until it is told to end; signals are its caller's."""

    def __init__(self, app: ASGIApp, *, header_timeout: float, keep_alive: int, grace: float) -> None:
        protocol = type("Protocol", (TimedHttpProtocol,), {"header_timeout": header_timeout})
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_keep_alive=keep_alive,
                timeout_graceful_shutdown=max(1, int(grace)),
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def end(self, grace: float) -> None:
        """Take no more connections, and give requests under way `grace` seconds (1 at least)."""
        self.config.timeout_graceful_shutdown = max(1, int(grace))
        self.should_exit = True
