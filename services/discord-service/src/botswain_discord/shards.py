"""One shard's life: connect, read, and after a break resume, or identify anew where the session is gone.

It takes the place of discord.py's own loop, which handles the shards of a process one after the other and gives a session up
when a single attempt to connect times out. A shard ends only when Discord says that trying again is of no use.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeAlias

import aiohttp
import discord
from botswain_services.logs import get_logger
from discord.gateway import ReconnectWebSocket

from botswain_discord import metrics
from botswain_discord.backoff import reconnect_delay
from botswain_discord.close_codes import INVALIDATES_SESSION, fatal_reason
from botswain_discord.errors import DiscordRefusedError
from botswain_discord.outbox import Session
from botswain_discord.websocket import ShardWebSocket, Sink, close_websocket, open_websocket

STABLE = 5.0
"""Seconds a connection must last for the next break to count as the first."""
INVALID_SESSION_WAIT = (1.0, 5.0)
"""Seconds between op 9 and the next IDENTIFY, at random (events/gateway, "Resuming")."""
RESUME_URL_TRIES = 2
"""Failures after which a RESUME goes to the general gateway address: the session's own may be gone."""
log = get_logger(__name__)


Permit: TypeAlias = Callable[[int, Callable[[str], None]], Awaitable[None]]
"""Called with a shard's id, and with what to tell why it has to wait."""


class ShardState(StrEnum):
    """Where a shard stands."""

    WAITING = "waiting to identify"
    CONNECTING = "connecting"
    RESUMING = "resuming"
    CONNECTED = "connected"
    BACKING_OFF = "waiting to reconnect"
    STOPPED = "stopped"


class Shard:
    """Keeps one shard connected.

    Args:
        client: logged in; its `_connection.shard_count` is set.
        sink: gets the dispatches; must call `connected()` on READY and RESUMED.
        permit: returns when the shard may IDENTIFY.
        gateway_url: from `GET /gateway/bot`.
        intents: their names, for messages.
        session, sequence: where to RESUME; without them it begins with an IDENTIFY.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        shard_id: int,
        client: discord.Client,
        sink: Sink,
        permit: Permit,
        *,
        gateway_url: str,
        intents: tuple[str, ...],
        session: Session | None = None,
        sequence: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.id = shard_id
        self.state = ShardState.CONNECTING
        self.last_problem: str | None = None
        self.session = session
        self.sequence = sequence
        self._client = client
        self._sink = sink
        self._permit = permit
        self._gateway_url = gateway_url
        self._intents = intents
        self._sleep = sleep
        self._websocket: ShardWebSocket | None = None
        self._connected_at: float | None = None
        self._failures = 0

    @property
    def latency(self) -> float | None:
        """Seconds between the last heartbeat and its acknowledgement; None before the first."""
        latency = self._websocket.latency if self._websocket and self.state is ShardState.CONNECTED else math.inf
        return latency if math.isfinite(latency) else None

    @property
    def paused(self) -> bool:
        """Whether it waits for room in the outbox."""
        return self._websocket is not None and self._websocket.paused

    @property
    def place(self) -> tuple[Session, int] | None:
        """Session and number of the last dispatch that was handled; None without a session."""
        session, sequence = self.session, self.sequence
        if self._websocket is not None:
            session, sequence = self._websocket.session, self._websocket.sequence
        return (session, sequence) if session is not None and sequence else None

    async def run(self) -> None:
        """Stay connected until cancelled; the socket is left open then, unread.

        Raises:
            DiscordRefusedError: there is no use in trying again.
        """
        try:
            while True:
                try:
                    await self._connect_and_read()
                except ReconnectWebSocket as request:
                    code, given_up = self._close_code(), self._websocket and self._websocket.given_up
                    problem = given_up or f"Discord closed or asked to reconnect (code {code})"
                    await self._lost(problem, code, resume=request.resume)
                except discord.ConnectionClosed as closed:
                    await self._lost(f"closed with code {closed.code}", closed.code)
                except (OSError, aiohttp.ClientError, TimeoutError) as error:
                    await self._lost(f"{type(error).__name__}: {error}")
        finally:
            self.state = ShardState.STOPPED

    def connected(self, how: str) -> None:
        """READY or RESUMED came."""
        self.state = ShardState.CONNECTED
        self._connected_at = time.monotonic()
        self.last_problem = None
        log.info("shard_connected", shard=self.id, shard_count=self._client.shard_count, how=how)

    async def close(self, code: int) -> None:
        """Close the socket, if there is one."""
        if self._websocket is not None:
            await close_websocket(self._websocket, code)
            self._websocket = None

    async def _connect_and_read(self) -> None:
        session = self.session
        if session is None:
            self.state = ShardState.WAITING
            await self._permit(self.id, self._tell)
            self.last_problem = None
            self.state = ShardState.CONNECTING
            metrics.IDENTIFIES.inc()
            url = self._gateway_url
        else:
            self.state = ShardState.RESUMING
            metrics.RESUMES.inc()
            url = session.resume_gateway_url if self._failures <= RESUME_URL_TRIES else self._gateway_url
        self._websocket = await open_websocket(
            self._client, self._sink, url, self.id, resume=session, sequence=self.sequence
        )
        while True:
            await self._websocket.poll_event()

    def _tell(self, reason: str) -> None:
        self.last_problem = reason

    async def _lost(self, problem: str, code: int | None = None, *, resume: bool = True) -> None:
        """Note what is left of the connection, and wait before the next."""
        websocket, self._websocket = self._websocket, None
        if websocket is not None:
            self.session, self.sequence = websocket.session, websocket.sequence
            await close_websocket(websocket, 4000)
        reason = fatal_reason(code, shard=(self.id, self._client.shard_count or 1), intents=self._intents)
        if reason is not None:
            raise DiscordRefusedError(reason)
        if not resume or code in INVALIDATES_SESSION:
            self.session = self.sequence = None
        metrics.DISCONNECTIONS.inc()
        lasted = time.monotonic() - self._connected_at if self._connected_at is not None else 0.0
        self._connected_at = None
        self._failures = 1 if lasted >= STABLE else self._failures + 1
        delay = reconnect_delay(self._failures)
        if not resume:
            delay = max(delay, random.uniform(*INVALID_SESSION_WAIT))  # noqa: S311 - spreading load, not secrets
        self.state = ShardState.BACKING_OFF
        self.last_problem = problem
        log.warning(
            "shard_disconnected",
            shard=self.id,
            reason=problem,
            next="resume" if self.session else "identify",
            delay=delay,
        )
        await self._sleep(delay)

    def _close_code(self) -> int | None:
        if self._websocket is None:
            return None
        return self._websocket._close_code or self._websocket.socket.close_code
