"""Lanes: one queue per conversation.

What is put into one lane runs in order, one after the other. Lanes run side by side, at most `workers` items at a
time over all of them, so a slow item holds up its own lane only. A lane exists while it has something to do: the
first item makes it and starts its task, and the task removes it when the queue is empty. Waiting lanes get their
turn in the order in which they asked (the semaphore is fair), one item each, so a busy conversation can't starve a
quiet one.

An item that has to be tried again stays first in its lane, which rests meanwhile and takes none of the `workers`.

Draining is graceful depletion the other way round: what runs may finish, what waits is given back, because it is
recorded and will run after the next start.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")


def _any(_item: object) -> bool:
    return True


class Lanes(Generic[Item]):
    """Runs items of many lanes.

    Args:
        run: does the work of one item; gives the seconds after which it is to be run again, None when it is done. What
            it raises ends the lane's task and surfaces in `drain()`, so it should not.
        workers: items that run at the same time.
        sleep: lets time pass.
    """

    def __init__(
        self,
        run: Callable[[Item], Awaitable[float | None]],
        *,
        workers: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._run = run
        self._sleep = sleep
        self._closed = asyncio.Event()
        self._slots = asyncio.Semaphore(workers)
        self._queues: dict[Hashable, deque[Item]] = {}
        self._arrivals: dict[Hashable, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self.waiting = 0
        """Items that have not started."""
        self.running = 0
        """Items under way."""

    def __len__(self) -> int:
        return len(self._queues)

    def put(self, lane: Hashable, item: Item) -> bool:
        """Queue `item`; False when draining, and then it isn't queued."""
        if self._draining:
            return False
        self.waiting += 1
        queue = self._queues.get(lane)
        if queue is not None:
            queue.append(item)
            if lane in self._arrivals:
                self._arrivals[lane].set()
            return True
        self._queues[lane] = deque((item,))
        task = asyncio.get_running_loop().create_task(self._work(lane), name=f"lane {lane}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def busy(self, lane: Hashable) -> bool:
        """Whether something of that lane runs or waits."""
        return lane in self._queues

    def newest(self, lane: Hashable, matches: Callable[[Item], bool] = _any) -> Item | None:
        """The last of those that wait in that lane, and match."""
        return next((item for item in reversed(self._queues.get(lane, ())) if matches(item)), None)

    async def arrival(self, lane: Hashable, matches: Callable[[Item], bool] = _any) -> None:
        """Wait until something that matches waits in that lane, behind what runs. One at a time may ask."""
        while self.newest(lane, matches) is None:
            arrived = self._arrivals[lane] = asyncio.Event()
            try:
                await arrived.wait()
            finally:
                if self._arrivals.get(lane) is arrived:
                    del self._arrivals[lane]

    async def _work(self, lane: Hashable) -> None:
        queue = self._queues[lane]
        try:
            while queue:
                async with self._slots:
                    if not queue:  # given back while this lane waited for its slot
                        break
                    item = queue.popleft()
                    self.waiting -= 1
                    self.running += 1
                    try:
                        pause = await self._run(item)
                    finally:
                        self.running -= 1
                if pause is not None and not self._draining:
                    queue.appendleft(item)
                    self.waiting += 1
                    await self._rest(pause)
        finally:
            del self._queues[lane]

    async def _rest(self, seconds: float) -> None:
        """Let time pass, unless the lanes are closed first."""
        waits = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._closed.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def withdraw(self, matches: Callable[[Hashable], bool]) -> list[Item]:
        """Take back what waits in the lanes that match; what runs goes on."""
        withdrawn: list[Item] = []
        for lane, queue in self._queues.items():
            if queue and matches(lane):
                withdrawn += queue
                queue.clear()
        self.waiting -= len(withdrawn)
        return withdrawn

    def close(self) -> list[Item]:
        """Start nothing more; the items that were waiting."""
        self._draining = True
        self._closed.set()
        return self.withdraw(lambda _: True)

    async def drain(self) -> None:
        """Close, and wait for what runs."""
        self.close()
        await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        """Close, and end what still runs."""
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
