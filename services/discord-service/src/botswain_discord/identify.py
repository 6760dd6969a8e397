"""When a shard may IDENTIFY: one per `shard_id % max_concurrency` in 5 s, and never past the daily budget.

Discord resets the token of a bot that spends more than its budget (events/gateway, session start limit), so with nothing left
this waits until the budget is new. It paces this process only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from botswain_services.logs import get_logger

SPACING = 5.0
"""Seconds between two IDENTIFYs of one bucket."""
DAY = 86_400.0
log = get_logger(__name__)


@dataclass(slots=True)
class StartLimit:
    """`session_start_limit` of `GET /gateway/bot`; `reset_after` in seconds."""

    total: int
    remaining: int
    reset_after: float
    max_concurrency: int


class IdentifyPacer:
    """Gives permits; `limit` is what Discord said last."""

    def __init__(
        self,
        limit: StartLimit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limit = limit
        self._told_at = clock()
        self._clock = clock
        self._sleep = sleep
        self._next: dict[int, float] = {}

    async def permit(self, shard_id: int) -> None:
        """Return when this shard may IDENTIFY."""
        if self._limit.remaining <= 0:
            wait = self._told_at + self._limit.reset_after - self._clock()
            if wait > 0:
                log.error("identify_budget_spent", shard=shard_id, seconds_until_reset=round(wait))
                await self._sleep(wait)
            self._limit.remaining, self._limit.reset_after, self._told_at = self._limit.total, DAY, self._clock()
        self._limit.remaining -= 1
        bucket = shard_id % max(1, self._limit.max_concurrency)
        now = self._clock()
        at = max(now, self._next.get(bucket, now))
        self._next[bucket] = at + SPACING
        if at > now:
            await self._sleep(at - now)
