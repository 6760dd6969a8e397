"""Discord's rate limits, and how to live within them without ever being told.

The theory [Discord: topics/rate-limits]:

* Every route has a *bucket*, named by the header X-RateLimit-Bucket. Routes may share one. A bucket counts separately for each
  *major parameter*, for us the channel. `Limit` requests may be made per window; `Remaining` are left; the window ends
  `Reset-After` seconds from now. Which bucket a route has is known only from an answer.
* All requests of a bot together may be 50 a second (the *global* limit).
* Whoever exceeds a limit gets 429 with `retry_after`, in seconds. `X-RateLimit-Scope` says whose limit it was: `user` (ours),
  `global`, or `shared` (the resource's, spent by others too). 10,000 answers of 401, 403 or 429 in ten minutes, `shared` ones not
  counted, and Discord stops answering the address at all.

So a request waits *before* it is sent, whenever what is known says that it would be refused, and a 429 is news about a bucket,
not an error. Requests that have the route and the channel in common form a *lane*: one after the other, in the order they came.
That keeps messages of a channel in order, and it makes the count exact, since at most one request is on its way. Lanes don't
wait for each other, except for the global limit.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

GLOBAL_LIMIT = 50
"""Requests a second, unless Discord has granted the bot more."""
GLOBAL_WINDOW = 1.0
INVALID_LIMIT = 9_000
INVALID_WINDOW = 600.0
LONGEST_WAIT = 25.0
"""Seconds a request waits for its turn before it is given up: less than a tool call may take."""
_LANES_KEPT = 1_000

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class WouldWaitError(Exception):
    """A request's turn is too far off."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the rate limit allows it in {seconds:.0f} s")
        self.seconds = seconds


@dataclass(slots=True)
class Bucket:
    """What is known of one bucket for one channel. Times on the limiter's clock."""

    limit: int = 1
    remaining: int = 1
    reset_at: float = 0.0

    def delay(self, now: float) -> float:
        """Seconds until a request may be sent."""
        return 0.0 if self.remaining > 0 else max(0.0, self.reset_at - now)

    def take(self, now: float) -> None:
        """Count a request that is sent now."""
        if now >= self.reset_at:
            self.remaining = self.limit
        self.remaining -= 1

    def learn(self, limit: int, remaining: int, reset_at: float, now: float) -> None:
        """Take an answer's headers. Within a window the count only falls: another lane may have spent some meanwhile."""
        same_window = now < self.reset_at and abs(reset_at - self.reset_at) < 0.5
        self.remaining = min(self.remaining, remaining) if same_window else remaining
        self.limit, self.reset_at = limit, reset_at


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    bucket: Bucket = field(default_factory=Bucket)
    known: bool = False
    """Whether `bucket` is Discord's; until the first answer there is nothing to wait for."""
    waiting: int = 0


class RateLimiter:
    """The limits of one bot, as far as this process knows them. Two processes of one bot don't know of each other's requests."""

    def __init__(
        self,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        longest_wait: float = LONGEST_WAIT,
        per_second: int = GLOBAL_LIMIT,
    ) -> None:
        """`per_second`: the global limit. `clock` and `sleep` are for tests."""
        self._clock = clock
        self._sleep = sleep
        self._longest_wait = longest_wait
        self._per_second = per_second
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._sent: deque[float] = deque()
        self._invalid: deque[float] = deque()
        self._blocked_until = 0.0

    @asynccontextmanager
    async def turn(self, route: str, channel: str) -> AsyncIterator[Turn]:
        """Hold the lane of `route` (method and path template) in `channel`.

        Ask the `Turn` before each attempt, and tell it of each answer.
        """
        lane = self._lanes.get((route, channel))
        if lane is None:
            self._forget_idle()
            lane = self._lanes[route, channel] = _Lane()
        lane.waiting += 1
        try:
            async with lane.lock:
                yield Turn(self, lane, channel)
        finally:
            lane.waiting -= 1

    async def _admit(self, lane: _Lane) -> None:
        """Wait until one more request may be sent, and count it.

        Raises:
            WouldWaitError: that would take too long.
        """
        waited = 0.0
        while (delay := self._delay(lane, self._clock())) > 0:
            if waited + delay > self._longest_wait:
                raise WouldWaitError(delay)
            waited += delay
            await self._sleep(delay)
        now = self._clock()
        lane.bucket.take(now)
        self._sent.append(now)

    def _delay(self, lane: _Lane, now: float) -> float:
        while self._sent and self._sent[0] <= now - GLOBAL_WINDOW:
            self._sent.popleft()
        while self._invalid and self._invalid[0] <= now - INVALID_WINDOW:
            self._invalid.popleft()
        delays = [self._blocked_until - now]
        if lane.known:
            delays.append(lane.bucket.delay(now))
        if len(self._sent) >= self._per_second:
            delays.append(self._sent[-self._per_second] + GLOBAL_WINDOW - now)
        if len(self._invalid) >= INVALID_LIMIT:
            delays.append(self._invalid[0] + INVALID_WINDOW - now)
        return max(delays)

    def _learn(
        self, lane: _Lane, channel: str, status: int, headers: Mapping[str, str], retry_after: float | None
    ) -> None:
        now = self._clock()
        if status in (401, 403, 429) and headers.get("x-ratelimit-scope") != "shared":
            self._invalid.append(now)
        if status == 429 and _is_global(headers):
            self._blocked_until = max(self._blocked_until, now + (retry_after or 1.0))
            return
        name = headers.get("x-ratelimit-bucket")
        try:
            limit, remaining = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
            reset_at = now + float(headers["x-ratelimit-reset-after"])
        except (KeyError, ValueError):
            limit, remaining, reset_at = max(1, lane.bucket.limit), 1, now
        if name:
            lane.bucket = self._buckets.setdefault((name, channel), lane.bucket)
        if name or status == 429:
            lane.known = True
            lane.bucket.learn(limit, remaining, reset_at, now)
        if status == 429:
            lane.bucket.remaining = 0
            lane.bucket.reset_at = now + (retry_after or max(1.0, reset_at - now))

    def _forget_idle(self) -> None:
        """Drop lanes and buckets that nobody waits in and whose window is over, once there are many."""
        if len(self._lanes) < _LANES_KEPT:
            return
        now = self._clock()
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.waiting or lane.bucket.reset_at > now}
        kept = {id(lane.bucket) for lane in self._lanes.values()}
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if id(bucket) in kept}


class Turn:
    """The right to send in a lane."""

    def __init__(self, limiter: RateLimiter, lane: _Lane, channel: str) -> None:
        self._limiter = limiter
        self._lane = lane
        self._channel = channel

    async def admit(self) -> None:
        """Wait until a request may be sent. Call it before each attempt; raises `WouldWaitError`."""
        await self._limiter._admit(self._lane)

    def learn(self, status: int, headers: Mapping[str, str], retry_after: float | None = None) -> None:
        """Take what an answer says of the limits. `headers` with lower-case names; `retry_after` in seconds, of a 429's body."""
        self._limiter._learn(self._lane, self._channel, status, headers, retry_after)


def _is_global(headers: Mapping[str, str]) -> bool:
    return headers.get("x-ratelimit-global", "").lower() == "true" or headers.get("x-ratelimit-scope") == "global"
