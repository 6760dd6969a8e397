"""REST rate limits (Discord docs: topics/rate-limits).

Each bot has, for every bucket (a group of routes) and major parameter (channel, guild or webhook), a window that opens
with the first request and lets a number of them through; beside it a global limit of 50 requests a second. Discord
changes its figures at will and tells clients to read the headers; those below are what bots see today for the routes
they hit most, and a mild default for the rest.
"""

import hashlib
import math
from dataclasses import dataclass

from botswain_simulator.models import Json
from botswain_simulator.snowflakes import Clock

_DISCORD: dict[str, tuple[int, float]] = {
    "POST /channels/{channel_id}/messages": (5, 5.0),
    "PATCH /channels/{channel_id}/messages/{message_id}": (5, 5.0),
    "DELETE /channels/{channel_id}/messages/{message_id}": (5, 1.0),
    "POST /channels/{channel_id}/messages/bulk-delete": (1, 1.0),
    "GET /channels/{channel_id}/messages": (5, 5.0),
    "GET /channels/{channel_id}/messages/{message_id}": (5, 1.0),
    "POST /channels/{channel_id}/typing": (5, 5.0),
    "PATCH /channels/{channel_id}": (5, 15.0),
    "reactions": (1, 0.25),
    "GET /gateway/bot": (2, 5.0),
    "GET /users/@me": (30, 30.0),
    "PATCH /users/@me": (2, 60.0),
    "POST /webhooks/{webhook_id}/{webhook_token}": (5, 2.0),
    "POST /users/@me/channels": (10, 10.0),
}
_DEFAULT = {"discord": (10, 2.0), "relaxed": (1000, 1.0)}
_GLOBAL = {"discord": 50, "relaxed": 5000}
_MAJOR = ("channel_id", "guild_id", "webhook_id")
VIA = "1.1 google"
"""Discord's own 429s name the proxy that they came through. Clients (discord.py) take one without `Via` for Cloudflare's ban of
the address, and give up.
"""


@dataclass(slots=True)
class Window:
    """A bucket's state for one bot and major parameter."""

    limit: int
    opened_at: float
    length: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the headers to answer it with. `retry_after` is in seconds."""

    headers: dict[str, str]
    retry_after: float | None = None
    scope: str = "user"

    @property
    def passes(self) -> bool:
        return self.retry_after is None

    def body(self) -> Json:
        return {
            "message": "You are being rate limited.",
            "retry_after": round(self.retry_after or 0.0, 3),
            "global": self.scope == "global",
        }


_FREE = Verdict({})


class RateLimits:
    """Counts requests. The profile is `discord`, `relaxed` (headers, but limits hardly anything) or `off` (nothing
    at all).
    """

    def __init__(self, clock: Clock, profile: str) -> None:
        self._clock = clock
        self.profile = profile
        self._windows: dict[tuple[str, str, str], Window] = {}
        self._global: dict[str, Window] = {}
        self._hashes: dict[str, str] = {}

    def clear(self) -> None:
        self._windows.clear()
        self._global.clear()

    def take(self, who: str, bucket: str, params: dict[str, str], *, counts_globally: bool) -> Verdict:
        """Count a request of a bot (or, without one, a webhook token) against its limits."""
        if self.profile == "off":
            return _FREE
        now = self._clock()
        if counts_globally and (refused := self._take_global(who, now)):
            return refused
        window = self._window(who, bucket, params, now)
        window.used += 1
        reset_after = max(0.0, window.opened_at + window.length - now)
        headers = {
            "X-RateLimit-Bucket": self._hash(bucket),
            "X-RateLimit-Limit": str(window.limit),
            "X-RateLimit-Remaining": str(max(0, window.limit - window.used)),
            "X-RateLimit-Reset": f"{now + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
        }
        if window.used <= window.limit:
            return Verdict(headers)
        return Verdict(headers | refusal(reset_after, "user").headers, reset_after, "user")

    def _take_global(self, who: str, now: float) -> Verdict | None:
        window = self._global.get(who)
        if window is None or now - window.opened_at >= window.length:
            window = self._global[who] = Window(_GLOBAL[self.profile], now, 1.0)
        window.used += 1
        return None if window.used <= window.limit else refusal(window.opened_at + 1.0 - now, "global")

    def _window(self, who: str, bucket: str, params: dict[str, str], now: float) -> Window:
        major = next((params[name] for name in _MAJOR if name in params), "")
        key = (who, bucket, major)
        window = self._windows.get(key)
        if window is None or now - window.opened_at >= window.length:
            if window is None and len(self._windows) > 50_000:
                self._windows = {k: w for k, w in self._windows.items() if now - w.opened_at < w.length}
            default = _DEFAULT[self.profile]
            limit, length = _DISCORD.get(bucket, default) if self.profile == "discord" else default
            window = self._windows[key] = Window(limit, now, length)
        return window

    def _hash(self, bucket: str) -> str:
        if bucket not in self._hashes:
            self._hashes[bucket] = hashlib.md5(bucket.encode(), usedforsecurity=False).hexdigest()
        return self._hashes[bucket]


def refusal(retry_after: float, scope: str) -> Verdict:
    """A 429 with Discord's headers."""
    headers = {"Retry-After": _whole(retry_after), "X-RateLimit-Scope": scope, "Via": VIA}
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    return Verdict(headers, retry_after, scope)


def _whole(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))
