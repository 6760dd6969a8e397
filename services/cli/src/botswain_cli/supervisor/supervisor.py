"""`Supervisor`: the edge that starts, probes, restarts and ends what `children` decides on.

One task per part keeps it running. A part starts when those it needs are ready; later deaths of what it needs don't touch it,
because services wait for each other by themselves. Everything ends in the reverse order of the list of parts.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from botswain_cli.errors import PartFailedError
from botswain_cli.supervisor import children, reaper
from botswain_cli.supervisor.children import Child, Done, Ending, GiveUp, State
from botswain_cli.supervisor.processes import Process, Stream

PROBE_EVERY = 0.05
"""Seconds between two questions to a part that is starting."""
START_TIMEOUT = 60.0
"""Seconds a part has to become ready."""

ReadyProbe = Callable[[], Awaitable[str | None]]
"""Asks a part whether it is ready: None, or the reason why not."""


@dataclass(frozen=True)
class Part:
    """What to run and keep running."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)  # holds secrets
    probe: ReadyProbe = field(repr=False)
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listener:
    """What a supervisor tells: lines its parts write, and what it does itself, in words."""

    line: Callable[[str, Stream, str], None]
    """(part, stream, line)"""
    says: Callable[[str, str], None]
    """(level, sentence); level is `info`, `warning` or `error`."""
    changed: Callable[[], None] = lambda: None
    """A child's state changed."""
    last_words: Callable[[Sequence[str]], str] = lambda lines: lines[-1] if lines else ""
    """The line that says best why a process died, of its last ones on stderr."""


class Supervisor:
    """Runs parts while the `async with` block runs; its end ends them.

    Args:
        parts: in the order of their start. Names are unique.
        grace: seconds a part has to end after SIGTERM.
    """

    def __init__(
        self, parts: Sequence[Part], listener: Listener, *, grace: float = 10.0, start_timeout: float = START_TIMEOUT
    ) -> None:
        self.children: dict[str, Child] = {part.name: Child() for part in parts}
        self._parts = parts
        self._listener = listener
        self._grace = grace
        self._start_timeout = start_timeout
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._processes: dict[str, Process] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._hurry = asyncio.Event()
        self._reaper = _Reaper()

    async def __aenter__(self) -> Self:
        await self._reaper.start(self._grace)
        self._keepers = [asyncio.create_task(self._keep(part), name=part.name) for part in self._parts]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for part in reversed(self._parts):
            await self._end(part.name)
        await self._reaper.dismiss()

    async def wait_ready(self) -> None:
        """Return when every part was ready once.

        Raises:
            PartFailedError: one can't be.
        """
        await self._unless_failed(self._all_ready())

    async def watch(self) -> None:
        """Never return while parts can be kept running.

        Raises:
            PartFailedError: one can't any more.
        """
        await self._unless_failed(asyncio.Event().wait())

    def hurry(self) -> None:
        """Spend no more grace: what is still to be ended is killed."""
        self._hurry.set()

    async def _all_ready(self) -> None:
        for event in self._ready.values():
            await event.wait()

    async def _unless_failed(self, work: Coroutine[Any, Any, object]) -> None:
        waiting = asyncio.create_task(work)
        tasks: set[asyncio.Task[Any]] = {waiting, *self._keepers}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers:
                if keeper.done():
                    keeper.result()
        finally:
            waiting.cancel()

    async def _keep(self, part: Part) -> None:
        """Keep one part running until cancelled."""
        for name in part.needs:
            await self._ready[name].wait()
        while True:
            decision = await self._run_once(part)
            if isinstance(decision, GiveUp):
                raise PartFailedError(part.name, decision.reason)
            if isinstance(decision, Done):
                return
            again = f"starting it again in {decision.delay:g} s"
            self._listener.says("warning", f"{part.name} {decision.reason}; {again}")
            await asyncio.sleep(decision.delay)

    async def _run_once(self, part: Part) -> children.Decision:
        """Start a part's process and see it through to its end."""
        restarted = self.children[part.name].state is State.BACKING_OFF

        def on_line(stream: Stream, line: str) -> None:
            self._listener.line(part.name, stream, line)

        try:
            process = await Process.start(part.argv, part.environment, on_line, self._reaper)
        except OSError as error:
            raise PartFailedError(part.name, f"can't be started: {error}") from error
        self._processes[part.name] = process
        self._change(part.name, children.started(self.children[part.name], process.pid, time.monotonic()))
        self._listener.says("info", f"{part.name} is starting (pid {process.pid})")
        ending = asyncio.ensure_future(process.wait())
        try:
            problem = await self._until_ready(part, process, ending)
            if not problem and not ending.done():
                self._change(part.name, children.became_ready(self.children[part.name], time.monotonic()))
                self._ready[part.name].set()
                self._listener.says("info", f"{part.name} is ready{' again' if restarted else ''}")
            code = await ending
        finally:
            ending.cancel()
        how = Ending(code, self._listener.last_words(list(process.last_lines)), problem)
        child, decision = children.exited(self.children[part.name], how, time.monotonic())
        self._change(part.name, child)
        return decision

    async def _until_ready(self, part: Part, process: Process, ending: asyncio.Future[int]) -> str:
        """Ask until the part is ready or ended. When that takes too long end it, and answer why."""
        deadline = time.monotonic() + self._start_timeout
        while not ending.done():
            reason = await part.probe()
            if reason is None:
                break
            if time.monotonic() > deadline:
                await process.end(self._grace)
                return f"not ready after {self._start_timeout:g} s ({reason})"
            await asyncio.wait({ending}, timeout=PROBE_EVERY)
        return ""

    async def _end(self, name: str) -> None:
        """End a part's process, if it runs."""
        process = self._processes.get(name)
        if process is None or self.children[name].pid is None:
            return
        self._change(name, children.stopping(self.children[name], time.monotonic()))
        ending = asyncio.ensure_future(process.end(0 if self._hurry.is_set() else self._grace))
        hurried = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait({ending, hurried}, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ending.done():
            process.kill()
        code = await ending
        child, _ = children.exited(self.children[name], Ending(code), time.monotonic())
        self._change(name, child)
        killed = " (killed: it did not end by itself)" if code == -9 else ""
        self._listener.says("warning" if killed else "info", f"{name} has stopped{killed}")

    def _change(self, name: str, child: Child) -> None:
        self.children[name] = child
        self._listener.changed()


class _Reaper:
    """Our end of the pipe to `reaper`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, grace: float) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            reaper.__file__,
            str(grace),
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,
        )

    def add(self, pid: int) -> None:
        self._tell(f"+{pid}\n")

    def discard(self, pid: int) -> None:
        self._tell(f"-{pid}\n")

    async def dismiss(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line.encode())
