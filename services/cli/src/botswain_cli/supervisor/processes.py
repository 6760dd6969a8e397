"""One child process: started as the leader of its own process group, its output cut into lines, ended without leftovers.

Only the leader gets SIGTERM, so that it may end its own children in its own order; SIGKILL goes to everything it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import psutil

Stream = Literal["stdout", "stderr"]
_STREAMS: Mapping[int, Stream] = {1: "stdout", 2: "stderr"}
OnLine = Callable[[Stream, str], None]
MAX_LINE = 1_000_000
"""Bytes of a line; a longer one is cut into several."""
KEPT_LINES = 100
"""Last lines of stderr that are kept, to say why a process died."""
OUTPUT_GRACE = 1.0
"""Seconds to read on after a process ended: one of its children may still hold the pipe."""


class Registry(Protocol):
    """Is told of each process that runs, as `reaper` wants it."""

    def add(self, pid: int) -> None:
        """It runs."""

    def discard(self, pid: int) -> None:
        """It and its group are gone."""


class LineSplitter:
    """Cuts a stream of bytes into lines of text; invalid UTF-8 shows as U+FFFD."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._rest = b""
        self._max = max_line

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._max:
            whole.append(self._rest)
            self._rest = b""
        return [line.decode(errors="replace").rstrip("\r") for line in whole]

    def end(self) -> list[str]:
        """What is left when the stream ended within a line."""
        rest, self._rest = self._rest, b""
        return [rest.decode(errors="replace")] if rest else []


class Process(asyncio.SubprocessProtocol):
    """A running child. Make it with `start()`; `wait()` for its end; `end()` it.

    A protocol rather than `asyncio.subprocess.Process`, whose `wait()` doesn't return while a grandchild holds a pipe open.
    """

    def __init__(self, on_line: OnLine, registry: Registry) -> None:
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._on_line = on_line
        self._registry = registry
        self._splitters: dict[Stream, LineSplitter] = {"stdout": LineSplitter(), "stderr": LineSplitter()}
        self._exited = asyncio.Event()
        self._silent = asyncio.Event()
        self._transport: asyncio.SubprocessTransport
        self._ended: asyncio.Future[int]

    @classmethod
    async def start(
        cls, argv: Sequence[str], environment: Mapping[str, str], on_line: OnLine, registry: Registry
    ) -> Process:
        """Start `argv` with exactly this environment.

        Raises:
            OSError: it can't be started.
        """
        _, process = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(on_line, registry),
            *argv,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        return process

    @property
    def pid(self) -> int:
        """Its process id; its process group has the same."""
        return self._transport.get_pid()

    async def wait(self) -> int:
        """Its exit code, negative for a signal, once it ended and all its output was handed on."""
        return await asyncio.shield(self._ended)

    async def end(self, grace: float) -> int:
        """SIGTERM, at most `grace` seconds, then SIGKILL for all it started."""
        if grace > 0 and not self._exited.is_set():
            self._transport.terminate()
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self.wait(), grace)
        self.kill()
        return await self.wait()

    def kill(self) -> None:
        """SIGKILL it and all it started."""
        if self._exited.is_set():
            return
        offspring = _offspring(self.pid)
        _kill_group(self.pid)
        for process in offspring:
            with contextlib.suppress(psutil.Error):
                process.kill()

    async def _see_through(self) -> int:
        await self._exited.wait()
        _kill_group(self.pid)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._silent.wait(), OUTPUT_GRACE)
        self._registry.discard(self.pid)
        code = self._transport.get_returncode()
        self._transport.close()
        assert code is not None
        return code

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: it runs."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport
        self._registry.add(self.pid)
        self._ended = asyncio.ensure_future(self._see_through())

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """asyncio: it wrote."""
        stream = _STREAMS[fd]
        self._hand_on(stream, self._splitters[stream].feed(data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """asyncio: a stream ended."""
        stream = _STREAMS[fd]
        self._hand_on(stream, self._splitters.pop(stream).end())
        if not self._splitters:
            self._silent.set()

    def process_exited(self) -> None:
        """asyncio: it ended; its children may still write."""
        self._exited.set()

    def _hand_on(self, stream: Stream, lines: list[str]) -> None:
        for line in lines:
            if stream == "stderr":
                self.last_lines.append(line)
            self._on_line(stream, line)


def _offspring(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
