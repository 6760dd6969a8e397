"""What has happened so far, as GET /sim/stats tells it."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from botswain_simulator.snowflakes import Clock

INVALID_REQUEST_LIMIT = 10_000
INVALID_REQUEST_WINDOW_S = 600.0
"""More answers of 401, 403 or 429 than that from one address get it banned by Discord (topics/rate-limits)."""

_RECENT_REQUESTS = 1000


@dataclass(slots=True)
class Stats:
    """Counts since the start or the last reset."""

    clock: Clock
    gateway: Counter[str] = field(default_factory=Counter)
    server_closes: Counter[int] = field(default_factory=Counter)
    client_closes: Counter[int] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    bot_messages_by_channel: Counter[str] = field(default_factory=Counter)
    nonce_duplicates: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    rate_limited: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    recent_requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_RECENT_REQUESTS))
    _invalid: deque[float] = field(default_factory=deque)

    def clear(self) -> None:
        """Begin counting anew."""
        for counter in (self.gateway, self.server_closes, self.client_closes, self.messages, self.bot_messages_by_channel,
                        self.nonce_duplicates, self.routes, self.statuses, self.rate_limited, self.faults):  # fmt: skip
            counter.clear()
        self.recent_requests.clear()
        self._invalid.clear()

    def count_request(self, route: str, status: int, *, shared_limit: bool) -> None:
        """Count one REST request; `route` like "POST /channels/{channel_id}/messages"."""
        self.routes[route] += 1
        self.statuses[status] += 1
        if status in {401, 403} or (status == 429 and not shared_limit):
            self._invalid.append(self.clock())

    def invalid_requests(self) -> int:
        """Those of the last ten minutes."""
        now = self.clock()
        while self._invalid and now - self._invalid[0] >= INVALID_REQUEST_WINDOW_S:
            self._invalid.popleft()
        return len(self._invalid)

    def as_json(self) -> dict[str, Any]:
        invalid = self.invalid_requests()
        gateway = {name: self.gateway[name] for name in _GATEWAY_NAMES} | dict(self.gateway)
        return {
            "gateway": gateway
            | {
                "server_close_codes": _keys(self.server_closes),
                "client_close_codes": _keys(self.client_closes),
            },
            "messages": {
                "by_users": self.messages["users"],
                "by_bots": self.messages["bots"],
                "by_webhooks": self.messages["webhooks"],
            },
            "bot_messages_by_channel": dict(self.bot_messages_by_channel),
            "nonce": {
                "returned_first": self.nonce_duplicates["returned_first"],
                "sent_twice": self.nonce_duplicates["sent_twice"],
            },
            "rest": {
                "requests": self.routes.total(),
                "by_route": dict(self.routes),
                "by_status": _keys(self.statuses),
                "rate_limited": {scope: self.rate_limited[scope] for scope in ("user", "global", "shared")},
                "invalid_requests_10min": invalid,
                "would_be_banned": invalid >= INVALID_REQUEST_LIMIT,
            },
            "faults": dict(self.faults),
        }


_GATEWAY_NAMES = (
    "connections",
    "identifies",
    "resumes",
    "resumes_refused",
    "invalid_sessions",
    "heartbeats",
    "heartbeat_timeouts",
    "identify_bucket_violations",
    "budget_exhausted",
    "slow_consumers",
)


def _keys(counter: Counter[int]) -> dict[str, int]:
    return {str(key): value for key, value in sorted(counter.items())}
