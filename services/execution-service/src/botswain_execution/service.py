"""`ExecutionService`: the process that holds the MCP servers and answers for them over gRPC, with `/tools` for people."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from botswain_proto.v1 import execution_pb2_grpc
from botswain_services import Service
from botswain_services.logs import get_logger

from botswain_execution import metrics
from botswain_execution.catalog import Catalog
from botswain_execution.config import load_config
from botswain_execution.rpc import ExecutionServicer
from botswain_execution.runtime import ServerState
from botswain_execution.settings import ExecutionSettings
from botswain_execution.subprocess_runtime import SubprocessRuntime

log = get_logger(__name__)

DESCRIPTION = "MCP host: warm pools of stdio servers behind one gRPC door (botswain.v1.ExecutionService)."


class ExecutionService(Service):
    """Ready when every required server takes calls. Servers start side by side and never hold up each other."""

    name = "execution-service"

    def __init__(self, settings: ExecutionSettings) -> None:
        """Raises:
        McpConfigError: the file of MCP servers is missing or wrong.
        """
        super().__init__(
            settings=settings,
            host=settings.bind_host,
            port=settings.http_port,
            grpc_port=settings.grpc_port,
            summary="Tools of MCP servers",
            description=DESCRIPTION,
        )
        self._config = load_config(settings.mcp_servers_config, settings.variables(os.environ))
        self.catalog = Catalog(self._config.servers)
        self.runtime = SubprocessRuntime(self._config, on_change=self._changed)
        assert self.rpc is not None
        self.rpc.add_servicer(
            "botswain.v1.ExecutionService",
            execution_pb2_grpc.add_ExecutionServiceServicer_to_server,
            ExecutionServicer(self.runtime, self.catalog),
        )
        self.add_endpoint("/tools", self.list_tools, methods=["GET"])
        for name, entry in self._config.servers.items():
            if entry.required:
                self.add_readiness_check(f"mcp server {name}", partial(self._reason, name))

    async def startup(self) -> None:
        """Begin to start the servers; `/ready` tells when the required ones are up."""
        for warning in self._config.warnings:
            log.warning("mcp_config", problem=warning)
        await self.runtime.start()

    async def shutdown_cleanup(self) -> None:
        """End the servers, after the last call was answered."""
        await self.runtime.stop()

    async def list_tools(self) -> dict[str, Any]:
        """The tools that agents may use, and how the servers do."""
        return {
            "tools": [
                {
                    "name": tool.name,
                    "server": tool.server,
                    "description": tool.tool.description or "",
                    "delivers": tool.delivers,
                    "input_schema": tool.tool.input_schema,
                }
                for tool in self.catalog.tools
            ],
            "servers": [_describe(state) for state in self.runtime.states()],
        }

    def _changed(self) -> None:
        self.catalog.update(self.runtime.tools())
        states = self.runtime.states()
        self.health.details["servers"] = {state.name: state.reason or "available" for state in states}
        for state in states:
            metrics.READY.labels(state.name).set(state.ready)
            metrics.RESTARTS.labels(state.name).set(state.restarts)

    def _reason(self, name: str) -> str | None:
        state = next(state for state in self.runtime.states() if state.name == name)
        return None if state.available else state.reason


def _describe(state: ServerState) -> dict[str, Any]:
    return {
        "name": state.name,
        "available": state.available,
        "reason": state.reason,
        "required": state.required,
        "replicas": {"ready": state.ready, "wanted": state.replicas},
        "in_flight": state.in_flight,
        "restarts": state.restarts,
        "tools": state.tools,
        "protocol_version": state.protocol_version,
    }
