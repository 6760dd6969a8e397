"""Sync endpoints in threads: short ones share a thread, slow ones hold up nobody."""

import asyncio
import contextvars
import threading

import pytest
from botswain_services import threads
from botswain_services.threads import in_thread


async def test_results_and_errors_come_back():
    """What the function returns or raises, with its arguments."""

    def divide(a, *, by):
        return a / by

    assert await in_thread(divide, 6, by=3) == 2
    with pytest.raises(ZeroDivisionError):
        await in_thread(divide, 6, by=0)


async def test_a_function_runs_in_a_thread_within_its_callers_context():
    """Not in the event loop's; context variables are the caller's, and what is set there stays there."""
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("caller's")

    def look():
        seen = variable.get()
        variable.set("endpoint's")
        return seen, threading.current_thread()

    seen, thread = await in_thread(look)
    assert seen == "caller's"
    assert variable.get() == "caller's"
    assert thread is not threading.current_thread()


async def test_a_slow_function_holds_up_nobody():
    """While some block, others are answered; and those that block do so at the same time."""
    meet = threading.Barrier(10)
    waiting = [asyncio.create_task(in_thread(meet.wait, 10)) for _ in range(9)]
    assert [await in_thread(lambda n=n: n) for n in range(20)] == list(range(20))
    await in_thread(meet.wait, 10)  # the tenth lets all go
    assert len(set(await asyncio.gather(*waiting))) == 9


async def test_no_more_threads_than_allowed_and_every_call_is_answered(monkeypatch):
    """Calls beyond the limit wait for a thread."""
    monkeypatch.setattr(threads, "MOST_THREADS", 3)
    used, gate = set(), threading.Event()

    def note():
        gate.wait(10)
        used.add(threading.current_thread())
        return True

    calls = [asyncio.create_task(in_thread(note)) for _ in range(30)]
    asyncio.get_running_loop().call_later(0.02, gate.set)
    assert all(await asyncio.gather(*calls))
    assert len(used) <= 3


async def test_threads_without_work_end(monkeypatch):
    """None is kept for nothing, and a later call gets a new one."""
    monkeypatch.setattr(threads, "IDLE_SECONDS", 0.01)
    first = await in_thread(threading.current_thread)
    await asyncio.to_thread(first.join, 10)
    assert not first.is_alive()
    assert (await in_thread(threading.current_thread)).is_alive()


async def test_a_call_that_nobody_waits_for_is_not_made(monkeypatch):
    """A cancelled call that no thread has taken yet is dropped; one that runs is let run, and its result forgotten."""
    monkeypatch.setattr(threads, "MOST_THREADS", 1)
    entered, gate, made = threading.Event(), threading.Event(), []

    def hold():
        entered.set()
        gate.wait(10)
        made.append("first")

    first = asyncio.create_task(in_thread(hold))
    await asyncio.to_thread(entered.wait, 10)
    second = asyncio.create_task(in_thread(made.append, "second"))
    await asyncio.sleep(0)
    for task in (first, second):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    gate.set()
    await in_thread(made.append, "third")
    assert made == ["first", "third"]


async def test_an_exhausted_iterator_is_an_error_of_its_own():
    """`StopIteration` can't travel through a coroutine; who forgot a default learns of it."""
    with pytest.raises(RuntimeError, match="StopIteration"):
        await in_thread(next, iter(()))


def test_pools_end_with_their_loops():
    """A result that comes after its event loop was closed is dropped without a complaint."""
    entered, gate = threading.Event(), threading.Event()

    def late():
        entered.set()
        gate.wait(10)

    async def leave():
        task = asyncio.create_task(in_thread(late))
        while not entered.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.001)
        task.cancel()

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(in_thread(lambda: "well")) == "well"
