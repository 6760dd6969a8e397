"""Discord's ids: 64-bit numbers whose upper 42 bits are milliseconds since 2015 (Discord docs: reference,
"Snowflakes").

Everywhere else in this package an id is the decimal string that Discord writes in JSON; only sorting and shard routing
need the number.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000

Clock = Callable[[], float]
"""Seconds since the Unix epoch. Passed in everywhere, so that tests move time."""


class SnowflakeGenerator:
    """Ids in strictly rising order, each carrying the time at which it was made."""

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._last = 0

    def next(self, *, own_millisecond: bool = False) -> str:
        """A new id. With `own_millisecond` nothing else shares its timestamp, which spreads guilds evenly over
        shards.
        """
        now = (int(self._clock() * 1000) - DISCORD_EPOCH_MS) << 22
        if own_millisecond:
            self._last = max(now, ((self._last >> 22) + 1) << 22)
        else:
            # Past 4,096 ids in one millisecond the count carries into the time: order matters more than exactness.
            self._last = max(now, self._last + 1)
        return str(self._last)


def snowflake_at(epoch_ms: int, number: int = 0) -> str:
    """The `number`-th id of a millisecond."""
    return str(((epoch_ms - DISCORD_EPOCH_MS) << 22) | number)


def created_ms(snowflake: str) -> int:
    """When an id was made, in milliseconds since the Unix epoch."""
    return (int(snowflake) >> 22) + DISCORD_EPOCH_MS


def shard_of(guild_id: str, shard_count: int) -> int:
    """The shard that gets a guild's events (Discord docs: events/gateway, "Sharding")."""
    return (int(guild_id) >> 22) % shard_count


def is_snowflake(value: object) -> bool:
    """Whether a value can be an id: a decimal string or number of at most 64 bits."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return 0 <= value < 2**64
    return isinstance(value, str) and value.isascii() and value.isdigit() and int(value[:21]) < 2**64


def iso(seconds: float) -> str:
    """A timestamp as Discord writes it: ISO 8601 with microseconds and +00:00."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
