"""Asking discord-service how its shards are, beside the reconciles, for the status to tell.

Each bot has a Service without an address of its own, whose name leads to every one of its processes; each tells of the shards it
holds. A bot is asked soon after a process of it is ready, and then in turn with all others, spread evenly over time, so that a
thousand bots are a few requests a second. What can't be had is left out of the status and alarms nobody: whether a bot serves is
told by its Deployments.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import orjson

from botswain_operator import metrics
from botswain_operator.errors import ReportError
from botswain_operator.shard_reports import Reports, are_news, merged, read_reports

log = logging.getLogger(__name__)

Key = tuple[str, str]
AT_ONCE = 16
TIMEOUT_SECONDS = 5
SOON = 1 / 6
"""Part of the time between two questions in which a bot is asked for the first time."""
LONGEST_ANSWER = 2**22
"""Bytes; a shard takes about a hundred."""
FAILURES_FORGIVEN = 2
"""How often in a row a bot may fail to answer until what it said is dropped."""


class ShardChecks:
    """What each bot's processes last said. `changed(key)` is called when that is news.

    Args:
        url: where `{bot}` in `{namespace}` answers.
    """

    def __init__(self, url: str, changed: Callable[[Key], None], *, every_seconds: float) -> None:
        self._url = url
        self._changed = changed
        self._every = every_seconds
        self._known: dict[Key, Reports | None] = {}
        self._failures: dict[Key, int] = {}
        self._asking: dict[Key, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    def about(self, key: Key, *, running: bool) -> Reports | None:
        """What is known of a bot's shards; None while it wasn't asked. One that runs is asked from now on."""
        if not running:
            self.forget(key)
            return {}
        if key not in self._known:
            self._known[key] = None
            self._ask(key, random.uniform(0, self._every * SOON))  # noqa: S311 - only so that not all are asked at once
        return self._known[key]

    def forget(self, key: Key) -> None:
        """Don't ask this bot any more."""
        self._known.pop(key, None)
        self._failures.pop(key, None)
        if task := self._asking.pop(key, None):
            task.cancel()

    async def run(self) -> None:
        """Ask each bot in its turn, for ever."""
        while True:
            keys = list(self._known)
            for key in keys:
                await asyncio.sleep(self._every / len(keys))
                if key in self._known:
                    self._ask(key)
            if not keys:
                await asyncio.sleep(self._every)

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def _ask(self, key: Key, after: float = 0.0) -> None:
        if key in self._asking:
            return
        task = asyncio.create_task(self._answer(key, after), name=f"asking the shards of {key[0]}/{key[1]}")
        self._asking[key] = task
        task.add_done_callback(lambda done: self._asking.pop(key) if self._asking.get(key) is done else None)

    async def _answer(self, key: Key, after: float) -> None:
        await asyncio.sleep(after)
        try:
            async with self._slots, asyncio.timeout(TIMEOUT_SECONDS):
                reports: Reports = await self._get(*key)
        except (ReportError, OSError, aiohttp.ClientError, TimeoutError) as error:
            metrics.SHARD_REPORTS.labels("failed").inc()
            log.debug("%s/%s: %s: %s", *key, type(error).__name__, error)
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            if failures <= FAILURES_FORGIVEN:
                return
            reports = {}
        else:
            metrics.SHARD_REPORTS.labels("read").inc()
            self._failures.pop(key, None)
        before = self._known.get(key)
        if before is None or are_news(reports, before):
            self._known[key] = reports
            self._changed(key)

    async def _get(self, namespace: str, bot: str) -> Reports:
        url = urlsplit(self._url.format(namespace=namespace, bot=bot))
        port = url.port or 80
        found = await asyncio.get_running_loop().getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
        hosts = sorted({str(address[0]) for *_, address in found})
        return merged([await self._ready(urlunsplit(url._replace(netloc=_netloc(host, port)))) for host in hosts])

    async def _ready(self, url: str) -> Reports:
        """One process's answer: it tells of its shards whether it is ready (200) or not (503)."""
        if self._session is None:
            # Each is asked once a minute or so: a connection that waits that long would be one that holds nothing.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status not in (200, 503):
                raise ReportError(f"{url} answers {response.status}")
            raw = await response.content.read(LONGEST_ANSWER)
        try:
            return read_reports(orjson.loads(raw))
        except ValueError:
            raise ReportError(f"{url} answers no JSON") from None


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
