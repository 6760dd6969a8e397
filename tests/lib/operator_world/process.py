"""The real operator as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp


class OperatorProcess:
    """`python -m botswain_operator` against a kubeconfig; its log is in `log`, a line a dict."""

    def __init__(self, kubeconfig: Path, settings: Mapping[str, str]) -> None:
        environment = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
        self._environment = {**environment, "KUBECONFIG": str(kubeconfig), "HTTP_PORT": "0", **settings}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.log: list[dict[str, Any]] = []
        self.port = 0

    async def start(self) -> None:
        """Start it, and wait for its address."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "botswain_operator",
            env=self._environment,
            stderr=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
        )
        listening = asyncio.Event()
        self._reader = asyncio.create_task(self._read(listening))
        async with asyncio.timeout(20):
            await listening.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def _read(self, listening: asyncio.Event) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": raw.decode().rstrip(), "level": "raw"}
            self.log.append(line)
            if "serving /health" in line["event"]:
                self.port = int(line["event"].rsplit(":", 1)[1])
                listening.set()
        listening.set()

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """End it, and wait; the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        async with asyncio.timeout(20):
            code = await self._process.wait()
        if self._reader:
            await self._reader
        return code

    async def wait(self) -> int:
        """Wait for it to end by itself; the exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of its pages."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.port}{path}") as response:
            return response.status, await response.text()

    def defects(self) -> list[str]:
        """What it logged as an error, or not as JSON, with the traceback if there is one."""
        return [
            f"{line['event']} {line.get('exception', '')}".rstrip()
            for line in self.log
            if line["level"] in ("error", "critical", "raw")
        ]
