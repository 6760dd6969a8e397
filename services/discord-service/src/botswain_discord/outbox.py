"""Events between Discord and the orchestrator: kept from the moment they are read until they are settled.

An event is settled when the orchestrator acknowledged it, or when the transport gave up on it in words. `limit` bounds what is
kept in memory; what comes then waits in a file. Where there is none, or no room in it, the outbox is full: whoever reads from
Discord waits, so that nothing is dropped. Discord holds what isn't read.

    put → tail → file → waiting → taken → settled        (straight to `waiting` while tail and file are empty and memory has room)

Order of arrival holds throughout. One task moves events in and out of the file, in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque

from botswain_services.logs import get_logger

from botswain_discord.outbox_file import OutboxFile
from botswain_discord.outgoing import Outgoing, Session

CHUNK = 256
"""Events written or read at a time."""
TAIL_LIMIT = 4 * CHUNK
"""Events that may wait to be written."""
RETRY = 1.0
"""Seconds until a file that took nothing is tried again."""
log = get_logger(__name__)

__all__ = ["Outbox", "Outgoing", "Session"]


class Outbox:
    """A queue in order of arrival that also counts what was taken and isn't settled yet.

    Args:
        limit: events kept in memory, those that were taken included.
        file: takes the others; None: there are none.
    """

    def __init__(self, limit: int, file: OutboxFile | None = None) -> None:
        self.limit = limit
        self.filed = 0
        """Events in the file."""
        self._file = file
        self._tail: deque[Outgoing] = deque()
        self._moving = 0
        self._mover: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
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
        return self.waiting + self._taken

    @property
    def full(self) -> bool:
        """Whether the next event has to wait."""
        return self.depth >= self.limit if self._file is None else len(self._tail) >= TAIL_LIMIT

    def put(self, outgoing: Outgoing) -> None:
        """Keep an event. Never waits and never drops: ask `full` first."""
        if self._file is not None and (self._overflowing or self.depth >= self.limit):
            self._tail.append(outgoing)
            self._wake.set()
            if self._mover is None or self._mover.done():
                self._mover = asyncio.create_task(self._move(self._file), name="outbox-file")
        else:
            self._waiting.append(outgoing)
            self._some.set()
        self._empty.clear()
        if self.full:
            self._room.clear()

    @property
    def waiting(self) -> int:
        """Events that were not taken."""
        return len(self._waiting) + self.filed + self._moving + len(self._tail)

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
        if self._overflowing:
            self._wake.set()
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
        """Take what is still waiting, without settling it: for the last words at shutdown, after `close()`."""
        rest = [*self._waiting]
        if self._file is not None:
            try:
                rest += self._file.load(self.filed)
            except (OSError, sqlite3.Error) as error:
                log.error("outbox_file_refuses", reason=f"{type(error).__name__}: {error}", in_file=self.filed)  # noqa: TRY400
            self._file.close()
        rest += self._tail
        self._waiting.clear()
        self._tail.clear()
        self.filed = 0
        self._taken += len(rest)
        return rest

    async def close(self) -> None:
        """Move nothing more; what waits stays for `drain()`."""
        if self._mover is not None:
            self._mover.cancel()
            await asyncio.wait({self._mover})

    @property
    def _overflowing(self) -> bool:
        return bool(self._tail or self.filed or self._moving)

    @property
    def _low(self) -> bool:
        return len(self._waiting) < max(1, self.limit // 2)

    async def _move(self, file: OutboxFile) -> None:
        """Move events until memory is enough again. Reading goes before writing, so that those who take need not wait."""
        log.warning("outbox_overflows", in_memory=self.depth, limit=self.limit)
        stuck: str | None = None
        while self._overflowing:
            self._wake.clear()
            moved = True
            if self._low and not self.filed:
                self._waiting.extend(self._tail.popleft() for _ in range(min(CHUNK, len(self._tail))))
            elif self._low:
                moved = (stuck := await self._read(file, stuck)) is None
            elif len(self._tail) >= CHUNK:
                moved = (stuck := await self._write(file, stuck)) is None
            else:
                moved = False
            if not moved:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY if stuck else None):
                        await self._wake.wait()
            if self._waiting:
                self._some.set()
            if not self.full:
                self._room.set()
        file.close()
        log.info("outbox_fits_again", in_memory=self.depth)

    async def _read(self, file: OutboxFile, stuck: str | None) -> str | None:
        """Read a chunk; why that didn't work."""
        reading = asyncio.ensure_future(asyncio.to_thread(file.load, CHUNK))
        try:
            with contextlib.suppress(OSError, sqlite3.Error):
                await asyncio.shield(reading)
        finally:  # also when cancelled: what was taken out of the file must not be lost
            if not reading.done():
                await asyncio.wait({reading})
            if (error := reading.exception()) is None:
                events = reading.result()
                self.filed -= len(events)
                self._waiting.extend(events)
        return self._refused(error, stuck)

    async def _write(self, file: OutboxFile, stuck: str | None) -> str | None:
        """Write a chunk; why that didn't work."""
        chunk = [self._tail.popleft() for _ in range(CHUNK)]
        self._moving = len(chunk)
        writing = asyncio.ensure_future(asyncio.to_thread(file.store, chunk))
        try:
            with contextlib.suppress(OSError, sqlite3.Error):
                await asyncio.shield(writing)
        finally:
            if not writing.done():
                await asyncio.wait({writing})
            error = writing.exception()
            self._moving = 0
            if error is None:
                self.filed += len(chunk)
            else:
                self._tail.extendleft(reversed(chunk))
        return self._refused(error, stuck)

    def _refused(self, error: BaseException | None, stuck: str | None) -> str | None:
        """Why the file didn't do what it was asked; logged when that is news."""
        if error is None:
            return None
        if not isinstance(error, OSError | sqlite3.Error):
            raise error
        if stuck is None:
            log.error("outbox_file_refuses", reason=f"{type(error).__name__}: {error}", in_file=self.filed)
        return str(error) or type(error).__name__
