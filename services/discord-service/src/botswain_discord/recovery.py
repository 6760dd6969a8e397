"""What shards missed while no session was there: which channels are fetched from, what waits behind them, who has caught up.

One for all shards of a process. `catch_up` fetches, `new_session` finds the channels that nobody knew of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from botswain_proto.v1.coordination_pb2 import ChannelMark
from botswain_services.logs import get_logger

from botswain_discord.catch_up import CatchUp, Fetch, Mark, Marks, Payload
from botswain_discord.new_session import NewSession, id_at
from botswain_discord.outbox import Session

HELD_TICK = 0.1
"""Seconds between two looks at how many messages wait."""
log = get_logger(__name__)

Take: TypeAlias = Callable[[Payload, int, Session | None], None]
"""Handles a message that was fetched, or held: payload, shard, session."""


class Recovery:
    """Follows what each shard has seen, and fetches what it missed when a new session begins.

    Args:
        fetch: gets messages.
        take: handles one.
        wait_for_room: returns once one may be taken.
    """

    def __init__(self, fetch: Fetch, take: Take, wait_for_room: Callable[[], Awaitable[None]]) -> None:
        self._fetch = fetch
        self._take = take
        self._wait_for_room = wait_for_room
        self._marks = Marks()
        self._running: dict[int, tuple[CatchUp, asyncio.Task[None]]] = {}
        self._new_sessions: dict[int, NewSession] = {}
        self._since: dict[int, int] = {}
        """By shard, an id of the time up to which it had been read."""
        self._failed: asyncio.Future[None]

    def begin(self, told: Iterable[ChannelMark]) -> asyncio.Future[None]:
        """Shards begin to be read, by what the ledger tells.

        The future fails when fetching breaks in a way that nobody foresaw.
        """
        self._running.clear()
        self._new_sessions.clear()
        self._since.clear()
        self._marks = Marks(told)
        self._failed = asyncio.get_running_loop().create_future()
        return self._failed

    def read_until(self, shard_id: int, milliseconds: int) -> None:
        """The shard had been read up to then, in milliseconds since 1970."""
        self._since[shard_id] = id_at(milliseconds)

    def seen(self, payload: Payload) -> None:
        """A message was handled."""
        self._marks.seen(payload)

    @property
    def idle(self) -> bool:
        """Whether no shard is behind."""
        return not (self._running or self._new_sessions)

    def hold(self, shard_id: int, payload: Payload) -> bool:
        """Keep a live message until its channel has caught up; False when it has nothing to wait for."""
        running = self._running.get(shard_id)
        return running is not None and running[0].hold(payload)

    def behind(self, shard_id: int) -> bool:
        """Whether messages from before the shard's session are still to be fetched: its cursor must stay where it is."""
        new = self._new_sessions.get(shard_id)
        if new is not None and not new.awaits(time.monotonic()):
            del self._new_sessions[shard_id]
            new = None
        return new is not None or shard_id in self._running

    @property
    def held(self) -> int:
        """Live messages that wait."""
        return sum(catch_up.held for catch_up, _ in self._running.values()) if self._running else 0

    async def wait_until_held_below(self, limit: int) -> None:
        """Return once fewer than `limit` wait."""
        while self.held >= limit:
            await asyncio.wait([task for _, task in self._running.values()], timeout=HELD_TICK)

    def session_started(self, ready: dict[str, Any], shard_id: int, shard_count: int, session: Session | None) -> None:
        """READY came: fetch what came since the last message that was seen, in each channel."""
        if shard_id in self._running:
            self._running.pop(shard_id)[1].cancel()  # what it held is fetched now
        marks = self._marks.of_shard(shard_id, shard_count)
        since = self._since.get(shard_id)
        if since is None:  # its first session ever
            self.read_until(shard_id, int(time.time() * 1_000))
        if since is not None or marks:
            self._new_sessions[shard_id] = NewSession(ready, marks, since or 0, now=time.monotonic())
        self._catch_up(marks, shard_id, session)

    def guild_told(self, guild: dict[str, Any], shard_id: int, session: Session | None) -> None:
        """GUILD_CREATE came: its channels may hold what was missed."""
        new = self._new_sessions.get(shard_id)
        if new is not None:
            self._catch_up(new.unseen(guild), shard_id, session)

    def cancel(self) -> list[asyncio.Task[None]]:
        """Fetch no more; the tasks that are ending."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        return tasks

    def _catch_up(self, marks: list[Mark], shard_id: int, session: Session | None) -> None:
        if not marks:
            return
        log.info("catching_up", shard=shard_id, channels=len(marks))
        running = self._running.get(shard_id)
        if running is not None and running[0].add(marks):
            return

        def take(payload: Payload) -> None:
            self._take(payload, shard_id, session)

        catch_up = CatchUp(marks, self._fetch, take, self._wait_for_room)
        task = asyncio.create_task(catch_up.run(), name=f"catch up {shard_id}")
        self._running[shard_id] = (catch_up, task)
        task.add_done_callback(partial(self._caught_up, shard_id, catch_up))

    def _caught_up(self, shard_id: int, catch_up: CatchUp, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # not caught up: the cursor must stay where it is
            return
        error = task.exception()
        if error is not None:
            if not self._failed.done():
                self._failed.set_exception(error)
        elif self._running[shard_id][0] is catch_up:  # else another has begun since
            del self._running[shard_id]
            log.info("caught_up", shard=shard_id)
