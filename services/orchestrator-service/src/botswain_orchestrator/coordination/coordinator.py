"""The coordinator: each step of the protocol is one transaction over a bot's row (load, a pure function, store).

Those who stand in line are woken by a bell that rings after every commit that changed the line, so a release becomes
the next one's grant within the time of two commits; where several orchestrators share the database, those of the others
are rung too. The row is the truth, not this process's memory: a claim, its
epoch and the identify permits outlive the orchestrator. While none runs, nobody can renew; so at start every claim
gets one more TTL, and a holder that comes back finds its claim.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from botswain_proto.v1 import coordination_pb2
from botswain_services.logs import get_logger
from sqlalchemy import Connection

from botswain_orchestrator.coordination.claims import Claims, current_epoch, enter, extend, grant, hang_up, leave, renew
from botswain_orchestrator.coordination.permits import Answer, Budget, observe, permit
from botswain_orchestrator.errors import LedgerUnavailableError
from botswain_orchestrator.ledger import Database, shards
from botswain_orchestrator.ledger.engines import now_in
from botswain_orchestrator.ledger.notices import CLAIMS, announce

log = get_logger(__name__)

TTL = 10.0
"""Seconds that a claim lasts without being renewed."""
WINDOW = 2.0
"""Seconds that a claimant has to come back after its call broke."""
MOST_MARKS = 1000
"""Channels told of with a grant."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A claimant as it calls: who, for which shards, through which call."""

    bot_id: str
    claimant_id: str
    shard_count: int
    shard_ids: tuple[int, ...]
    call: str


@dataclass(frozen=True, slots=True)
class View:
    """A bot's claims after a step, and the time of that step on the ledger's clock."""

    claims: Claims
    now: float


class Coordinator:
    """Claims and permits. `await start()` when the database is open.

    Args:
        database: where they are kept.
        now: the clock, in seconds, where the database's own is not to be used.
        ttl: of a claim, in seconds.
        window: time to come back after a call broke, in seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], float] | None = None,
        ttl: float = TTL,
        window: float = WINDOW,
    ) -> None:
        self._database = database
        self._now = now
        self.ttl = ttl
        self._window = window
        self._bells: defaultdict[str, set[Callable[[], None]]] = defaultdict(set)
        self._farewells: set[asyncio.Task[None]] = set()
        self.draining = asyncio.Event()

    async def start(self) -> None:
        """Give every claim that is recorded one TTL from now: no orchestrator was there to renew it."""

        def work(connection: Connection) -> int:
            now, found = self._time(connection), 0
            for bot_id in shards.bots(connection):
                claims, permits = shards.load(connection, bot_id)
                if claims.line:
                    shards.store(connection, bot_id, extend(claims, now=now, ttl=self.ttl), permits, now=now)
                    found += len(claims.line)
            return found

        found = await self._database.write(work)
        if found:
            log.info("claims_extended", claimants=found, seconds=self.ttl)

    def drain(self) -> None:
        """The process is ending: calls end, claims stay as they are."""
        self.draining.set()
        self.ring_all()

    async def close(self) -> None:
        """Wait for what is still to be written."""
        await asyncio.gather(*self._farewells, return_exceptions=True)

    @contextmanager
    def bell(self, bot_id: str, ring: Callable[[], None]) -> Iterator[None]:
        """Have `ring` called whenever the bot's line has changed."""
        self._bells[bot_id].add(ring)
        try:
            yield
        finally:
            self._bells[bot_id].discard(ring)
            if not self._bells[bot_id]:
                del self._bells[bot_id]

    def ring(self, bot_id: str) -> None:
        """Wake those who stand in this bot's line."""
        for ring in list(self._bells.get(bot_id, ())):
            ring()

    def ring_all(self) -> None:
        """Wake all who stand in a line."""
        for bot_id in list(self._bells):
            self.ring(bot_id)

    async def enter(self, who: Standing) -> View:
        """Stand in line; have the shards when they are free."""

        def change(claims: Claims, now: float) -> Claims:
            entered = enter(
                claims, who.claimant_id, who.shard_count, who.shard_ids, call=who.call, now=now, ttl=self.ttl
            )
            return grant(entered, who.claimant_id, call=who.call, now=now)

        return await self._step(who.bot_id, change)

    async def renew(self, who: Standing) -> View:
        """Be heard from; have the shards when they have become free."""

        def change(claims: Claims, now: float) -> Claims:
            renewed = renew(claims, who.claimant_id, call=who.call, now=now, ttl=self.ttl)
            return grant(renewed, who.claimant_id, call=who.call, now=now)

        return await self._step(who.bot_id, change)

    async def look(self, who: Standing) -> View:
        """Where the claimant stands, without being heard from; it has the shards when they have become free."""
        return await self._step(who.bot_id, lambda claims, now: grant(claims, who.claimant_id, call=who.call, now=now))

    async def leave(self, who: Standing) -> View:
        """Let go."""
        return await self._step(who.bot_id, lambda claims, _: leave(claims, who.claimant_id, call=who.call))

    def hang_up(self, who: Standing) -> None:
        """The call broke. Returns at once: the caller is being cancelled."""
        if self.draining.is_set():
            return

        def change(claims: Claims, now: float) -> Claims:
            return hang_up(claims, who.claimant_id, call=who.call, now=now, window=self._window)

        async def say() -> None:
            try:
                await self._step(who.bot_id, change)
            except LedgerUnavailableError as error:
                log.info("claim_call_not_ended", claimant=who.claimant_id, reason=str(error))

        task = asyncio.get_running_loop().create_task(say(), name=f"farewell of {who.call}")
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def granted(self, who: Standing, epoch: int) -> coordination_pb2.ClaimGranted:
        """What a holder starts with. After the grant is committed nobody else moves these cursors."""

        def work(connection: Connection) -> coordination_pb2.ClaimGranted:
            return coordination_pb2.ClaimGranted(
                epoch=epoch,
                cursors=shards.cursors_of(connection, who.bot_id, who.shard_count, who.shard_ids),
                channels=shards.marks_of(connection, who.bot_id, limit=MOST_MARKS),
            )

        message = await self._database.read(work)
        message.ttl.FromNanoseconds(int(self.ttl * 1e9))
        return message

    async def permit(
        self,
        bot_id: str,
        *,
        shard_id: int,
        shard_count: int,
        epoch: int,
        max_concurrency: int,
        told: tuple[int, int, float] | None,
    ) -> Answer:
        """Whether the shard may IDENTIFY now.

        Args:
            bot_id: whose.
            shard_id: which shard.
            shard_count: of how many.
            epoch: of the claim it is asked under; 0: none, which does while nobody has claimed the shard.
            max_concurrency: Discord's number of buckets.
            told: Discord's word on the budget: total, remaining, seconds until it is full again.
        """

        def work(connection: Connection) -> Answer:
            now = self._time(connection)
            claims, permits = shards.load(connection, bot_id)
            current = current_epoch(claims, shard_count, shard_id, now=now)
            if (current or 0) != epoch:
                held = f"it is held under epoch {current}" if current else "nobody holds it"
                reason = f"epoch {epoch} of shard {shard_id} of {shard_count} is over ({held}): claim it again"
                return Answer(False, self.ttl, reason)
            if told is not None:
                permits = observe(permits, Budget(told[0], told[1], now + told[2]))
            permits, answer = permit(permits, shard_id=shard_id, max_concurrency=max_concurrency, now=now)
            shards.store(connection, bot_id, claims, permits, now=now)
            return answer

        return await self._database.write(work)

    async def _step(self, bot_id: str, change: Callable[[Claims, float], Claims]) -> View:
        def work(connection: Connection) -> tuple[View, bool]:
            now = self._time(connection)
            before, permits = shards.load(connection, bot_id)
            after = change(before, now)
            if after != before:
                shards.store(connection, bot_id, after, permits, now=now)
            moved = _places(after) != _places(before)
            if moved:
                announce(connection, CLAIMS, bot_id)
            return View(after, now), moved

        def committed(outcome: tuple[View, bool]) -> None:
            if outcome[1]:
                self.ring(bot_id)

        view, _ = await self._database.write(work, committed=committed)
        return view

    def _time(self, connection: Connection) -> float:
        return self._now() if self._now is not None else now_in(connection)


def _places(claims: Claims) -> list[tuple[str, int | None, str]]:
    """The line as those who stand in it see it: without the times."""
    return [(one.id, one.epoch, one.call) for one in claims.line]


def checked_shards(shard_ids: Iterable[int], shard_count: int) -> str | None:
    """Why these are no shards to claim; None when they are."""
    ids = list(shard_ids)
    if shard_count < 1:
        return f"shard_count is {shard_count}; at least 1 is needed"
    if not ids:
        return "shard_ids is empty"
    wrong = [shard for shard in ids if not 0 <= shard < shard_count]
    return f"shard_ids has {wrong[0]}, but shard_count is {shard_count}" if wrong else None
