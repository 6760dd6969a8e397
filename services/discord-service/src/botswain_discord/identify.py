"""When a shard may IDENTIFY: one per `shard_id % max_concurrency` in 5 s, and never past the daily budget.

Discord resets the token of a bot that spends more than its budget (events/gateway, session start limit). The orchestrator paces
all processes of a bot and keeps a reserve; it is asked before a socket opens. Where there is none that does so, this process
paces itself by the same rules as far as it can: it keeps the reserve too, and slows down once much of the day's budget is gone,
from its very first IDENTIFY on, for it may be one of a crash loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
from botswain_proto.v1 import coordination_pb2_grpc
from botswain_proto.v1.coordination_pb2 import PermitIdentifyRequest
from botswain_proto.v1.event_pb2 import DiscordShard
from botswain_services.logs import get_logger
from botswain_services.rpc import Peer

from botswain_discord.claims import Holding

SPACING = 5.0
"""Seconds between two IDENTIFYs of one bucket."""
RESERVE = 0.1
"""The part of the day's budget that is never spent."""
CALM = 0.5
"""Below this part, reserve not counted, IDENTIFYs wait longer the fewer are left."""
LONGEST_PAUSE = 900.0
"""Seconds."""
DAY = 86_400.0
ASK_TIMEOUT = 10.0
ASK_AGAIN = (0.05, 60.0)
"""Seconds between two questions, at least and at most, whatever the orchestrator says."""
AWAY = 1.0
"""Seconds between two questions while no orchestrator answers."""
log = get_logger(__name__)


@dataclass(slots=True)
class StartLimit:
    """`session_start_limit` of `GET /gateway/bot`; `reset_after` in seconds."""

    total: int
    remaining: int
    reset_after: float
    max_concurrency: int

    @property
    def spendable(self) -> int:
        """IDENTIFYs left above the reserve."""
        return self.remaining - max(1, int(self.total * RESERVE))

    @property
    def pause(self) -> float:
        """Seconds to wait before the next IDENTIFY for fear of a crash loop."""
        left = self.spendable / max(1, self.total)
        return 0.0 if left >= CALM else min(LONGEST_PAUSE, SPACING * 2 ** (8 * (1 - left / CALM)))


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

    async def permit(self, shard_id: int, tell: Callable[[str], None] = lambda _reason: None) -> None:
        """Return when this shard may IDENTIFY; `tell` is told why not yet."""
        if self._limit.spendable <= 0:
            wait = self._told_at + self._limit.reset_after - self._clock()
            if wait > 0:
                tell(f"today's IDENTIFYs are spent but for a reserve; new ones come in {wait:.0f} s")
                log.error("identify_budget_spent", shard=shard_id, seconds_until_reset=round(wait))
                await self._sleep(wait)
            self._limit.remaining, self._limit.reset_after, self._told_at = self._limit.total, DAY, self._clock()
        pause = self._limit.pause
        self._limit.remaining -= 1
        bucket = shard_id % max(1, self._limit.max_concurrency)
        now = self._clock()
        at = max(now + pause, self._next.get(bucket, now))
        self._next[bucket] = at + SPACING
        if pause:
            tell(f"{self._limit.remaining} of {self._limit.total} IDENTIFYs are left today; waits {at - now:.0f} s")
        if at > now:
            await self._sleep(at - now)


class Permits:
    """Permits from the orchestrator, for all processes of a bot; from this process's own pacer where it gives none.

    Args:
        peer: the orchestrator; None where it isn't one that gives permits.
        bot_id: whose shards.
        holding: the claim the shards are held under.
        shard_count: of the bot.
        limit: asks Discord what is left.
        pacer: paces this process alone.
        sleep: waits between questions.
    """

    def __init__(
        self,
        peer: Peer | None,
        bot_id: str,
        holding: Holding,
        shard_count: int,
        limit: Callable[[], Awaitable[StartLimit]],
        pacer: IdentifyPacer,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._peer = peer
        self._bot_id = bot_id
        self._holding = holding
        self._shard_count = shard_count
        self._limit = limit
        self._pacer = pacer
        self._sleep = sleep

    async def permit(self, shard_id: int, tell: Callable[[str], None]) -> None:
        """Return when this shard may IDENTIFY; `tell` is told why not yet."""
        if self._peer is None:
            await self._pacer.permit(shard_id, tell)
            return
        ask = coordination_pb2_grpc.CoordinationServiceStub(self._peer.channel).PermitIdentify
        said = ""
        while True:
            request = await self._request(shard_id)
            try:
                answer = await ask(request, timeout=ASK_TIMEOUT, metadata=self._peer.metadata())
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    await self._pacer.permit(shard_id, tell)
                    return
                reason, wait = f"the orchestrator can't be asked: {error.code().name}: {error.details()}", AWAY
            else:
                if answer.permitted:
                    return
                reason, wait = answer.reason, answer.retry_after.ToTimedelta().total_seconds()
            tell(reason)
            if not said:
                log.warning("identify_not_permitted", shard=shard_id, reason=reason, ask_again_in=wait)
            said = reason
            await self._sleep(min(max(wait, ASK_AGAIN[0]), ASK_AGAIN[1]))

    async def _request(self, shard_id: int) -> PermitIdentifyRequest:
        limit = await self._limit()
        request = PermitIdentifyRequest(
            bot_id=self._bot_id,
            shard=DiscordShard(id=shard_id, count=self._shard_count),
            epoch=self._holding.epoch,
            max_concurrency=limit.max_concurrency,
            budget_total=limit.total,
            budget_remaining=limit.remaining,
        )
        request.budget_reset_after.FromMilliseconds(int(limit.reset_after * 1_000))
        return request
