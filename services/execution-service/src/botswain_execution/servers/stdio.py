"""Serving MCP over this process's stdin and stdout without threads.

The SDK's transport hands each line that is read, written or flushed to a thread and waits for it; at some hundred calls a second
those hops cost more than the calls. Here the event loop itself reads and writes the pipes, and the SDK does the rest. As there,
fd 0 leads nowhere and fd 1 to stderr while it serves: what a library prints doesn't get among the protocol's lines.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from typing import Any, cast

import anyio
import uvloop
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

STDIN, STDOUT, STDERR = 0, 1, 2
LONGEST_LINE = 32 * 1024 * 1024
"""Bytes; what the host, too, takes as the longest."""


def serve(server: MCPServer[Any]) -> None:
    """Serve until the input ends. Where stdin or stdout is no pipe, as in a shell, the SDK's transport does it."""
    # The SDK's own middlewares make spans, which no exporter takes here, and guard state of requests in several parts, which no
    # tool here makes; they are a fifth of a call.
    server.middleware.clear()
    if all(_is_pipe(fd) for fd in (STDIN, STDOUT)):
        uvloop.run(_serve(server))
    else:
        server.run()


def _is_pipe(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def _serve(server: MCPServer[Any]) -> None:
    lines, writer = await _Lines.open(_take(STDIN, os.open(os.devnull, os.O_RDONLY))), _Writer()
    await writer.open(_take(STDOUT, os.dup(STDERR)))
    # Both have of AsyncFile what `stdio_server` uses.
    streams = cast("anyio.AsyncFile[str]", lines), cast("anyio.AsyncFile[str]", writer)
    lowlevel = server._lowlevel_server  # MCPServer.run_stdio_async does the same, and takes no streams
    async with stdio_server(*streams) as (received, sent):
        await lowlevel.run(received, sent, lowlevel.create_initialization_options())
    await writer.close()


def _take(fd: int, stand_in: int) -> int:
    """A private descriptor of what `fd` is, and `stand_in` in its place."""
    private = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, STDERR + 1)
    os.dup2(stand_in, fd)
    os.close(stand_in)
    return private


class _Lines:
    """The lines of the input, to its end."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    @classmethod
    async def open(cls, fd: int) -> _Lines:
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        pipe = os.fdopen(fd, "rb", 0)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return cls(reader)

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._reader.readline()
        if not line:
            raise StopAsyncIteration
        return line.decode(errors="replace")


class _Writer(asyncio.BaseProtocol):
    """Writes lines; `flush()` waits until the host takes more."""

    def __init__(self) -> None:
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = asyncio.Event()
        self._pipe: asyncio.WriteTransport | None = None

    async def open(self, fd: int) -> None:
        self._pipe, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: self, os.fdopen(fd, "wb", 0))

    async def write(self, text: str) -> None:
        if self._pipe is not None and not self._pipe.is_closing():
            self._pipe.write(text.encode(errors="replace"))

    async def flush(self) -> None:
        await self._writable.wait()

    async def close(self) -> None:
        """Send what is left."""
        if self._pipe is not None:
            self._pipe.close()
            await self._lost.wait()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        self._lost.set()
