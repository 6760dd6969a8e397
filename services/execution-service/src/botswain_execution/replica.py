"""One place in a server's pool: a task that owns one process at a time, brings it up, watches it, ends it, starts the next.

Life of a process: started → handshake → tools listed → takes calls → ends (by itself, as hung, or at shutdown). Everything that
has to do with its life happens in the owner task, `run()`; calls come from other tasks and only use the session.

Hung, or just slow? A missed deadline alone doesn't say. The process is then asked for `tools/list`, which every revision of the
protocol has (`ping` is gone from the newest): no answer within `hangTimeoutSeconds` means hung, and it is ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import mcp_types
from botswain_services.logs import get_logger
from mcp.client.session import ClientSession, IncomingMessage
from mcp.client.subscriptions import SubscriptionLost, listen
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from botswain_execution.backoff import STABLE_AFTER, Backoff
from botswain_execution.config import ServerConfig
from botswain_execution.dispatcher import ConnectionLostError, DeadlineError, StdioDispatcher
from botswain_execution.errors import CallFailedError, ServerStartError
from botswain_execution.process import Launch, ServerProcess, explain_exit
from botswain_execution.relay import StderrRelay

log = get_logger(__name__)

CLIENT_INFO = mcp_types.Implementation(name="botswain-execution-service", version="0.1.0")
_LAST_SIMPLE = "2025-11-25"
"""The last revision in which a result of `tools/call` is always one."""
_RESULT_FIELDS = frozenset({"content", "structuredContent", "isError", "_meta"})
_MOST_PAGES = 100
"""Pages of `tools/list` that are read; more means a server that never ends."""

State = Literal["starting", "ready", "suspect", "waiting", "stopped"]
"""`suspect`: missed a deadline and is being asked whether it lives; takes calls only when no other replica can."""


@dataclass(slots=True)
class _Live:
    """The process that runs now."""

    process: ServerProcess
    dispatcher: StdioDispatcher
    session: ClientSession
    entered: bool = False
    ready_at: float = 0.0


class Replica:
    """One owner task. `on_tools` gets each new listing, `on_change` is called after every change of state."""

    def __init__(
        self,
        name: str,
        index: int,
        config: ServerConfig,
        launch: Launch,
        backoff: Backoff,
        *,
        redact: Callable[[str], str],
        on_tools: Callable[[tuple[mcp_types.Tool, ...]], None],
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self.index = index
        self.state: State = "starting"
        self.reason = "it is starting"
        self.in_flight = 0
        self.restarts = 0
        self.protocol_version: str | None = None
        self._config = config
        self._launch = launch
        self._backoff = backoff
        self._redact = redact
        self._on_tools = on_tools
        self._on_change = on_change
        self._live: _Live | None = None
        self._condemned: asyncio.Future[str] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()

    async def run(self, gate: asyncio.Lock) -> None:
        """Keep a process up until cancelled. While the server keeps failing, `gate` lets one replica at a time try."""
        try:
            while True:
                failing = self._backoff.failures > 0
                if failing:
                    async with gate:
                        await asyncio.sleep(self._backoff.delay)
                        await self._up()
                else:
                    await self._up()
                if self._live is not None:
                    await self._watch()
        finally:
            self._set("stopped", "it was stopped")
            await self._down("the service is stopping")

    async def _up(self) -> None:
        """Bring a process to the point where it takes calls; on failure say why and count it."""
        self._set("starting", self.reason if self._backoff.failures else "it is starting")
        started = time.monotonic()
        relay = StderrRelay(self.name, self._redact)
        try:
            await self._start(relay)
        except ServerStartError as error:
            words = f"; it last said: {relay.last_words}" if relay.last_words else ""
            await self._down("it did not start")
            self._backoff.failed(0.0)
            self._set("waiting", f"{error}{words}")
        if self._live is None:
            log.error("mcp_server_failed", server=self.name, replica=self.index, reason=self.reason, **self._retry())
            return
        self._live.ready_at = time.monotonic()
        self._set("ready", "")
        log.info(
            "mcp_server_ready",
            server=self.name,
            replica=self.index,
            pid=self._live.process.pid,
            protocol=self.protocol_version,
            ms=round((time.monotonic() - started) * 1000),
        )

    async def _start(self, relay: StderrRelay) -> None:
        self._condemned = asyncio.get_running_loop().create_future()
        dispatcher: StdioDispatcher | None = None

        def flood() -> None:
            self._condemn("it sent a line longer than 32 MiB")

        process = await ServerProcess.start(
            self._launch,
            on_stdout=lambda line: dispatcher.feed(line) if dispatcher is not None else None,
            on_stderr=relay.line,
            on_flood=flood,
        )
        relay.pid = process.pid
        dispatcher = StdioDispatcher(process.write, drained=process.drained, on_noise=relay.noise)
        session = ClientSession(dispatcher=dispatcher, client_info=CLIENT_INFO, message_handler=self._on_message)
        self._live = _Live(process, dispatcher, session)
        await session.__aenter__()
        self._live.entered = True
        loop = asyncio.get_running_loop()
        condemned = self._condemned
        exit_watch = loop.create_task(process.exited())
        handshake = loop.create_task(self._handshake(session))
        ends: set[asyncio.Future[Any]] = {exit_watch, handshake, condemned}
        try:
            async with asyncio.timeout(self._config.startup_timeout_seconds):
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            seconds = self._config.startup_timeout_seconds
            raise ServerStartError(
                f"it did not complete the handshake within {seconds:g} s (startupTimeoutSeconds)"
            ) from None
        finally:
            for task in (exit_watch, handshake):
                if not task.done():
                    task.cancel()
            await asyncio.gather(exit_watch, handshake, return_exceptions=True)
        if not handshake.cancelled() and handshake.exception() is None:
            self._on_tools(handshake.result())
        elif condemned.done():
            raise ServerStartError(condemned.result())
        elif exit_watch.done() and not exit_watch.cancelled():
            raise ServerStartError(f"it {explain_exit(exit_watch.result())} before the handshake was complete")
        else:
            raise ServerStartError(f"the handshake failed: {handshake.exception()}")

    async def _handshake(self, session: ClientSession) -> tuple[mcp_types.Tool, ...]:
        """Agree on a revision, and list the tools.

        `initialize` comes first: every server up to 2025-11-25 has it, and those of 2026-07-28 that also speak older revisions
        answer it. A server that knows only the newer revision refuses it, and is asked with `server/discover`.
        """
        try:
            try:
                await session.initialize()
            except (DeadlineError, ConnectionLostError):
                raise
            except MCPError as refused:
                try:
                    await session.discover()
                except ConnectionLostError:
                    raise
                except MCPError:
                    raise refused from None
                self._spawn(self._listen(session))
            self.protocol_version = session.protocol_version
            return await self._list(session)
        except MCPError as error:
            raise ServerStartError(error.message) from None
        except (ValidationError, RuntimeError) as error:
            raise ServerStartError(str(error).splitlines()[0]) from None

    async def _list(self, session: ClientSession, timeout: float | None = None) -> tuple[mcp_types.Tool, ...]:
        if session.server_capabilities is not None and session.server_capabilities.tools is None:
            return ()
        async with asyncio.timeout(timeout):
            page = await session.list_tools()
            tools = list(page.tools)
            for _ in range(_MOST_PAGES):
                if not page.next_cursor:
                    break
                page = await session.list_tools(params=mcp_types.PaginatedRequestParams(cursor=page.next_cursor))
                tools += page.tools
        return tuple(tools)

    async def _watch(self) -> None:
        """Wait until the process ends or has to; then end it, and say why."""
        live, condemned = self._live, self._condemned
        assert live is not None
        assert condemned is not None
        exit_watch = asyncio.get_running_loop().create_task(live.process.exited())
        ends: set[asyncio.Future[Any]] = {exit_watch, condemned}
        try:
            done, _ = await asyncio.wait(ends, timeout=STABLE_AFTER, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self._backoff.proved()
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            reason = condemned.result() if condemned.done() else f"it {explain_exit(exit_watch.result())}"
        finally:
            exit_watch.cancel()
        self.restarts += 1
        self._backoff.failed(time.monotonic() - live.ready_at)
        self._set("waiting", reason)
        log.error("mcp_server_ended", server=self.name, replica=self.index, reason=reason, **self._retry())
        await self._down(f"the server ended: {reason}")

    async def _down(self, reason: str) -> None:
        """Fail what is in flight, and end the process. Cancelled half-way it can be called again, and goes on."""
        live = self._live
        jobs = [task for task in (*self._jobs, self._probe) if task is not None and task is not asyncio.current_task()]
        for task in jobs:
            task.cancel()
        if live is not None:
            live.dispatcher.close(reason)
            how = await live.process.stop(self._config.stop_timeout_seconds)
            if how not in ("gone", "end of input"):
                log.warning("mcp_server_stopped", server=self.name, replica=self.index, pid=live.process.pid, by=how)
            self._live = None
            if live.entered:
                await live.session.__aexit__(None, None, None)
        await asyncio.gather(*jobs, return_exceptions=True)

    @property
    def takes_calls(self) -> bool:
        """Whether it has a process that has completed the handshake."""
        return self.state in ("ready", "suspect")

    async def call(
        self, tool: str, arguments: dict[str, Any], meta: Mapping[str, str], timeout: float
    ) -> mcp_types.CallToolResult:
        """Call a tool of the process that runs now.

        Raises:
            CallFailedError: no usable answer came.
        """
        live = self._live
        assert live is not None
        self.in_flight += 1
        try:
            result = await self._call_tool(live, tool, arguments, meta, timeout)
            return self._masked(result) if result.is_error else result
        except DeadlineError:
            self._suspect(live)
            raise CallFailedError(
                f"{tool} did not answer within {timeout:.3g} s and was told to stop. Whether it took effect is unknown.",
                transient=True,
            ) from None
        except ConnectionLostError as error:
            raise CallFailedError(
                f"{tool} did not finish: {error.message}. Whether it took effect is unknown.", transient=True
            ) from None
        except MCPError as error:
            raise CallFailedError(self._redact(f"{tool}: the server refused the call: {error.message}")) from None
        except ValidationError as error:
            raise CallFailedError(f"{tool}: the server's answer isn't a tool result: {_first(error)}") from None
        except RuntimeError as error:  # the SDK's: a result against the tool's own output schema, or a question back
            raise CallFailedError(self._redact(f"{tool}: {str(error).splitlines()[0]}")) from None
        except asyncio.CancelledError:
            self._suspect(live)
            raise
        finally:
            self.in_flight -= 1

    async def _call_tool(
        self, live: _Live, tool: str, arguments: dict[str, Any], meta: Mapping[str, str], timeout: float
    ) -> mcp_types.CallToolResult:
        """`tools/call`. Up to 2025-11-25, where its form is simple, it does without the SDK's models of the request and of each
        revision's result: they are a third of what the SDK costs the host.
        """
        if self.protocol_version is None or self.protocol_version > _LAST_SIMPLE:
            return await live.session.call_tool(tool, arguments, read_timeout_seconds=timeout, meta=_meta(meta))
        params = {"name": tool, "arguments": arguments, **({"_meta": dict(meta)} if meta else {})}
        raw = await live.dispatcher.send_raw_request("tools/call", params, {"timeout": timeout})
        known = {key: value for key, value in raw.items() if key in _RESULT_FIELDS}
        result = mcp_types.CallToolResult.model_validate(known, by_name=False)
        if not result.is_error:
            await live.session.validate_tool_result(tool, result)
        return result

    def _masked(self, result: mcp_types.CallToolResult) -> mcp_types.CallToolResult:
        """An error's text without the server's secrets: exceptions quote what they were given."""
        for block in result.content:
            if isinstance(block, mcp_types.TextContent):
                block.text = self._redact(block.text)
        return result

    def _suspect(self, live: _Live) -> None:
        """Ask a process that did not answer in time whether it lives."""
        if self.state == "ready" and live is self._live and (self._probe is None or self._probe.done()):
            self._set("suspect", "it missed a deadline, and is being asked whether it lives")
            self._probe = asyncio.get_running_loop().create_task(self._ask(live), name=f"probe {self.name}")

    async def _ask(self, live: _Live) -> None:
        seconds = self._config.hang_timeout_seconds
        try:
            tools = await self._list(live.session, seconds)
        except TimeoutError:
            self._condemn(f"it hung: no answer to a call in time, nor to tools/list within {seconds:g} s")
            return
        except (MCPError, ValidationError):
            tools = None  # it answers, if not well
        if live is self._live and self.state == "suspect":
            self._set("ready", "")
            if tools is not None:
                self._on_tools(tools)

    def _condemn(self, reason: str) -> None:
        if self._condemned is not None and not self._condemned.done():
            self._condemned.set_result(reason)

    async def _on_message(self, message: IncomingMessage) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            self._spawn(self._refresh())

    async def _listen(self, session: ClientSession) -> None:
        """Servers of 2026-07-28 announce changes only to who listens."""
        try:
            async with listen(session, tools_list_changed=True) as changes:
                async for _ in changes:
                    await self._refresh()
        except (MCPError, SubscriptionLost) as error:
            log.debug("mcp_listen_ended", server=self.name, reason=str(error))

    async def _refresh(self) -> None:
        live = self._live
        if live is None:
            return
        try:
            tools = await self._list(live.session, self._config.startup_timeout_seconds)
        except (MCPError, ValidationError, TimeoutError) as error:
            log.warning("mcp_tools_not_listed", server=self.name, replica=self.index, reason=str(error))
            return
        self._on_tools(tools)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    def _set(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        self._on_change()

    def _retry(self) -> dict[str, Any]:
        return {"failures": self._backoff.failures, "retry_in": self._backoff.delay}


def _meta(values: Mapping[str, str]) -> Any:
    return dict(values) or None


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
