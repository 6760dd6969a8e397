"""The platform as its user starts it: `botswain dev` in a subprocess, on free ports; its logs and the simulator's events at hand.

For checks and end-to-end tests. Nothing here knows how a part works: it reads what `botswain dev` says and speaks to `/sim/`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

READY_DEADLINE = 120.0
END_DEADLINE = 60.0
Json = dict[str, Any]


class PlatformError(Exception):
    """The platform did not do what it should; the message ends with its last log lines."""


@dataclass
class SimEvent:
    """One event of `/sim/events`; `at` by the loop's clock, in seconds."""

    name: str
    data: Json
    at: float


@dataclass
class RunningPlatform:
    """A `botswain dev` that is ready."""

    process: asyncio.subprocess.Process
    about: Json
    http: httpx.AsyncClient
    logs: list[Json] = field(default_factory=list)
    """The JSON log lines of all parts and of the command, as they come."""
    text: list[str] = field(default_factory=list)
    """Everything on standard error, as it came."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def page(self) -> str:
        """The simulator's address, without a slash at the end."""
        return str(self.about["page"]).rstrip("/")

    def pid(self, part: str) -> int:
        """The process id of a part, as it was when all was ready."""
        return next(int(one["pid"]) for one in self.about["parts"] if one["name"] == part)

    async def until_log(self, matches: Callable[[Json], bool], deadline: float = END_DEADLINE) -> Json:
        """The first log line, past or to come, that matches."""
        seen = 0
        try:
            async with asyncio.timeout(deadline):
                while True:
                    for line in self.logs[seen:]:
                        if matches(line):
                            return line
                    seen = len(self.logs)
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            raise PlatformError(f"no such log line within {deadline:g} s\n{self.tail()}") from None

    def tail(self, count: int = 20) -> str:
        """The last lines of standard error."""
        return "\n".join(self.text[-count:])

    async def sim(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control API."""
        response = await self.http.request(method, f"{self.page}/sim{path}", json=body)
        if response.status_code >= 300:
            raise PlatformError(f"{method} /sim{path}: {response.status_code} {response.text}")
        return response.json() if response.content else None

    async def general(self) -> str:
        """The id of #general."""
        state = await self.sim("GET", "/state")
        return next(str(c["id"]) for g in state["guilds"] for c in g["channels"] if c["name"] == "general")

    async def say(self, channel_id: str, content: str) -> Json:
        """Write as the simulator's default person; the message."""
        message: Json = await self.sim("POST", f"/channels/{channel_id}/messages", {"content": content})
        return message

    @asynccontextmanager
    async def events(self) -> AsyncIterator[SimEvents]:
        """The simulator's events from now on."""
        async with self.http.stream("GET", f"{self.page}/sim/events", timeout=None) as response:
            yield SimEvents(response)

    async def stop(self) -> int:
        """Ctrl-C, as the process gets it from a terminal; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(END_DEADLINE):
            return await self.process.wait()


class SimEvents:
    """Reads a Server-Sent Events stream."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def __aiter__(self) -> AsyncIterator[SimEvent]:
        name, data = "message", ""
        loop = asyncio.get_running_loop()
        try:
            async for line in self._lines:
                if line.startswith("event:"):
                    name = line.removeprefix("event:").strip()
                elif line.startswith("data:"):
                    data += line.removeprefix("data:").strip()
                elif not line and data:
                    yield SimEvent(name, json.loads(data), loop.time())
                    name, data = "message", ""
        except httpx.TransportError:
            return  # the simulator ended

    async def first(self, matches: Callable[[SimEvent], bool], deadline: float = END_DEADLINE) -> SimEvent:
        """The next event that matches."""
        async with asyncio.timeout(deadline):
            async for event in self:
                if matches(event):
                    return event
        raise PlatformError("the simulator's events ended")


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without what would make `botswain dev` do something else."""
    drop = (
        "DISCORD_",
        "SIMULATOR_",
        "BOTSWAIN_",
        "MODEL",
        "SHARD_",
        "EXECUTION_",
        "ORCHESTRATOR_",
        "HEALTH_PORT",
        "DATABASE_URL",
    )
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith((*drop, "LOG_", "SERVICE_", "SHUTDOWN_"))
    }
    return {**kept, **(more or {})}


async def start_dev(
    data_dir: Path, *options: str, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """`botswain dev` with these options, its output piped."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "botswain_cli", "dev", "--data-dir", str(data_dir), *options),
        env=clean_environment(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**22,
    )


@asynccontextmanager
async def running_platform(
    data_dir: Path, options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> AsyncIterator[RunningPlatform]:
    """Start the platform, wait until it is ready, end it.

    Raises:
        PlatformError: it did not become ready.
    """
    process = await start_dev(
        data_dir, "--free-ports", "--json", "--log-format", "json", *options, environment=environment
    )
    assert process.stdout is not None
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    async with httpx.AsyncClient(timeout=30.0, trust_env=False, limits=limits) as http:
        platform = RunningPlatform(process, {}, http)
        reader = asyncio.create_task(_read_logs(process, platform))
        try:
            async with asyncio.timeout(READY_DEADLINE):
                line = await process.stdout.readline()
            if not line:
                await reader
                raise PlatformError(f"`botswain dev` ended with code {await process.wait()}\n{platform.tail()}")
            platform.about = json.loads(line)
            yield platform
        except TimeoutError:
            raise PlatformError(f"not ready within {READY_DEADLINE:g} s\n{platform.tail()}") from None
        finally:
            await platform.stop()
            await reader


async def _read_logs(process: asyncio.subprocess.Process, platform: RunningPlatform) -> None:
    assert process.stderr is not None
    async for raw in process.stderr:
        line = raw.decode(errors="replace").rstrip("\n")
        platform.text.append(line)
        if line.startswith("{"):
            try:
                platform.logs.append(json.loads(line))
            except ValueError:
                continue
        platform.news.set()


def family(pid: int) -> list[psutil.Process]:
    """All processes that a process started, and those these started."""
    return psutil.Process(pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[str]:
    """Those that still run, in words. One that ended and that nobody waits for is a zombie, and doesn't run."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid} {' '.join(process.cmdline())[:80]}")
        except psutil.NoSuchProcess:
            continue
    return found
