"""The queue between triggers and reconciles.

A key is one bot. However often it is added while it waits, it is handed out once; added while it is being worked on, it is
handed out again afterwards. So a burst of events costs one reconcile, no bot is reconciled twice at the same time, and a bot
that fails waits out its backoff without holding up another.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 300.0


def backoff_seconds(failures: int) -> float:
    """How long a key waits after its `failures`-th failure in a row."""
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 20))


class WorkQueue(Generic[K]):
    """Keys to work on, each at most once at a time."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[K, float] = OrderedDict()
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Nothing waits for a worker and nothing is being worked on; timers may be set."""
        return not self._waiting and not self._active

    def add(self, key: K) -> None:
        """Hand out `key` as soon as a worker is free."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = time.monotonic()
            self._filled.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Hand out `key` in `seconds`; of two such wishes for a key the earlier one holds."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= loop.time() + seconds:
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def forget(self, key: K) -> None:
        """Drop what is planned for a key that is no more."""
        if timer := self._timers.pop(key, None):
            timer.cancel()

    def close(self) -> None:
        """Cancel every timer."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def work(self, handle: Callable[[K, float], Awaitable[None]]) -> None:
        """One worker: hand keys to `handle(key, seconds it waited)` for ever. `handle` deals with its own failures."""
        while True:
            while not self._waiting:
                self._filled.clear()
                await self._filled.wait()
            key, added = self._waiting.popitem(last=False)
            self._active.add(key)
            try:
                await handle(key, time.monotonic() - added)
            finally:
                self._active.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)
