"""A limit on log lines about single events: on a path this hot, logging each would cost more than forwarding it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

WINDOW = 1.0
"""Seconds."""


class LineLimit:
    """Lets `rate` lines a second pass and counts the rest.

    Args:
        rate: lines a second; 0: none.
        report: called with how many lines were left out, at most once a second and only when there are some.
        clock: seconds, monotonic.
    """

    def __init__(
        self, rate: int, report: Callable[[int], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._report = report
        self._clock = clock
        self._window_ends = float("-inf")
        self._used = 0
        self._omitted = 0
        self._timer: asyncio.TimerHandle | None = None

    def allows(self) -> bool:
        """Whether to write this line; counts it either way."""
        now = self._clock()
        if now >= self._window_ends:
            self._window_ends = now + WINDOW
            self._used = 0
        if self._used < self._rate:
            self._used += 1
            return True
        self._omitted += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW, self.flush)
        return False

    def flush(self) -> None:
        """Report what was left out since the last report."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._omitted:
            omitted, self._omitted = self._omitted, 0
            self._report(omitted)
