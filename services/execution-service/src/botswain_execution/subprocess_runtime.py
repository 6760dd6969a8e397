"""`SubprocessRuntime`: each server of the configuration as a pool of warm subprocesses, spoken to over stdin and stdout.

A call goes to the replica with the fewest calls in flight. When none is up the call waits a moment, because a restart usually
takes less; when the server keeps failing (see `backoff`) it is refused at once, with the reason.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any

import mcp_types
from botswain_services.logs import get_logger

from botswain_execution.backoff import Backoff
from botswain_execution.config import McpConfig, ServerConfig
from botswain_execution.environment import server_environment
from botswain_execution.errors import ServerBusyError, ServerUnavailableError
from botswain_execution.process import Launch
from botswain_execution.redaction import redactor
from botswain_execution.replica import Replica
from botswain_execution.runtime import ServerState, ServerTools

log = get_logger(__name__)

LONGEST_WAIT = 5.0
"""Seconds a call waits for a server that is starting or restarting."""


class ServerPool:
    """The replicas of one server."""

    def __init__(self, name: str, config: ServerConfig, *, on_change: Callable[[], None]) -> None:
        self.name = name
        self.config = config
        self.tools: tuple[mcp_types.Tool, ...] | None = None
        self._on_change = on_change
        self._backoff = Backoff()
        self._gate = asyncio.Lock()
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        environment = server_environment(os.environ, config.env)
        launch = Launch(config.command, config.args, environment, config.cwd or "/", config.limits)
        redact = redactor(config.env)
        self.replicas = [
            Replica(
                name,
                index,
                config,
                launch,
                self._backoff,
                redact=redact,
                on_tools=self._set_tools,
                on_change=self._wake,
            )
            for index in range(config.replicas)
        ]

    def start(self) -> None:
        """Start the owner tasks."""
        loop = asyncio.get_running_loop()
        for replica in self.replicas:
            task = loop.create_task(replica.run(self._gate), name=f"{self.name}/{replica.index}")
            task.add_done_callback(_report)
            self._tasks.append(task)

    async def stop(self) -> None:
        """End all processes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def state(self) -> ServerState:
        """How it does."""
        ready = sum(replica.takes_calls for replica in self.replicas)
        reason = (
            "" if ready else next((replica.reason for replica in self.replicas if replica.reason), "it is starting")
        )
        return ServerState(
            name=self.name,
            available=ready > 0,
            reason=reason,
            required=self.config.required,
            replicas=len(self.replicas),
            ready=ready,
            in_flight=sum(replica.in_flight for replica in self.replicas),
            restarts=sum(replica.restarts for replica in self.replicas),
            tools=len(self.tools or ()),
            protocol_version=next((r.protocol_version for r in self.replicas if r.protocol_version), None),
        )

    async def call(
        self, tool: str, arguments: dict[str, Any], *, meta: Mapping[str, str], timeout: float
    ) -> mcp_types.CallToolResult:
        """See `Runtime.call`."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        replica = self._choose() or await self._await_replica(min(LONGEST_WAIT, timeout))
        return await replica.call(tool, arguments, meta, max(0.001, timeout - (loop.time() - started)))

    def _choose(self) -> Replica | None:
        """The replica to call; None when none is up."""
        up = [replica for replica in self.replicas if replica.takes_calls]
        if not up:
            return None
        best = min(up, key=lambda replica: (replica.state != "ready", replica.in_flight))
        if best.in_flight >= self.config.max_in_flight:
            raise ServerBusyError(f"the server {self.name!r} has {best.in_flight} calls in flight, its maxInFlight")
        return best

    async def _await_replica(self, seconds: float) -> Replica:
        try:
            async with asyncio.timeout(seconds):
                while not self._backoff.is_open:
                    self._changed.clear()
                    await self._changed.wait()
                    if replica := self._choose():
                        return replica
        except TimeoutError:
            pass
        raise ServerUnavailableError(f"the server {self.name!r} is not available: {self.state().reason}")

    def _set_tools(self, tools: tuple[mcp_types.Tool, ...]) -> None:
        if tools != self.tools:
            self.tools = tools
            self._on_change()

    def _wake(self) -> None:
        self._changed.set()
        self._on_change()


def _report(task: asyncio.Task[None]) -> None:
    """An owner task ends by cancellation alone; anything else is a defect that must not pass in silence."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("mcp_replica_broke", replica=task.get_name(), exc_info=error)


class SubprocessRuntime:
    """All servers of a configuration. `on_change` is called after any change of a server's state or tools."""

    def __init__(self, config: McpConfig, *, on_change: Callable[[], None] = lambda: None) -> None:
        self._pools = {name: ServerPool(name, entry, on_change=on_change) for name, entry in config.servers.items()}

    async def start(self) -> None:
        """See `Runtime.start`."""
        for pool in self._pools.values():
            pool.start()

    async def stop(self) -> None:
        """See `Runtime.stop`."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))

    def states(self) -> list[ServerState]:
        """See `Runtime.states`."""
        return [pool.state() for pool in self._pools.values()]

    def tools(self) -> list[ServerTools]:
        """See `Runtime.tools`."""
        return [ServerTools(pool.name, pool.tools) for pool in self._pools.values() if pool.tools is not None]

    async def call(
        self, server: str, tool: str, arguments: dict[str, Any], *, meta: Mapping[str, str], timeout: float
    ) -> mcp_types.CallToolResult:
        """See `Runtime.call`."""
        return await self._pools[server].call(tool, arguments, meta=meta, timeout=timeout)
