"""The queue between triggers and reconciles."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from botswain_operator.workqueue import WorkQueue, backoff_seconds

Handle = Callable[[str, float], Awaitable[None]]


@contextlib.asynccontextmanager
async def working(queue: WorkQueue[str], handle: Handle, workers: int = 2) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(queue.work(handle)) for _ in range(workers)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        queue.close()


async def test_burst_costs_one_handling() -> None:
    """A key that is added many times while it waits is handed out once."""
    queue: WorkQueue[str] = WorkQueue()
    handled: list[str] = []
    done = asyncio.Event()

    async def handle(key: str, _: float) -> None:
        handled.append(key)
        if key == "last":
            done.set()

    for _ in range(50):
        queue.add("bot")
    queue.add("last")
    async with working(queue, handle, workers=1), asyncio.timeout(5):
        await done.wait()
    assert handled == ["bot", "last"]


async def test_key_is_never_handled_twice_at_once() -> None:
    """A key that is added while it is worked on is handed out again afterwards, once."""
    queue: WorkQueue[str] = WorkQueue()
    running, peak, rounds = 0, 0, 0
    gate, finished = asyncio.Event(), asyncio.Event()

    async def handle(key: str, _: float) -> None:
        nonlocal running, peak, rounds
        running += 1
        peak = max(peak, running)
        rounds += 1
        if rounds == 1:
            for _ in range(10):
                queue.add(key)
            gate.set()
        await asyncio.sleep(0)
        running -= 1
        if rounds == 2:
            finished.set()

    queue.add("bot")
    async with working(queue, handle, workers=4), asyncio.timeout(5):
        await gate.wait()
        await finished.wait()
        while not queue.idle:  # noqa: ASYNC110 - the last step is the queue's own
            await asyncio.sleep(0)
    assert (peak, rounds) == (1, 2)


async def test_earlier_of_two_timers_holds() -> None:
    """A later wish doesn't push back an earlier one."""
    queue: WorkQueue[str] = WorkQueue()
    done = asyncio.Event()

    async def handle(_: str, __: float) -> None:
        done.set()

    queue.add_after("bot", 0.01)
    queue.add_after("bot", 3600)
    async with working(queue, handle), asyncio.timeout(5):
        await done.wait()


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.5), (2, 1.0), (5, 8.0), (50, 300.0)])
def test_backoff_doubles_up_to_its_bound(failures: int, seconds: float) -> None:
    """Half a second, doubled with every failure in a row, five minutes at most."""
    assert backoff_seconds(failures) == seconds
