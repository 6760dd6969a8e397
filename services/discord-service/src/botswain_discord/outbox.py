"""Events between Discord and the orchestrator: kept from the moment they are read until they are settled.

An event is settled when the orchestrator acknowledged it, or when the transport gave up on it in words. `limit` bounds what is
kept; whoever reads from Discord waits for room, so that nothing is dropped: Discord holds what isn't read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from botswain_proto.v1.event_pb2 import InternalEvent


class Session(NamedTuple):
    """A shard's session with Discord: what a RESUME needs besides the sequence number."""

    shard_id: int
    shard_count: int
    session_id: str
    resume_gateway_url: str


class Outgoing(NamedTuple):
    """An event, and where in its shard's stream it stands: `seq` is 0 when that isn't known."""

    event: InternalEvent
    session: Session | None = None
    seq: int = 0


class Outbox:
    """A queue in order of arrival that also counts what was taken and isn't settled yet."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._waiting: deque[Outgoing] = deque()
        self._taken = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._room.set()
        self._empty.set()

    @property
    def depth(self) -> int:
        """Events that are not settled."""
        return len(self._waiting) + self._taken

    @property
    def full(self) -> bool:
        """Whether the next event has to wait."""
        return self.depth >= self.limit

    def put(self, outgoing: Outgoing) -> None:
        """Keep an event. Never waits and never drops: ask `full` first."""
        self._waiting.append(outgoing)
        self._some.set()
        self._empty.clear()
        if self.full:
            self._room.clear()

    @property
    def waiting(self) -> int:
        """Events that were not taken."""
        return len(self._waiting)

    async def take(self, most: int) -> list[Outgoing]:
        """The next events, at least one and at most `most`; waits for the first."""
        while not self._waiting:
            await self.wait_for_some()
        return self.take_now(most)

    async def wait_for_some(self) -> None:
        """Return when an event waits, or after `nudge()`."""
        if not self._waiting:
            await self._some.wait()
            self._some.clear()

    def nudge(self) -> None:
        """Wake who waits for events."""
        self._some.set()

    def take_now(self, most: int) -> list[Outgoing]:
        """The next events, at most `most`, perhaps none."""
        count = min(most, len(self._waiting))
        self._taken += count
        return [self._waiting.popleft() for _ in range(count)]

    def settle(self, count: int) -> None:
        """`count` of the events that were taken need not be kept any longer."""
        self._taken -= count
        if not self.full:
            self._room.set()
        if self.depth == 0:
            self._empty.set()

    async def wait_for_room(self) -> None:
        """Return once the outbox isn't full."""
        await self._room.wait()

    async def wait_until_empty(self) -> None:
        """Return once every event is settled."""
        await self._empty.wait()

    def drain(self) -> list[Outgoing]:
        """Take what is still waiting, without settling it: for the last words at shutdown."""
        rest = list(self._waiting)
        self._waiting.clear()
        self._taken += len(rest)
        return rest
