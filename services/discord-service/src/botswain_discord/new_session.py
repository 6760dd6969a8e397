"""Channels that nobody knew of when a new session began: made, or first written in, while no session was there.

READY names the guilds, and each one's GUILD_CREATE, a moment later, its channels and active threads with their last messages.
One that is newer than what was seen before, in a channel in which none was ever seen, was missed. A guild that READY didn't
name is one that the bot has just been let into: what was written there before isn't for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from botswain_discord.catch_up import Mark

MARGIN_MS = 10_000
"""Clocks differ, and Discord doesn't number across channels."""
PATIENCE = 30.0
"""Seconds that guilds may take to be told of; what isn't by then is away, and tells its channels when it is back."""
WITH_MESSAGES = frozenset((0, 2, 5, 10, 11, 12, 13))
"""Types of channels that hold messages of their own [resources/channel]."""
_DISCORD_EPOCH_MS = 1_420_070_400_000
_TIME_BITS = 22


def id_at(milliseconds: float) -> int:
    """The lowest id of that time, in milliseconds since 1970."""
    return max(0, int(milliseconds) - _DISCORD_EPOCH_MS) << _TIME_BITS


class NewSession:
    """A shard's session that began with READY, until all its guilds were told of.

    Args:
        ready: READY's payload.
        marks: of the channels that are known; they are fetched from anyhow.
        since: an id from which on messages may have been missed; a higher one among the marks stands before it.
        now: seconds on a clock that only goes forward.
    """

    def __init__(self, ready: dict[str, Any], marks: Iterable[Mark], since: int, *, now: float) -> None:
        marks = list(marks)
        guilds = ready.get("guilds")
        self._awaited = {guild["id"] for guild in _objects(guilds) if isinstance(guild.get("id"), str)}
        self._known = {mark.channel_id for mark in marks}
        newest = max([since, *(int(mark.message_id) for mark in marks)])
        self._since = max(0, newest - (MARGIN_MS << _TIME_BITS))
        self._until = now + PATIENCE

    def awaits(self, now: float) -> bool:
        """Whether channels may yet turn up."""
        return bool(self._awaited) and now < self._until

    def unseen(self, guild: dict[str, Any]) -> list[Mark]:
        """From where on to fetch the messages that were missed, by the payload of a GUILD_CREATE."""
        guild_id = guild.get("id")
        if not isinstance(guild_id, str) or guild_id not in self._awaited:
            return []
        self._awaited.discard(guild_id)
        return [
            Mark(channel["id"], guild_id, str(self._since))
            for channel in (*_objects(guild.get("channels")), *_objects(guild.get("threads")))
            if channel.get("type") in WITH_MESSAGES
            and isinstance(channel.get("id"), str)
            and channel["id"] not in self._known
            and _number(channel.get("last_message_id")) > self._since
        ]


def _objects(values: Any) -> Iterator[dict[str, Any]]:
    return (value for value in values if type(value) is dict) if isinstance(values, list) else iter(())


def _number(value: Any) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() else 0
