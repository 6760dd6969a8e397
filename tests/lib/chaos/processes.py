"""Processes that are kept running as Kubernetes would: whatever ends is started again at once, on the same ports.

Each start is a life, with a log file of its own. What ends without having been asked to is remembered as a crash. A process of
`botswain_cli.supervisor.reaper` ends all of them should this one be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from botswain_cli.supervisor import reaper

from chaos.waiting import until

END_DEADLINE = 30.0
SHORT_PAUSE = 0.5
"""Seconds before the next start of what crashed: a part that can't start must not eat the machine."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `url` is where `/ready` is."""

    name: str
    kind: str
    module: str
    environment: Mapping[str, str] = field(repr=False)
    url: str


@dataclass(slots=True)
class Life:
    """One run of a program."""

    number: int
    pid: int
    log: Path
    asked_to_end: bool = False
    code: int | None = None


class Keeper:
    """Keeps one program running from `start()` until `end()`."""

    def __init__(self, program: Program, folder: Path, reaper_: Reaper, http: httpx.AsyncClient) -> None:
        self.program = program
        self.lives: list[Life] = []
        self.crashes: list[str] = []
        self._folder = folder
        self._reaper = reaper_
        self._http = http
        self._held = asyncio.Event()
        self._held.set()
        self._ending = False
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def life(self) -> Life | None:
        """The run under way."""
        return self.lives[-1] if self.lives and self.lives[-1].code is None else None

    def start(self) -> None:
        """Start it, and keep it running."""
        self._task = asyncio.create_task(self._keep(), name=f"keeper of {self.program.name}")

    def kill(self, number: signal.Signals) -> bool:
        """Send a signal that ends it; whether there was a process to send it to."""
        life = self.life
        if life is None or self._process is None:
            return False
        life.asked_to_end = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(life.pid, number)  # asyncio's way polls first, and takes the exit code away from who waits for it
        return True

    async def offspring(self, words: str, deadline: float) -> list[psutil.Process]:
        """The processes it started whose command line holds `words`; none when none is there within `deadline` seconds."""

        async def look() -> list[psutil.Process]:
            return self._offspring(words)

        return await until(look, deadline)

    def _offspring(self, words: str) -> list[psutil.Process]:
        life = self.life
        if life is None:
            return []
        with contextlib.suppress(psutil.Error):
            return [one for one in psutil.Process(life.pid).children() if words in " ".join(_command(one))]
        return []

    async def freeze(self, seconds: float) -> bool:
        """Let it stand still for a while; whether there was something to stop."""
        life = self.life
        if life is None:
            return False
        try:
            os.kill(life.pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            if life.code is None:
                os.kill(life.pid, signal.SIGCONT)
        return True

    @contextlib.asynccontextmanager
    async def away(self) -> Any:
        """End it, and don't start it again before the block ends."""
        self._held.clear()
        try:
            self.kill(signal.SIGTERM)
            yield
        finally:
            self._held.set()

    async def ready(self) -> dict[str, Any] | None:
        """What `/ready` tells, once it says that the program is ready; None: it isn't."""
        try:
            response = await self._http.get(f"{self.program.url}/ready")
        except httpx.HTTPError:
            return None
        return dict(response.json()) if response.status_code == 200 else None

    async def until_ready(self, deadline: float) -> bool:
        """Wait until it is ready; False when that takes longer than `deadline` seconds."""
        return await until(self.ready, deadline) is not None

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it for good."""
        self._ending = True
        self._held.set()
        self.kill(number)
        if self._task is not None:
            try:
                async with asyncio.timeout(END_DEADLINE):
                    await asyncio.shield(self._task)
            except TimeoutError:
                self.crashes.append(f"{self.program.name} did not end within {END_DEADLINE:g} s of SIGTERM")
                self.kill(signal.SIGKILL)
                await self._task

    async def _keep(self) -> None:
        while not self._ending:
            await self._held.wait()
            life = await self._start()
            assert self._process is not None
            if self._ending:  # `end()` was called while it was being started
                self.kill(signal.SIGTERM)
            life.code = await self._process.wait()
            self._reaper.tell("-", life.pid)
            if not life.asked_to_end or life.code not in (0, -signal.SIGKILL, -signal.SIGTERM):
                self.crashes.append(f"{self.program.name} ended with code {life.code}; see {life.log}")
                await asyncio.sleep(SHORT_PAUSE)

    async def _start(self) -> Life:
        number = len(self.lives) + 1
        log = self._folder / f"{self.program.name}.{number}.log"
        with log.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.program.module),
                env=dict(self.program.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        life = Life(number, self._process.pid, log)
        self._reaper.tell("+", life.pid)
        self.lives.append(life)
        return life


class Reaper:
    """Our end of the pipe to `reaper`, which ends what is left of our children when the pipe closes."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Reaper:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", reaper.__file__, "0"), stdin=subprocess.PIPE, start_new_session=True
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    def tell(self, sign: str, pid: int) -> None:
        """`+`: it runs; `-`: it is gone."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sign}{pid}\n".encode())


def _command(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return list(process.cmdline())
    return []


def clean_environment() -> dict[str, str]:
    """What programs get of this process's environment: nothing that would configure them."""
    return {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")}
