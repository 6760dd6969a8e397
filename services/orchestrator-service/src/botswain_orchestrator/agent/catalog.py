"""Which tools there are: execution-service's list, kept for a minute.

A list that is too old is used once more while a new one is fetched, so that no turn waits for it. Only a bot's first
turn, and the first one after a start without execution-service, does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import grpc
from botswain_proto.v1 import execution_pb2, execution_pb2_grpc
from botswain_services.logs import get_logger
from botswain_services.rpc import Peer
from google.protobuf import json_format

from botswain_orchestrator.errors import ToolsUnavailableError

log = get_logger(__name__)

FRESH_FOR = 60.0
"""Seconds a list is used before a new one is asked for."""
INCOMPLETE_FOR = 2.0
"""The same, while a server behind execution-service is away: its tools may be missing."""
STARTING_PATIENCE = 10.0
"""Seconds that servers which are away may take to come up before a list without their tools is used."""
LIST_TIMEOUT = 10.0
PROBE_AFTER = 5.0
"""Seconds after which readiness asks again instead of trusting the last answer."""
PROBE_TIMEOUT = 1.5
_RETRY = (0.2, 2.0)
"""First and longest pause between attempts, in seconds."""
_MOST_BOTS = 1000


@dataclass(frozen=True)
class ToolSet:
    """The tools of one bot."""

    tools: Mapping[str, execution_pb2.Tool]

    @cached_property
    def specs(self) -> list[dict[str, Any]]:
        """The tools as LangChain's `bind_tools` takes them: OpenAI's function form, with the schemas as
        execution-service gave them.
        """
        return [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description or tool.title,
                    "parameters": _schema(tool),
                },
            }
            for tool in self.tools.values()
        ]


NO_TOOLS = ToolSet({})


def _schema(tool: execution_pb2.Tool) -> dict[str, Any]:
    schema = _whole_numbers(json_format.MessageToDict(tool.input_schema))
    return schema or {"type": "object", "properties": {}}


def _whole_numbers(value: Any) -> Any:
    """A Struct knows doubles only; `"maximum": 10.0` in a schema would confuse a model."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(inner) for inner in value]
    return value


@dataclass(slots=True)
class _Listing:
    tools: ToolSet
    fresh_until: float


class ToolCatalog:
    """Keeps each bot's tools. `await start()`, later `await close()`."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._stub = execution_pb2_grpc.ExecutionServiceStub(peer.channel)
        self._listings: dict[str, _Listing] = {}
        self._refreshing: dict[str, asyncio.Task[None]] = {}
        self._last_answer = float("-inf")
        self._away: set[str] = set()

    def start(self) -> None:
        """Look for execution-service until it answers; doesn't wait."""
        self._refresh("")

    async def close(self) -> None:
        """Ask for nothing more."""
        tasks = list(self._refreshing.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def tools(self, bot_id: str, *, patience: float) -> ToolSet:
        """The bot's tools.

        Args:
            bot_id: empty for events of no bot.
            patience: longest wait, in seconds, where no list is there yet.

        Raises:
            ToolsUnavailableError: execution-service hasn't answered in that time.
        """
        listing = self._listings.get(bot_id)
        if listing is not None:
            if time.monotonic() > listing.fresh_until:
                self._refresh(bot_id)
            return listing.tools
        try:
            await asyncio.wait_for(asyncio.shield(self._refresh(bot_id)), patience)
        except TimeoutError:
            raise ToolsUnavailableError(f"execution-service has not told its tools within {patience:g} s") from None
        return self._listings[bot_id].tools

    async def problem(self) -> str | None:
        """Readiness: why execution-service can't be used, or None."""
        if time.monotonic() - self._last_answer <= PROBE_AFTER:
            return None
        try:
            await self._fetch("", timeout=PROBE_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        return None

    def _refresh(self, bot_id: str) -> asyncio.Task[None]:
        task = self._refreshing.get(bot_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch_until_there(bot_id), name=f"tools of {bot_id!r}")
            self._refreshing[bot_id] = task
            task.add_done_callback(lambda _: self._refreshing.pop(bot_id, None))
        return task

    async def _fetch_until_there(self, bot_id: str) -> None:
        """Ask until there is an answer to go by: a list to which no server is missing, or one that won't get better soon."""
        pause, longest = _RETRY
        first_answer: float | None = None
        reported = False
        while True:
            try:
                response = await self._fetch(bot_id, timeout=LIST_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                if not reported:
                    log.warning("tools_not_listed", bot_id=bot_id, code=error.code().name, reason=error.details())
                reported = True
            else:
                away = self._note_away(response)
                first_answer = first_answer or time.monotonic()
                if not away or bot_id in self._listings or time.monotonic() - first_answer > STARTING_PATIENCE:
                    break
                pause = _RETRY[0]
            await asyncio.sleep(pause)
            pause = min(longest, pause * 2)
        self._keep(bot_id, response, fresh_for=INCOMPLETE_FOR if away else FRESH_FOR)
        if reported:
            log.info("tools_listed", bot_id=bot_id, tools=sorted(self._listings[bot_id].tools.tools))

    async def _fetch(self, bot_id: str, *, timeout: float) -> execution_pb2.ListToolsResponse:
        request = execution_pb2.ListToolsRequest(bot_id=bot_id)
        response = await self._stub.ListTools(request, timeout=timeout, metadata=self._peer.metadata())
        self._last_answer = time.monotonic()
        return response

    def _note_away(self, response: execution_pb2.ListToolsResponse) -> bool:
        """Whether a server is away; the log hears of changes."""
        away = {server.name: server.reason for server in response.servers if not server.available}
        if away.keys() != self._away:
            log.warning("tool_servers_away" if away else "tool_servers_back", servers=away or sorted(self._away))
            self._away = set(away)
        return bool(away)

    def _keep(self, bot_id: str, response: execution_pb2.ListToolsResponse, *, fresh_for: float) -> None:
        known = self._listings.get(bot_id)
        tools = ToolSet({tool.name: tool for tool in response.tools})
        if known is not None and known.tools.tools == tools.tools:
            tools = known.tools  # the same object: what the model made of it stays valid
        if known is None and len(self._listings) >= _MOST_BOTS:
            self._listings.pop(next(iter(self._listings)))
        self._listings[bot_id] = _Listing(tools, time.monotonic() + fresh_for)
