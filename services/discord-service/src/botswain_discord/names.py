"""Names of guilds and threads, which message payloads don't carry: fed by raw dispatches, some hundred bytes a guild.

It stands in for discord.py's cache, which holds about 31 KB a guild. Ids are the strings the payloads have. Odd payloads are
passed over: a missing name only leaves an optional field out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

_THREAD_TYPES = frozenset((10, 11, 12))  # resources/channel: announcement, public and private thread
MAX_NAME = 256


class ThreadName(NamedTuple):
    """A thread as far as events tell of it."""

    id: str
    parent_id: str | None
    name: str | None


class _Guild:
    __slots__ = ("name", "threads")

    def __init__(self) -> None:
        self.name: str | None = None
        self.threads: dict[str, ThreadName] | None = None  # made when the first thread is seen: most guilds have none


class Names:
    """What is known of guilds and their active threads."""

    def __init__(self) -> None:
        self._guilds: dict[str, _Guild] = {}
        self.version = 0
        """Grows with whatever may have changed something."""

    def state(self, shard_id: int, shard_count: int) -> dict[str, Any]:
        """What is known of one shard's guilds, as JSON: for a process that never gets their GUILD_CREATE."""
        guilds: dict[str, Any] = {}
        threads: dict[str, Any] = {}
        for guild_id, guild in self._guilds.items():
            if not guild_id.isdigit() or (int(guild_id) >> 22) % shard_count != shard_id:
                continue
            guilds[guild_id] = guild.name
            if guild.threads:
                threads[guild_id] = {thread.id: [thread.parent_id, thread.name] for thread in guild.threads.values()}
        return {"guilds": guilds, "threads": threads}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Know again what `state()` told; what was learnt since goes before it."""
        for guild_id, name in state.get("guilds", {}).items():
            guild = self._guilds.setdefault(guild_id, _Guild())
            guild.name = guild.name or name
        for guild_id, threads in state.get("threads", {}).items():
            guild = self._guilds.setdefault(guild_id, _Guild())
            restored = {thread_id: ThreadName(thread_id, *about) for thread_id, about in threads.items()}
            guild.threads = restored | (guild.threads or {})
        self.version += 1

    def guild_name(self, guild_id: str) -> str | None:
        """The guild's name, or None when Discord hasn't told it."""
        guild = self._guilds.get(guild_id)
        return guild.name if guild else None

    def guild_counts(self, shard_count: int) -> Counter[int]:
        """How many guilds are known, by shard."""
        return Counter((int(guild_id) >> 22) % shard_count for guild_id in self._guilds if guild_id.isdigit())

    def thread(self, guild_id: str, channel_id: str) -> ThreadName | None:
        """The thread with this id, or None: an ordinary channel, or a thread not heard of."""
        guild = self._guilds.get(guild_id)
        return guild.threads.get(channel_id) if guild and guild.threads else None

    def feed(self, event: str, payload: dict[str, Any]) -> None:
        """Learn from a dispatch; `event` is its name, one of `EVENTS`."""
        self.version += 1
        _LEARN[event](self, payload)

    def _guild_seen(self, payload: dict[str, Any]) -> None:
        guild_id, name = payload.get("id"), payload.get("name")
        if not isinstance(guild_id, str):
            return
        guild = self._guilds.setdefault(guild_id, _Guild())
        if isinstance(name, str):
            guild.name = name[:MAX_NAME]
        self._learn_threads(guild_id, payload.get("threads"))

    def _guild_gone(self, payload: dict[str, Any]) -> None:
        if not payload.get("unavailable"):  # else an outage: the bot is still in it
            self._guilds.pop(str(payload.get("id")), None)

    def _thread_seen(self, payload: dict[str, Any]) -> None:
        guild_id = payload.get("guild_id")
        if isinstance(guild_id, str):
            self._learn_threads(guild_id, [payload])

    def _threads_listed(self, payload: dict[str, Any]) -> None:
        guild_id = payload.get("guild_id")
        if isinstance(guild_id, str):
            self._learn_threads(guild_id, payload.get("threads"))

    def _thread_gone(self, payload: dict[str, Any]) -> None:
        guild = self._guilds.get(str(payload.get("guild_id")))
        if guild and guild.threads:
            guild.threads.pop(str(payload.get("id")), None)

    def _learn_threads(self, guild_id: str, threads: Any) -> None:
        if not isinstance(threads, list):
            return
        guild = self._guilds.setdefault(guild_id, _Guild())
        for thread in threads:
            if not isinstance(thread, dict) or thread.get("type") not in _THREAD_TYPES:
                continue
            thread_id, parent_id, name = thread.get("id"), thread.get("parent_id"), thread.get("name")
            if not isinstance(thread_id, str):
                continue
            known = guild.threads = guild.threads if guild.threads is not None else {}
            details = thread.get("thread_metadata")
            if isinstance(details, dict) and details.get("archived") is True:
                known.pop(thread_id, None)
                continue
            known[thread_id] = ThreadName(
                thread_id,
                parent_id if isinstance(parent_id, str) else None,
                name[:MAX_NAME] if isinstance(name, str) else None,
            )


_LEARN = {
    "GUILD_CREATE": Names._guild_seen,
    "GUILD_UPDATE": Names._guild_seen,
    "GUILD_DELETE": Names._guild_gone,
    "THREAD_CREATE": Names._thread_seen,
    "THREAD_UPDATE": Names._thread_seen,
    "THREAD_DELETE": Names._thread_gone,
    "THREAD_LIST_SYNC": Names._threads_listed,
}
EVENTS = frozenset(_LEARN)
"""Dispatches that `Names.feed` learns from."""
