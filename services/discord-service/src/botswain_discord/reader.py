"""Who reads, and when: the way from start through standby and reading to hand-over.

    log in → stand in line → granted: read the shards → (lost: stop, flush, stand in line again) → hand over

Reading ends with the sockets open and unread. Then everything read is flushed, and only then the sockets are closed, by a code
that keeps the sessions: the next process RESUMEs exactly where the recorded events end.
"""

from __future__ import annotations

import asyncio
from typing import Any

from botswain_services.logs import get_logger

from botswain_discord.claims import LAST_RELEASE_PATIENCE, RELEASE_PATIENCE, ClaimClient, Holding, unclaimed
from botswain_discord.gateway_client import GatewayClient
from botswain_discord.handler import DiscordGatewayHandler

KEEP_SESSION, END_SESSION = 4000, 1000
"""Close codes: Discord keeps a session after any but 1000 and 1001."""
log = get_logger(__name__)


class Reader:
    """Reads one bot's shards whenever they are this process's to read.

    Args:
        bot: what reads.
        gateway: what takes the events.
        claims: says when; None where nobody grants claims.
        token: the bot's.
    """

    def __init__(
        self, bot: DiscordGatewayHandler, gateway: GatewayClient, claims: ClaimClient | None, token: str
    ) -> None:
        self._bot = bot
        self._gateway = gateway
        self._claims = claims
        self._token = token
        self._claiming: asyncio.Task[None] | None = None
        self._holding: Holding | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def role(self) -> str:
        """`active` while this process reads, `standby` while it waits for another to let go, else `starting`."""
        if self._holding is not None:
            return "active"
        return "standby" if self._claims is not None and self._claims.position else "starting"

    @property
    def standing(self) -> dict[str, object]:
        """What `/ready` shows of the claim."""
        if self._holding is not None:
            return {"epoch": self._holding.epoch} if self._holding.epoch else {}
        if self._claims is None or self._claims.position is None:
            return {}
        position, holder = self._claims.position
        return {"position": position, "holder": holder}

    def problem(self) -> str | None:
        """Why this process does not do what its role asks; None when it does."""
        if self._holding is not None:
            return self._bot.problem()
        if self._claiming is None:
            return self._bot.stage
        if self.role == "standby":
            return None
        return "waits for the orchestrator to grant the shards"

    async def run(self) -> None:
        """Read, stand by, read again, until cancelled; the sockets stay open then, unread, until `hand_over()`.

        Raises:
            DiscordRefusedError: there is no use in trying again.
        """
        await self._bot.prepare(self._token)
        if self._claims is None:
            await self._read(unclaimed())
            return
        self._claiming = self._claims.start(self._bot.shard_set)
        while True:
            granted = asyncio.create_task(self._claims.granted(), name="claim-granted")
            try:
                await asyncio.wait({granted, self._claiming}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                granted.cancel()
            if self._claiming.done():
                self._claiming.result()
                return
            await self._read(granted.result())
            await self._flush()
            await self._bot.disconnect(KEEP_SESSION)
            self._holding = None

    async def hand_over(self) -> None:
        """After `run()` has ended: have everything recorded that was read, close the sockets, let the next process in."""
        await self._flush()
        await self.let_go(RELEASE_PATIENCE)

    async def let_go(self, patience: float = LAST_RELEASE_PATIENCE) -> None:
        """Close the sockets and release the claim, whether or not everything was flushed. `patience`: seconds to try."""
        keep = self._holding is not None and self._holding.epoch > 0
        await self._bot.disconnect(KEEP_SESSION if keep else END_SESSION)
        if self._claims is not None:
            await self._claims.release(patience)

    async def _flush(self) -> None:
        if self._gateway.outbox.depth:
            log.info("outbox_flushing", events=self._gateway.outbox.depth)
        await self._gateway.flush()

    async def _read(self, holding: Holding) -> None:
        """Read until the claim is over."""
        self._holding = holding
        self._gateway.hold(holding)
        reading = asyncio.create_task(self._bot.read(holding), name="discord")
        try:
            ends: set[asyncio.Future[Any]] = {reading, holding.over}
            if self._claiming is not None:
                ends.add(self._claiming)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            reading.cancel()
            await asyncio.wait({reading})
