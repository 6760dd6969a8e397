"""Which orchestrator answers which lanes: plain functions over plain data.

Lanes are spread over a fixed number of partitions by a hash of their names, and each partition belongs to one
orchestrator at a time, under an epoch that grows whenever the owner changes. So the rows that say who answers what are
few and change seldom, a conversation stays with the orchestrator that has it in memory, and an owner proves that it
still is one by a look at a single row. The alternative, a row and a lease for each lane or turn, costs each event and
each turn a write more, and two orchestrators that record into each other's lanes would wait for each other in rings.

Every orchestrator has an equal share of the partitions. One that has too many lets go of the rest when their turns are
over; one that has too few takes what is free. One that isn't heard from within its lease is dead, and all it had is
free.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

PARTITIONS = 64
"""Part of the database's contents: a change needs a migration."""


def partition_of(lane: str) -> int:
    """The partition of a lane."""
    return zlib.crc32(lane.encode("utf-8", "surrogatepass")) % PARTITIONS


@dataclass(frozen=True, slots=True)
class Plan:
    """What an orchestrator is to do about partitions."""

    take: frozenset[int]
    """Free ones that are to be its own."""
    give: frozenset[int]
    """Its own ones that are to be another's."""


def plan(me: str, sharing: Collection[str], owners: Mapping[int, str | None]) -> Plan:
    """An orchestrator's part in an even distribution.

    Args:
        me: who asks.
        sharing: all that are alive and stay so; without `me`, it gives all away.
        owners: of every partition; None: it is free.
    """
    mine = sorted(partition for partition, owner in owners.items() if owner == me)
    share = _share(me, sharing, len(owners)) if me in sharing else 0
    if len(mine) >= share:
        return Plan(frozenset(), frozenset(mine[share:]))
    free = sorted(partition for partition, owner in owners.items() if owner is None)
    return Plan(frozenset(free[: share - len(mine)]), frozenset())


def _share(me: str, sharing: Collection[str], partitions: int) -> int:
    each, left = divmod(partitions, len(sharing))
    return each + (sorted(sharing).index(me) < left)
