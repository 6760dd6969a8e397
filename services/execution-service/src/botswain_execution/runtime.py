"""What the service asks of whatever runs the tools. `SubprocessRuntime` is the one there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import mcp_types


@dataclass(frozen=True, slots=True)
class ServerState:
    """How a server does. `reason` says in words why it isn't available."""

    name: str
    available: bool
    reason: str
    required: bool
    replicas: int
    ready: int
    """Replicas that take calls."""
    in_flight: int
    restarts: int
    tools: int
    protocol_version: str | None = None


@dataclass(frozen=True, slots=True)
class ServerTools:
    """What a server listed, under its own tools' names."""

    server: str
    tools: tuple[mcp_types.Tool, ...]


class Runtime(Protocol):
    """Runs servers and calls their tools."""

    async def start(self) -> None:
        """Begin to bring the servers up; doesn't wait for them."""

    async def stop(self) -> None:
        """End all servers."""

    def states(self) -> list[ServerState]:
        """All servers, in the configuration's order."""

    def tools(self) -> list[ServerTools]:
        """What each server listed last, in the configuration's order; servers that never did are absent."""

    async def call(
        self, server: str, tool: str, arguments: dict[str, Any], *, meta: Mapping[str, str], timeout: float
    ) -> mcp_types.CallToolResult:
        """Call a tool by the server's own name for it.

        Args:
            server: a name of the configuration.
            tool: as the server lists it.
            arguments: as its schema asks for.
            meta: goes into `params._meta`.
            timeout: seconds until the call is given up.

        Raises:
            ServerUnavailableError: no process can take the call.
            CallFailedError: the call was made and no usable answer came.
        """
