"""Takes REST requests through what is the same for all of them: routing, authentication, faults, rate limits,
errors, counting, logging.
"""

import asyncio
import logging
import re
import time
from typing import Any

import orjson
from aiohttp import web

from botswain_simulator.errors import WorldError
from botswain_simulator.faults import Fault, Faults
from botswain_simulator.gateway import Hub
from botswain_simulator.models import Application
from botswain_simulator.rest import (
    bodies,
    channels,
    commands,
    emojis,
    errors,
    gateway,
    guilds,
    interactions,
    messages,
    ratelimits,
    reactions,
    stubs,
    threads,
    users,
    webhooks,
)
from botswain_simulator.rest.routing import Context, Reply, Route, Router
from botswain_simulator.settings import Settings
from botswain_simulator.stats import Stats
from botswain_simulator.world import World

log = logging.getLogger(__name__)

MODULES = (
    gateway,
    users,
    guilds,
    channels,
    messages,
    reactions,
    threads,
    commands,
    interactions,
    webhooks,
    stubs,
    emojis,
)
_VERSIONED = re.compile(r"(?:/api)?(?:/v(\d+))?(/.*)?")
_VERSIONS = {None, "6", "7", "8", "9", "10"}
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
_JSON = "application/json"
_SECRET_PARAMS = {"webhook_token", "interaction_token"}


class _Injected(errors.ApiError):
    """An answer that a fault asked for."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, 0, f"{status}: injected by a fault")
        self.body = body

    def payload(self) -> Any:
        return super().payload() if self.body is None else self.body


class _Limited(errors.ApiError):
    def __init__(self, verdict: ratelimits.Verdict) -> None:
        super().__init__(429, 0, "You are being rate limited.")
        self.verdict = verdict

    def payload(self) -> dict[str, Any]:
        return self.verdict.body()


class Rest:
    """Discord's REST API, every version of it with the same answers."""

    def __init__(self, world: World, hub: Hub, settings: Settings, faults: Faults, stats: Stats) -> None:
        self._world, self._hub, self._settings, self._faults, self._stats = world, hub, settings, faults, stats
        self.limits = ratelimits.RateLimits(world.clock, settings.rate_limits)
        self._router = Router([route for module in MODULES for route in module.routes])

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        began = time.perf_counter()
        headers: dict[str, str] = {}
        entry: dict[str, Any] = {"method": request.method, "path": request.rel_url.raw_path, "route": None, "bot": None}
        shared = False
        try:
            reply = await self._answer(request, headers, entry)
        except errors.ApiError as error:
            if isinstance(error, _Limited):
                headers |= error.verdict.headers
                self._stats.rate_limited[error.verdict.scope] += 1
                shared = error.verdict.scope == "shared"
            reply = Reply(error.status, error.payload())
        except WorldError as error:
            reply = Reply(400, errors.ApiError(400, 50035, f"Invalid Form Body: {error}").payload())
        entry["status"] = reply.status
        entry["ms"] = round((time.perf_counter() - began) * 1000, 2)
        self._record(request, entry, shared)
        if reply.data is None:
            return web.Response(status=reply.status, headers=headers)
        headers["Content-Type"] = _JSON
        return web.Response(status=reply.status, body=orjson.dumps(reply.data), headers=headers)

    async def _answer(self, request: web.Request, headers: dict[str, str], entry: dict[str, Any]) -> Reply:
        path = _path(request.rel_url.raw_path)
        route, params = self._router.find(request.method, path)
        entry["route"] = route.name
        entry["path"] = _without_secrets(entry["path"], params)
        bot = self._authenticate(request)
        entry["bot"] = bot.id if bot else None
        if bot is None and route.needs_bot:
            raise errors.unauthorized()
        who = bot.id if bot else request.remote or ""
        await self._delay(who, request.method, path, "before")
        if fault := self._fault("rate_limit", who, request.method, path):
            raise _Limited(ratelimits.refusal(fault.spec.get("retry_after", 1.0), fault.spec.get("scope", "user")))
        self._take_limit(route, params, bot, who, headers)
        http_fault = self._fault("http_status", who, request.method, path)
        if http_fault and http_fault.spec.get("side", "before") == "before":
            raise _Injected(http_fault.spec.get("status", 500), http_fault.spec.get("body"))
        context = Context(
            self._world,
            self._hub,
            self._settings,
            self._stats,
            params,
            request.query,
            await bodies.read(request),
            origin(request),
            bot,
        )
        result = route.handler(context)
        await self._delay(who, request.method, path, "after")
        if http_fault:
            raise _Injected(http_fault.spec.get("status", 500), http_fault.spec.get("body"))
        if isinstance(result, Reply):
            return result
        return Reply(204) if result is None else Reply(200, result)

    def _authenticate(self, request: web.Request) -> Application | None:
        """The bot whose token the request carries; a wrong one is refused even where none is needed."""
        value = request.headers.get("Authorization")
        if value is None:
            return None
        scheme, _, token = value.partition(" ")
        bot = self._world.tokens.get(token.strip()) if scheme.lower() == "bot" else None
        if bot is None:
            raise errors.unauthorized()
        return bot

    def _take_limit(
        self, route: Route, params: dict[str, str], bot: Application | None, who: str, headers: dict[str, str]
    ) -> None:
        exempt = "webhook_token" in params or "interaction_token" in params
        key = params.get("webhook_token") or params.get("interaction_token") or who
        verdict = self.limits.take(key, route.bucket, params, counts_globally=bot is not None and not exempt)
        if not verdict.passes:
            raise _Limited(verdict)
        headers.update(verdict.headers)

    def _fault(self, kind: str, who: str, method: str, path: str) -> Fault | None:
        fault = self._faults.on_request(kind, bot=who, method=method, path=path)
        if fault is not None:
            self._stats.faults[kind] += 1
        return fault

    async def _delay(self, who: str, method: str, path: str, side: str) -> None:
        fault = self._faults.on_request("latency", bot=who, method=method, path=path, side=side)
        if fault is not None:
            self._stats.faults["latency"] += 1
            await asyncio.sleep(fault.spec.get("seconds", 1.0) + fault.dice.random() * fault.spec.get("jitter", 0.0))

    def _record(self, request: web.Request, entry: dict[str, Any], shared: bool) -> None:
        traceparent = request.headers.get("traceparent")
        match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
        if match:
            entry["traceparent"], entry["trace_id"] = traceparent, match[1]
        self._stats.count_request(entry["route"] or "unknown", entry["status"], shared_limit=shared)
        self._stats.recent_requests.append({"timestamp": self._world.clock(), **entry})
        log.info("rest", extra=entry)


def origin(request: web.Request) -> str:
    """Scheme and host by which a client reached us, also through a forwarded port or a TLS proxy."""
    return f"{request.headers.get('X-Forwarded-Proto', request.scheme)}://{request.host}"


def _path(raw: str) -> str:
    """The path without `/api/v10`. Raises Discord's error for a version there is not."""
    match = _VERSIONED.fullmatch(raw)
    if match is None:
        raise errors.not_found()
    if match[1] not in _VERSIONS:
        raise errors.ApiError(400, 50041, "Invalid API version")
    return match[2] or "/"


def _without_secrets(path: str, params: dict[str, str]) -> str:
    """A path fit for logs: tokens are not."""
    for name in _SECRET_PARAMS & params.keys():
        path = path.replace(params[name], "…")
    return path
