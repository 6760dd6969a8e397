"""One child process: started as the leader of its own process group, its output cut into lines, ended without leftovers.

Only the leader gets SIGTERM, so that it may end its own children in its own order; SIGKILL goes to everything it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import psutil

Stream = Literal["stdout", "stderr"]
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


class Process:
    """A running child. Make it with `start()`; `wait()` for its end; `end()` it."""

    def __init__(self, process: asyncio.subprocess.Process, on_line: OnLine, registry: Registry) -> None:
        self.pid = process.pid
        self.last_lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process = process
        self._registry = registry
        registry.add(self.pid)
        self._ended = asyncio.ensure_future(self._run(on_line))

    @classmethod
    async def start(
        cls, argv: Sequence[str], environment: Mapping[str, str], on_line: OnLine, registry: Registry
    ) -> Process:
        """Start `argv` with exactly this environment.

        Raises:
            OSError: it can't be started.
        """
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return cls(process, on_line, registry)

    async def wait(self) -> int:
        """Its exit code, negative for a signal, once it ended and all its output was handed on."""
        return await asyncio.shield(self._ended)

    async def end(self, grace: float) -> int:
        """SIGTERM, at most `grace` seconds, then SIGKILL for all it started."""
        if grace > 0 and self._process.returncode is None:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self.wait(), grace)
        self.kill()
        return await self.wait()

    def kill(self) -> None:
        """SIGKILL it and all it started."""
        if self._process.returncode is not None:
            return
        offspring = _offspring(self.pid)
        _kill_group(self.pid)
        for process in offspring:
            with contextlib.suppress(psutil.Error):
                process.kill()

    async def _run(self, on_line: OnLine) -> int:
        readers = [
            asyncio.ensure_future(self._read(self._process.stdout, "stdout", on_line)),
            asyncio.ensure_future(self._read(self._process.stderr, "stderr", on_line)),
        ]
        code = await self._process.wait()
        _kill_group(self.pid)
        _, late = await asyncio.wait(readers, timeout=OUTPUT_GRACE)
        for reader in late:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        self._registry.discard(self.pid)
        return code

    async def _read(self, pipe: asyncio.StreamReader | None, stream: Stream, on_line: OnLine) -> None:
        assert pipe is not None
        splitter = LineSplitter()
        while data := await pipe.read(65536):
            self._hand_on(splitter.feed(data), stream, on_line)
        self._hand_on(splitter.end(), stream, on_line)

    def _hand_on(self, lines: list[str], stream: Stream, on_line: OnLine) -> None:
        for line in lines:
            if stream == "stderr":
                self.last_lines.append(line)
            on_line(stream, line)


def _offspring(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
