"""JSON-RPC over a server's lines, as the `mcp` SDK's `ClientSession` asks for it (`mcp.shared.dispatcher.Dispatcher`).

The SDK has one of its own over memory streams. This one is fed lines by `process.py` and resolves futures: a call costs the host
about half the time, noise on stdout is passed over, and the reason why a server went away reaches everyone who waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
from botswain_services.logs import get_logger
from mcp.shared.dispatcher import (
    CallOptions,
    Dispatcher,
    OnNotify,
    OnNotifyIntercept,
    OnRequest,
    coerce_request_id,
    run_notify_intercept,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.message import MessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT, RequestId
from pydantic_core import from_json, to_json

log = get_logger(__name__)

_TRANSPORT = TransportContext(kind="stdio", can_send_request=True)


class ConnectionLostError(MCPError):
    """The server went away; the message says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(CONNECTION_CLOSED, reason)


class DeadlineError(MCPError):
    """The server did not answer in time."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(REQUEST_TIMEOUT, f"{method}: no answer within {seconds:g} s")


class StdioDispatcher(Dispatcher[TransportContext]):
    """One connection's requests in both directions. `feed()` it the server's lines, `close()` it when the server is gone."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        *,
        drained: Callable[[], Awaitable[None]] | None = None,
        on_noise: Callable[[bytes], None] | None = None,
    ) -> None:
        """Args:
        write: sends one line.
        drained: waits until the other side takes more; None: it always does.
        on_noise: takes lines that aren't JSON-RPC.
        """
        self._write = write
        self._drained = drained
        self._on_noise = on_noise
        self._next_id = 0
        self._pending: dict[RequestId, asyncio.Future[dict[str, Any]]] = {}
        self._handlers: set[asyncio.Task[None]] = set()
        self._on_request: OnRequest | None = None
        self._on_notify: OnNotify | None = None
        self._intercept: OnNotifyIntercept | None = None
        self._closed = asyncio.Event()
        self._reason = "the connection is closed"

    def close(self, reason: str) -> None:
        """Fail everything that waits, and everything that will ask, with `reason`."""
        if self._closed.is_set():
            return
        self._reason = reason
        self._closed.set()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(ConnectionLostError(reason))

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve the session until `close()`."""
        self._on_request, self._on_notify, self._intercept = on_request, on_notify, on_notify_intercept
        task_status.started()
        try:
            await self._closed.wait()
        finally:
            self.close("the session ended")
            handlers = list(self._handlers)
            for task in handlers:
                task.cancel()
            await asyncio.gather(*handlers, return_exceptions=True)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the server.

        Raises:
            DeadlineError: `opts["timeout"]` passed; the server was told to stop.
            ConnectionLostError: the server is gone.
            MCPError: the server's own error.
        """
        if self._closed.is_set():
            raise ConnectionLostError(self._reason)
        opts = opts or {}
        request_id = opts.get("request_id")
        if request_id is None:
            self._next_id += 1
            request_id = self._next_id
        key = coerce_request_id(request_id)
        if key in self._pending:
            raise ValueError(f"request id {request_id!r} is already in flight")
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id, "method": method}
        if params:
            message["params"] = params
        future = asyncio.get_running_loop().create_future()
        self._pending[key] = future
        timeout = opts.get("timeout")
        try:
            async with asyncio.timeout(timeout):
                await self._send(message)
                result: dict[str, Any] = await future
                return result
        except TimeoutError:
            self._abandon(request_id, "timed out", opts)
            raise DeadlineError(method, timeout or 0) from None
        except asyncio.CancelledError:
            self._abandon(request_id, "the caller went away", opts)
            raise
        finally:
            self._pending.pop(key, None)
            if future.done() and not future.cancelled():
                future.exception()  # fetched, so that a loss nobody waits for any more isn't reported

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Tell the server; nothing happens when it is gone."""
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        await self._send(message)

    async def _send(self, message: Mapping[str, Any]) -> None:
        self._write(to_json(message))
        if self._drained is not None:
            await self._drained()

    def _abandon(self, request_id: RequestId, reason: str, opts: CallOptions) -> None:
        """Tell the server that nobody waits any more. Written without waiting: a hung server doesn't read."""
        if opts.get("cancel_on_abandon", True) and not self._closed.is_set():
            params = {"requestId": request_id, "reason": reason}
            self._write(to_json({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))

    def feed(self, line: bytes) -> None:
        """Take one line of the server's stdout."""
        if not line.strip():
            return
        try:
            message = from_json(line)
        except ValueError:
            self._noise(line)
            return
        for item in message if isinstance(message, list) else (message,):  # 2025-03-26 has batches
            if isinstance(item, dict) and item.get("jsonrpc") == "2.0":
                self._route(item, line)
            else:
                self._noise(line)

    def _noise(self, line: bytes) -> None:
        if self._on_noise is not None:
            self._on_noise(line)

    def _route(self, message: dict[str, Any], line: bytes) -> None:
        method, request_id = message.get("method"), message.get("id")
        if not isinstance(method, str):
            self._resolve(message, line)
            return
        params = message.get("params")
        params = params if isinstance(params, dict) else None
        if request_id is not None:
            self._spawn(self._answer(request_id, method, params))
        elif not run_notify_intercept(self._intercept, method, params) and self._on_notify is not None:
            self._spawn(self._on_notify(_Context(self, None), method, params))

    def _resolve(self, message: dict[str, Any], line: bytes) -> None:
        request_id = message.get("id")
        if not isinstance(request_id, int | str):
            error = message.get("error")
            log.warning("mcp_error_without_id", error=error if isinstance(error, dict) else None)
            return
        future = self._pending.get(coerce_request_id(request_id))
        if future is None or future.done():
            return  # the answer to a call that nobody waits for any more
        result, error = message.get("result"), message.get("error")
        if isinstance(result, dict):
            future.set_result(result)
        elif isinstance(error, dict):
            code = error.get("code")
            text = error.get("message")
            future.set_exception(
                MCPError(
                    code if isinstance(code, int) else INTERNAL_ERROR,
                    text if isinstance(text, str) and text else "the server gave no reason",
                    error.get("data"),
                )
            )
        else:
            future.set_exception(MCPError(INTERNAL_ERROR, "the server's answer has neither a result nor an error"))
            self._noise(line)

    async def _answer(self, request_id: RequestId, method: str, params: dict[str, Any] | None) -> None:
        assert self._on_request is not None
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": request_id}
        try:
            reply["result"] = await self._on_request(_Context(self, request_id), method, params)
        except MCPError as error:
            reply["error"] = {"code": error.code, "message": error.message}
        except ValueError as error:  # pydantic's ValidationError: the request isn't what the protocol says
            reply["error"] = {"code": -32602, "message": str(error).splitlines()[0]}
        await self._send(reply)

    def _spawn(self, work: Any) -> None:
        if self._closed.is_set() or self._on_request is None:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)


@dataclass(slots=True)
class _Context:
    """What the session's callbacks get with a message of the server (`mcp.shared.dispatcher.DispatchContext`)."""

    dispatcher: StdioDispatcher
    request_id: RequestId | None
    transport: TransportContext = _TRANSPORT
    can_send_request: bool = True
    message_metadata: MessageMetadata = None
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        return await self.dispatcher.send_raw_request(method, params, opts)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        await self.dispatcher.notify(method, params, opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """The client reports no progress."""
