"""A server's process: started in a process group of its own, its lines in and out, its limits, its end.

The pipes are ours, not the event loop's subprocess pipes: the end of the process and the end of its output are separate events.
So its last words on stderr are read even if it is gone already, and a grandchild that keeps the pipe open doesn't make a dead
server look alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from botswain_execution.config import Limits
from botswain_execution.errors import ServerStartError

LONGEST_LINE = 32 * 1024 * 1024
"""Bytes. A server that sends more without a line break is ended."""
LAST_WORDS_WAIT = 0.5
"""Seconds given to pipes of a dead process to run empty."""

OnLine = Callable[[bytes], None]
OnFlood = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process is started. `cwd` is absolute; `env` is its whole environment."""

    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    limits: Limits = field(default_factory=Limits)


class LineReader(asyncio.Protocol):
    """Cuts a pipe's bytes into lines. The last one counts without its line break too."""

    def __init__(self, on_line: OnLine, on_too_long: Callable[[], None]) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self._on_line = on_line
        self._on_too_long = on_too_long
        self._parts: list[bytes] = []
        self._size = 0

    def data_received(self, data: bytes) -> None:
        """Hand on the lines that are complete."""
        if b"\n" in data:
            *lines, data = (b"".join(self._parts) + data).split(b"\n")
            self._parts, self._size = [], 0
            for line in lines:
                self._on_line(line)
        if data:
            self._parts.append(data)
            self._size += len(data)
            if self._size > LONGEST_LINE:
                self._parts, self._size = [], 0
                self._on_too_long()

    def connection_lost(self, exc: Exception | None) -> None:
        """The pipe has ended."""
        if self._parts:
            self._on_line(b"".join(self._parts))
            self._parts = []
        if not self.closed.done():
            self.closed.set_result(None)


class _LineWriter(asyncio.BaseProtocol):
    """Follows whether the pipe takes more."""

    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self.lost = False

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.writable.set()


class _Exit(asyncio.SubprocessProtocol):
    def __init__(self) -> None:
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        self.exited.set()


class ServerProcess:
    """A started process. Make one with `start()`, end it with `stop()`."""

    def __init__(self, transport: asyncio.SubprocessTransport, exit_: _Exit) -> None:
        self._transport = transport
        self._exit = exit_
        self._stdin: asyncio.WriteTransport | None = None
        self._writer = _LineWriter()
        self._readers: list[tuple[asyncio.BaseTransport, LineReader]] = []
        self.pid: int = transport.get_pid()

    @classmethod
    async def start(cls, launch: Launch, *, on_stdout: OnLine, on_stderr: OnLine, on_flood: OnFlood) -> ServerProcess:
        """Start a process and read its output from now on.

        Args:
            launch: what to start.
            on_stdout: takes each line, without its line break.
            on_stderr: likewise.
            on_flood: called when a line is longer than `LONGEST_LINE`; what was read of it is dropped.

        Raises:
            ServerStartError: there is no such command or folder, or it may not be run.
        """
        program = _find(launch)
        loop = asyncio.get_running_loop()
        exit_ = _Exit()
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            pipes = [os.pipe() for _ in range(3)]
            (stdin_r, stdin_w), (stdout_r, stdout_w), (stderr_r, stderr_w) = pipes
            for fd in (stdin_r, stdout_w, stderr_w):
                theirs.callback(os.close, fd)
            for fd in (stdin_w, stdout_r, stderr_r):
                ours.callback(os.close, fd)
            try:
                transport, _ = await loop.subprocess_exec(
                    lambda: exit_,
                    program,
                    *launch.args,
                    stdin=stdin_r,
                    stdout=stdout_w,
                    stderr=stderr_w,
                    env=launch.env,
                    cwd=launch.cwd,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise ServerStartError(f"can't run {program!r}: {getattr(error, 'strerror', None) or error}") from None
            ours.pop_all()
        process = cls(transport, exit_)
        files = os.fdopen(stdin_w, "wb", 0), os.fdopen(stdout_r, "rb", 0), os.fdopen(stderr_r, "rb", 0)
        try:
            _set_limits(process.pid, launch.limits)
            await process._connect(*files, on_stdout, on_stderr, on_flood)
        except BaseException:  # cancelled half-way: nobody else knows of the process yet
            _signal_group(process.pid, signal.SIGKILL)
            await asyncio.shield(process._exits_within(LAST_WORDS_WAIT))
            process._close()
            for file in files:
                file.close()
            raise
        return process

    async def _connect(
        self,
        stdin: IO[bytes],
        stdout: IO[bytes],
        stderr: IO[bytes],
        on_stdout: OnLine,
        on_stderr: OnLine,
        on_flood: OnFlood,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._stdin, _ = await loop.connect_write_pipe(lambda: self._writer, stdin)
        for pipe, on_line in ((stdout, on_stdout), (stderr, on_stderr)):
            reader = LineReader(on_line, on_flood)
            transport, _ = await loop.connect_read_pipe(lambda reader=reader: reader, pipe)  # type: ignore[misc]  # mypy can't infer a lambda's default
            self._readers.append((transport, reader))

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self._transport.get_returncode()

    @property
    def writable(self) -> bool:
        """Whether the pipe takes more now."""
        return self._writer.writable.is_set()

    def write(self, line: bytes) -> None:
        """Send one line; the line break is added. After the process's end it goes nowhere."""
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(line + b"\n")

    async def drained(self) -> None:
        """Wait until the pipe takes more."""
        await self._writer.writable.wait()

    async def exited(self) -> int:
        """Wait for its end; its exit code."""
        await self._exit.exited.wait()
        code = self.returncode
        return 0 if code is None else code

    async def stop(self, step: float) -> str:
        """End it: close its input, wait `step` seconds; SIGTERM to its group, wait; SIGKILL. Then let go of the pipes.

        May be called again after it was cancelled.

        Returns:
            What it took: "end of input", "SIGTERM" or "SIGKILL"; "gone" when it had ended by itself.
        """
        try:
            how = "gone" if self._exit.exited.is_set() else await self._end(step)
        finally:
            _signal_group(
                self.pid, signal.SIGKILL
            )  # children that outlived it; or it, when nobody has the time to wait
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_WAIT):
                await asyncio.gather(*(reader.closed for _, reader in self._readers))
        self._close()
        return how

    async def _end(self, step: float) -> str:
        if self._stdin is not None:
            self._stdin.close()
        if await self._exits_within(step):
            return "end of input"
        _signal_group(self.pid, signal.SIGTERM)
        if await self._exits_within(step):
            return "SIGTERM"
        _signal_group(self.pid, signal.SIGKILL)
        await self._exits_within(step)
        return "SIGKILL"

    async def _exits_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._exit.exited.wait()
        except TimeoutError:
            return False
        return True

    def _close(self) -> None:
        if self._stdin is not None and not self._writer.lost:
            self._stdin.abort()
        for pipe, _ in self._readers:
            pipe.close()
        self._transport.close()


def explain_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _find(launch: Launch) -> str:
    """The program's path, or the reason why it can't be run."""
    if not Path(launch.cwd).is_dir():
        raise ServerStartError(f"its folder (cwd) {launch.cwd!r} doesn't exist")
    command = launch.command
    if os.sep in command:
        path = Path(launch.cwd, command)
        if not path.exists():
            raise ServerStartError(f"the command {str(path)!r} doesn't exist")
        if not os.access(path, os.X_OK) or path.is_dir():
            raise ServerStartError(f"the command {str(path)!r} isn't an executable file")
        return str(path)
    found = shutil.which(command, path=launch.env.get("PATH", os.defpath))
    if found is None:
        raise ServerStartError(
            f"the command {command!r} was not found on the PATH ({launch.env.get('PATH', os.defpath)})"
        )
    return found


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _set_limits(pid: int, limits: Limits) -> None:
    """Limits are set from outside, just after the start: code that runs between fork and exec isn't safe beside threads.

    Only Linux can do that (prlimit(2)); elsewhere the server runs without limits.
    """
    if sys.platform != "linux":
        return
    import resource

    mebibyte = 1024 * 1024
    wanted: list[tuple[Any, int | None]] = [
        (resource.RLIMIT_AS, None if limits.memory_mb is None else limits.memory_mb * mebibyte),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, limits.core_mb * mebibyte),
    ]
    for kind, value in wanted:
        if value is None:
            continue
        with contextlib.suppress(ProcessLookupError):  # it is gone already; its exit code says more
            _, hard = resource.prlimit(pid, kind)
            ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(pid, kind, (ceiling, ceiling))
