"""How many shards a bot has and which replica holds which: plain functions.

A *shard set* is one way to cut a bot: a shard count and a number of replicas. Two sets can run side by side (Discord allows
it, the ledger dedupes), which is how a bot is re-sharded without a gap; so each set has its own Deployments. They are
numbered on from the other set's: `<bot>-discord-0…`, then the next free run of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from botswain_operator.spec import Sharding


@dataclass(frozen=True, slots=True, order=True)
class ShardSet:
    """`count` shards over `replicas` processes, whose Deployments are numbered from `offset`."""

    count: int
    replicas: int
    offset: int = 0

    @property
    def key(self) -> str:
        """Names the set in labels: it is the same set wherever its Deployments are numbered from."""
        return f"{self.count}x{self.replicas}"

    def shards_of(self, position: int) -> tuple[int, ...]:
        """The shards of the replica at `position`, 0 to `replicas` - 1."""
        return plan_shards(self.count, self.replicas)[position]


def plan_shards(count: int, replicas: int) -> list[tuple[int, ...]]:
    """Cut shards 0 to `count` - 1 into `replicas` runs of equal length, give or take one; the longer ones first.

    Raises:
        ValueError: a replica would have no shard.
    """
    if not 1 <= replicas <= count:
        raise ValueError(f"{count} shards can't be spread over {replicas} replicas: each needs at least one")
    size, longer = divmod(count, replicas)
    runs, start = [], 0
    for position in range(replicas):
        end = start + size + (position < longer)
        runs.append(tuple(range(start, end)))
        start = end
    return runs


def wanted_counts(sharding: Sharding, recommended: int | None) -> tuple[int, int] | None:
    """Shard count and replicas that the spec asks for; None while `auto` waits for Discord's recommendation.

    With `auto`, more replicas than shards are cut down to one a shard: the recommendation may fall.
    """
    count = sharding.shards if isinstance(sharding.shards, int) else recommended
    if count is None:
        return None
    if sharding.shards_per_replica:
        return count, math.ceil(count / sharding.shards_per_replica)
    return count, min(sharding.replicas, count)


def place(count: int, replicas: int, existing: Mapping[str, int], taken: Iterable[int]) -> ShardSet:
    """The shard set of these counts: where it is already, or at the lowest run of numbers that no Deployment has.

    Args:
        existing: offset of each set that has Deployments, by its key.
        taken: numbers of all discord-service Deployments there are.
    """
    key = f"{count}x{replicas}"
    if key in existing:
        return ShardSet(count, replicas, existing[key])
    used = set(taken)
    offset = 0
    while any(number in used for number in range(offset, offset + replicas)):
        offset += 1
    return ShardSet(count, replicas, offset)


def shard_range(ids: Iterable[int]) -> str:
    """`0-3` for 0, 1, 2, 3; `5` for 5; `0-1,4` for 0, 1, 4."""
    ordered = sorted(ids)
    parts: list[str] = []
    start = previous = None
    for number in [*ordered, None]:
        if previous is not None and number == previous + 1:
            previous = number
            continue
        if start is not None:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
        start = previous = number
    return ",".join(parts)


def settled(recommended: int | None, current: int | None) -> int | None:
    """The shard count that `auto` means now.

    A bot follows Discord's recommendation up at once, and down only when half would do: otherwise a bot at a boundary would
    re-shard, and spend IDENTIFYs, with every guild that joins or leaves.
    """
    if recommended is None or current is None:
        return recommended if current is None else current
    return recommended if recommended > current or recommended * 2 <= current else current
