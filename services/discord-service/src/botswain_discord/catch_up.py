"""Messages between a session that is lost and the one after it: fetched from each channel that is known to be in use.

A new session brings nothing of what happened before it. So each channel's messages after the last one that was seen are fetched,
oldest first; what comes live in such a channel meanwhile waits behind them. Until a shard has caught up its cursor stays where it
was: a process that takes over in between finds the old session gone, and catches up from the recorded marks as well.

What is fetched twice, or fetched and received, does no harm: the event's id is the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeGuard

import aiohttp
import discord
from botswain_proto.v1.coordination_pb2 import ChannelMark
from botswain_services.logs import get_logger

from botswain_discord import metrics
from botswain_discord.backoff import reconnect_delay

PAGE = 100
"""Messages a request, the most Discord gives."""
SIDE_BY_SIDE = 4
"""Channels at once; the rate limits are the library's to honour."""
MAX_MARKS = 10_000
TOO_MANY_REQUESTS = 429
"""The library waits and asks again, but not for long, and not at all where the answer comes from a proxy before Discord."""
log = get_logger(__name__)

Payload = dict[str, Any]
Fetch = Callable[[str, str], Awaitable[list[Payload]]]
"""Channel id, message id -> the messages after it: the oldest `PAGE`, in any order."""


class Mark(NamedTuple):
    """The last message seen in a channel; `guild_id` is None outside guilds."""

    channel_id: str
    guild_id: str | None
    message_id: str

    def shard_id(self, shard_count: int) -> int:
        """The shard that gets the channel's messages."""
        return 0 if self.guild_id is None else (int(self.guild_id) >> 22) % shard_count


class Marks:
    """The last message seen in each of the channels used latest."""

    def __init__(self, told: Iterable[ChannelMark] = ()) -> None:
        self._marks: dict[
            str, tuple[Any, Any]
        ] = {}  # as they come: checked when they are needed, not with each message
        for mark in told:
            guild_id = mark.guild_id if mark.HasField("guild_id") else None
            self._marks[mark.channel_id] = (guild_id, mark.last_message_id)

    def seen(self, payload: Payload) -> None:
        """A message was handled, whether it made an event or not."""
        channel_id = payload.get("channel_id")
        if type(channel_id) is not str:
            return
        self._marks.pop(channel_id, None)
        self._marks[channel_id] = (payload.get("guild_id"), payload.get("id"))
        if len(self._marks) > MAX_MARKS:
            del self._marks[next(iter(self._marks))]

    def of_shard(self, shard_id: int, shard_count: int) -> list[Mark]:
        """Those of one shard, the channels used latest first."""
        marks = [
            mark
            for channel_id, (guild_id, message_id) in self._marks.items()
            if _is_id(message_id)
            and (guild_id is None or _is_id(guild_id))
            and (mark := Mark(channel_id, guild_id, message_id)).shard_id(shard_count) == shard_id
        ]
        return sorted(marks, key=lambda mark: int(mark.message_id), reverse=True)


def _is_id(value: Any) -> TypeGuard[str]:
    return type(value) is str and value.isdecimal()


class CatchUp:
    """One shard's way from an old session to a new one.

    Args:
        marks: where each channel's fetching starts.
        fetch: gets messages.
        take: handles a message, fetched or held.
        wait_for_room: returns once a message may be taken.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        marks: list[Mark],
        fetch: Fetch,
        take: Callable[[Payload], None],
        wait_for_room: Callable[[], Awaitable[None]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.held = 0
        """Live messages that wait."""
        self._tasks: asyncio.TaskGroup | None = None
        self._working = 0
        self._over = False
        self._held: dict[str, list[Payload]] = {mark.channel_id: [] for mark in marks}
        self._marks = deque(marks)
        self._fetch = fetch
        self._take = take
        self._wait_for_room = wait_for_room
        self._sleep = sleep

    def hold(self, payload: Payload) -> bool:
        """Keep a live message until its channel has caught up; False when it has nothing to wait for."""
        held = self._held.get(payload.get("channel_id", ""))
        if held is None:
            return False
        held.append(payload)
        self.held += 1
        return True

    def add(self, marks: list[Mark]) -> bool:
        """Catch up on further channels too; False when it is over."""
        if self._over:
            return False
        for mark in marks:
            if mark.channel_id not in self._held:
                self._held[mark.channel_id] = []
                self._marks.append(mark)
        self._employ()
        return True

    async def run(self) -> None:
        """Catch up on every channel."""
        async with asyncio.TaskGroup() as self._tasks:
            self._employ()
        self._over = True

    def _employ(self) -> None:
        if self._tasks is None:
            return  # `run()` will
        for _ in range(min(SIDE_BY_SIDE - self._working, len(self._marks))):
            self._working += 1
            self._tasks.create_task(self._work())

    async def _work(self) -> None:
        while self._marks:
            mark = self._marks.popleft()
            fetched = await self._catch_up(mark)
            await self._release(mark.channel_id, fetched)
        self._working -= 1
        self._over = not self._working

    async def _catch_up(self, mark: Mark) -> set[str]:
        """Take the messages after a mark; their ids."""
        fetched: set[str] = set()
        after = mark.message_id
        while page := [message for message in await self._page(mark.channel_id, after) if _is_id(message.get("id"))]:
            page.sort(key=lambda message: int(message["id"]))
            for message in page:
                if mark.guild_id is not None:
                    message["guild_id"] = mark.guild_id  # a fetched message doesn't tell it
                await self._wait_for_room()
                self._take(message)
                fetched.add(message["id"])
            metrics.BACKFILLED.inc(len(page))
            after = page[-1]["id"]
            if len(page) < PAGE:
                break
        if fetched:
            log.info("channel_caught_up", channel=mark.channel_id, messages=len(fetched))
        return fetched

    async def _release(self, channel_id: str, fetched: set[str]) -> None:
        held = self._held[channel_id]
        while held:
            await self._wait_for_room()
            batch, self._held[channel_id] = held, []
            for payload in batch:
                self.held -= 1
                if payload.get("id") not in fetched:
                    self._take(payload)
            held = self._held[channel_id]
        del self._held[channel_id]

    async def _page(self, channel_id: str, after: str) -> list[Payload]:
        """The next messages of a channel; none where Discord doesn't let this bot read them."""
        failures = 0
        while True:
            try:
                return await self._fetch(channel_id, after)
            except discord.HTTPException as error:
                if error.status < 500 and error.status != TOO_MANY_REQUESTS:
                    log.warning("channel_not_caught_up", channel=channel_id, after=after, reason=str(error))
                    return []
                problem = str(error)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                problem = f"{type(error).__name__}: {error}"
            failures += 1
            delay = reconnect_delay(failures + 1)
            log.warning("channel_fetch_failed", channel=channel_id, reason=problem, delay=delay)
            await self._sleep(delay)
