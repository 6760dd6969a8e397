"""What Discord counts on the gateway: sends per connection, IDENTIFYs per bucket, IDENTIFYs per day."""

from collections import deque

from botswain_simulator.snowflakes import Clock

MAX_PAYLOAD_BYTES = 4096
MAX_GUILDS_PER_SHARD = 2500
_DAY_S = 86_400.0
_JITTER_S = 0.1
"""Leniency on the 5 seconds between IDENTIFYs: what the network may have eaten of a client's own waiting."""


class SendRate:
    """At most 120 payloads in 60 seconds on one connection (Discord docs: events/gateway, "Rate Limiting")."""

    def __init__(self, clock: Clock, limit: int = 120, window: float = 60.0) -> None:
        self._clock, self._limit, self._window = clock, limit, window
        self._sent: deque[float] = deque()

    def allow(self) -> bool:
        """Count one send; False when it is one too many."""
        now = self._clock()
        while self._sent and now - self._sent[0] >= self._window:
            self._sent.popleft()
        self._sent.append(now)
        return len(self._sent) <= self._limit


class IdentifyBuckets:
    """One IDENTIFY per bot and `shard_id % max_concurrency` in 5 seconds (events/gateway, "Sharding")."""

    def __init__(self, clock: Clock, max_concurrency: int, interval: float) -> None:
        self._clock, self._interval = clock, interval
        self.max_concurrency = max_concurrency
        self._last: dict[tuple[str, int], float] = {}

    def allow(self, application_id: str, shard_id: int) -> bool:
        """Take the bucket's place; False when it is still taken."""
        key = (application_id, shard_id % self.max_concurrency)
        now = self._clock()
        if key in self._last and now - self._last[key] < self._interval - min(_JITTER_S, self._interval / 2):
            return False
        self._last[key] = now
        return True


class IdentifyBudget:
    """The IDENTIFYs a bot has in 24 hours, over all shards: `session_start_limit` of GET /gateway/bot."""

    def __init__(self, clock: Clock, total: int) -> None:
        self._clock, self.total = clock, total
        self._used: dict[str, tuple[float, int]] = {}

    def _current(self, application_id: str) -> tuple[float, int]:
        began, used = self._used.get(application_id, (self._clock(), 0))
        return (self._clock(), 0) if self._clock() - began >= _DAY_S else (began, used)

    def spend(self, application_id: str) -> bool:
        """Use one; False when none is left."""
        began, used = self._current(application_id)
        if used >= self.total:
            return False
        self._used[application_id] = (began, used + 1)
        return True

    def refill(self, application_id: str) -> None:
        self._used.pop(application_id, None)

    def remaining(self, application_id: str) -> int:
        return self.total - self._current(application_id)[1]

    def reset_after_ms(self, application_id: str) -> int:
        """Milliseconds until the budget is whole again; 0 while nothing of it is spent."""
        began, used = self._current(application_id)
        return int((_DAY_S - (self._clock() - began)) * 1000) if used else 0
