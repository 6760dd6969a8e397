"""Running sync endpoints in threads, beside the event loop.

The standard library's executor wakes a thread for every job and the event loop for every result; for a short endpoint that is
most of its cost. Here a thread that is awake takes job after job, and results are handed over together. While jobs wait for
longer than `PATIENCE` (because the threads that are awake are busy, or blocked) more threads are called, so that slow endpoints
don't hold up short ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

MOST_THREADS = 40
"""As many as FastAPI allows."""
PATIENCE = 0.001
IDLE_SECONDS = 10.0
"""A thread without work for so long ends."""

_pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Threads] = weakref.WeakKeyDictionary()


async def in_thread(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `func` in a thread, within the caller's context variables; give what it returns or raises."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = Threads(loop)
    job = _Job(loop.create_future(), contextvars.copy_context(), func, args, kwargs)
    pool.submit(job)
    return await job.future


class _Job:
    __slots__ = ("args", "context", "error", "func", "future", "kwargs", "result")

    def __init__(
        self,
        future: asyncio.Future[Any],
        context: contextvars.Context,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self.future = future
        self.context = context
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.error: BaseException | None = None

    def finish(self) -> None:
        """Tell who waits. From the event loop."""
        if self.future.done():
            return  # nobody waits any more
        if self.error is None:
            self.future.set_result(self.result)
        elif isinstance(self.error, StopIteration):  # which no future takes
            self.future.set_exception(RuntimeError(f"{self.func!r} raised StopIteration"))
        else:
            self.future.set_exception(self.error)


class Threads:
    """The threads of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._jobs: deque[_Job] = deque()
        self._done: deque[_Job] = deque()
        self._state = threading.Condition()
        self._threads = 0
        self._idle = 0
        """Threads that wait for work."""
        self._wanted = 0
        """Idle threads that were called, and have not heard it yet."""
        self._taken = 0
        """How many jobs threads have taken, nearly: they count without a lock."""
        self._taken_before = 0
        self._more = 1
        """How many threads are to be added next."""
        self._calling = False
        """The event loop is going to call a thread."""
        self._told = False
        """The event loop is going to look at `_done`."""
        self._watching = False
        """The event loop is going to look whether jobs wait."""

    def submit(self, job: _Job) -> None:
        """Have a job run. From the event loop."""
        self._jobs.append(job)
        if not self._calling:
            self._calling = True
            job.future.get_loop().call_soon(self._call)

    def _call(self) -> None:
        """See to the jobs of this turn of the event loop: one thread is called for all of them."""
        self._calling = False
        with self._state:
            nobody_awake = self._idle - self._wanted == self._threads
            if nobody_awake:
                self._add_thread()
        if not self._watching and not (nobody_awake and len(self._jobs) == 1):
            self._watch()

    def _add_thread(self) -> bool:
        """Wake an idle thread, or start one; False: there are none left. With the lock."""
        if self._idle > self._wanted:
            self._wanted += 1
            self._state.notify()
        elif self._threads < MOST_THREADS:
            self._threads += 1
            threading.Thread(target=self._work, name="endpoint", daemon=True).start()
        else:
            return False
        return True

    def _watch(self) -> None:
        loop = self._loop()
        assert loop is not None
        self._watching = True
        self._taken_before = self._taken
        loop.call_later(PATIENCE, self._look)

    def _look(self) -> None:
        """Add threads while jobs wait for longer than those that are awake make plausible: 1, 2, 4 and so on."""
        self._watching = False
        waiting = len(self._jobs)
        if not waiting:
            self._more = 1
            return
        if self._taken - self._taken_before >= waiting:  # at this rate none waits when looked at again
            self._more = 1
        else:
            with self._state:
                added = [self._add_thread() for _ in range(min(waiting, self._more))]
            if not all(added):  # every thread is awake, and takes the next job when it can
                return
            self._more *= 2
        self._watch()

    def _work(self) -> None:
        """What a thread does."""
        while True:
            try:
                job = self._jobs.popleft()
            except IndexError:
                if self._sleep():
                    continue
                return
            self._taken += 1
            if job.future.cancelled():
                continue
            try:
                job.result = job.context.run(job.func, *job.args, **job.kwargs)
            except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
                job.error = error
            self._hand_over(job)
            del job  # an error's traceback holds this frame, and must not hold itself by it

    def _sleep(self) -> bool:
        """Wait for work; False: there was none for long."""
        with self._state:
            if self._jobs:
                return True
            self._idle += 1
            called = self._state.wait_for(lambda: self._wanted > 0, IDLE_SECONDS)
            self._idle -= 1
            if called:
                self._wanted -= 1
            else:
                self._threads -= 1
            return called

    def _hand_over(self, job: _Job) -> None:
        self._done.append(job)
        if self._told:
            return
        self._told = True
        loop = self._loop()
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        self._told = False
        while self._done:
            self._done.popleft().finish()
