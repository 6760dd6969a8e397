"""Heartbeats of one gateway connection, and the sign that its other end is gone.

Discord acknowledges each heartbeat. A connection on which one wasn't acknowledged by the time of the next is a *zombie*: it may
look open for hours. It is to be closed, with a code that keeps the session, and resumed (events/gateway, "Sending Heartbeats").
The library asks only whether anything came within a minute, and keeps a thread a shard for it; hence this.

The first heartbeat goes out at once, which tells the latency; then the shards' beats are spread by chance.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import discord

HEARTBEAT = 1
FIRST_PAUSE = (0.5, 1.0)
"""Between the first and the second heartbeat, in intervals, at random."""
GRACE = 0.25
"""Intervals that an overdue acknowledgement is still waited for: it may lie unread in a process that is busy."""


class Heartbeats:
    """Has the form of the library's `KeepAliveHandler`, in whose place it stands.

    Args:
        interval: seconds between two heartbeats, from HELLO.
        sequence: the number of the last dispatch, or None.
        send: sends a payload.
        excused: whether acknowledgements can't be read at present.
        on_silence: called when one hasn't come; the heartbeats are over then.
    """

    def __init__(
        self,
        interval: float,
        sequence: Callable[[], int | None],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        *,
        excused: Callable[[], bool],
        on_silence: Callable[[], None],
    ) -> None:
        self.latency = math.inf
        """Seconds between the last heartbeat and its acknowledgement."""
        self._interval = interval
        self._sequence = sequence
        self._send = send
        self._excused = excused
        self._on_silence = on_silence
        self._sent_at = 0.0
        self._awaiting = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. The connection has said HELLO."""
        self._task = asyncio.create_task(self._run(), name="heartbeats")

    def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()

    def ack(self) -> None:
        """A heartbeat was acknowledged."""
        self._awaiting = False
        self.latency = time.perf_counter() - self._sent_at

    def excuse(self) -> None:
        """What was sent need not be acknowledged: the acknowledgement lies behind much else."""
        self._awaiting = False

    def tick(self) -> None:
        """Something was received: of no interest here."""

    def beat(self) -> dict[str, Any]:
        """The payload of a heartbeat that is sent now."""
        self._sent_at = time.perf_counter()
        self._awaiting = True
        return {"op": HEARTBEAT, "d": self._sequence()}

    async def _run(self) -> None:
        pause = self._interval * random.uniform(*FIRST_PAUSE)  # noqa: S311 - spreading load, not secrets
        try:
            while True:
                await self._send(self.beat())
                await asyncio.sleep(pause)
                if self._missing:
                    await asyncio.sleep(self._interval * GRACE)
                if self._missing:
                    break
                pause = self._interval
        except (OSError, RuntimeError, discord.ConnectionClosed):  # the connection is over, as its reader will see
            return
        self._task = None
        self._on_silence()

    @property
    def _missing(self) -> bool:
        return self._awaiting and not self._excused()
