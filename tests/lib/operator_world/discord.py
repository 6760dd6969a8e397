"""What the operator asks outside the API server, with answers that tests choose: Discord, and a bot's discord-service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

TOKEN = "MTE5MTE2ODkxNDIyNzIwMDAwMQ.H4dEAA.-l7g8QtKShP6BGvnGTQmN33xicGF3mpMVR8rTA"
USER_ID = "1191168914227200001"


@dataclass
class DiscordDouble:
    """What it answers; `url` is the base for `spec.discord.apiUrl`."""

    port: int = 0
    valid: set[str] = field(default_factory=lambda: {TOKEN})
    shards: int = 1
    total: int = 1000
    remaining: int = 1000
    max_concurrency: int = 1
    status: int = 200
    """An answer other than 200 is given to every call."""
    asked: int = 0
    shard_answers: dict[str, tuple[int, object]] = field(default_factory=dict)
    """Status and body of `/ready` of each bot's discord-service, by the bot's name; a bot that isn't here is answered 404."""
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """While it isn't set, calls wait."""

    def __post_init__(self) -> None:
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def shards_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/pods/{{namespace}}/{{bot}}/ready"

    async def ready(self, request: web.Request) -> web.Response:
        status, body = self.shard_answers.get(request.match_info["bot"], (404, {}))
        return web.json_response(body, status=status)

    async def gateway(self, request: web.Request) -> web.Response:
        if refusal := await self._refusal(request):
            return refusal
        limit = {
            "total": self.total,
            "remaining": self.remaining,
            "reset_after": 3_600_000,
            "max_concurrency": self.max_concurrency,
        }
        return web.json_response({"url": "ws://localhost", "shards": self.shards, "session_start_limit": limit})

    async def user(self, request: web.Request) -> web.Response:
        return await self._refusal(request) or web.json_response({"id": USER_ID, "username": "harbour-master"})

    async def _refusal(self, request: web.Request) -> web.Response | None:
        self.asked += 1
        await self.answers.wait()
        if self.status != 200:
            return web.json_response({"message": "broken", "code": 0}, status=self.status)
        if request.headers.get("Authorization", "").removeprefix("Bot ") not in self.valid:
            return web.json_response({"message": "401: Unauthorized", "code": 0}, status=401)
        return None


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[DiscordDouble]:
    double = DiscordDouble()
    app = web.Application()
    app.add_routes(
        [
            web.get("/api/v10/gateway/bot", double.gateway),
            web.get("/api/v10/users/@me", double.user),
            web.get("/pods/{namespace}/{bot}/ready", double.ready),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    double.port = runner.addresses[0][1]
    try:
        yield double
    finally:
        double.answers.set()
        await runner.cleanup()
