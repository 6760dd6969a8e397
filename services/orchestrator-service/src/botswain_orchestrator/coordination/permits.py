"""When a shard may IDENTIFY: plain functions over plain data.

Discord takes one IDENTIFY per bucket (`shard_id % max_concurrency`) and five seconds, and 1,000 a day over all
shards; past the day's number it ends every session and resets the token (Discord docs: events/gateway, "Rate
Limiting" and "Sharding"). So the last part of the day's number is a reserve that no process may spend, and a crash
loop is slowed down long before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

INTERVAL = 5.0
"""Seconds between two IDENTIFYs of one bucket."""
RESERVE = 0.1
"""The part of the day's number that is never spent."""
CALM = 0.5
"""From this part of the day's number down, each further IDENTIFY of a bucket waits longer than the last."""
LONGEST_PAUSE = 900.0
"""Seconds."""
DAY = 86_400.0
_SAME_DAY = 60.0
"""Two times of reset this near to each other are the same one, told at different moments."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The day's number, as Discord last told it and as permits since then have lessened it."""

    total: int
    remaining: int
    resets_at: float

    @property
    def reserve(self) -> int:
        """How many are never spent; at least one."""
        return max(1, int(self.total * RESERVE))


@dataclass(frozen=True, slots=True)
class Permits:
    """What is known of one bot's IDENTIFYs. Times are seconds on the ledger's clock."""

    budget: Budget | None = None
    bucket_free_at: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether to IDENTIFY now; if not, why, and when to ask again (seconds from now)."""

    permitted: bool
    retry_after: float = 0.0
    reason: str = ""


def observe(permits: Permits, told: Budget) -> Permits:
    """Take Discord's word on the budget. Within the same day the lower number counts: permits given since Discord was
    asked are missing in what it said.
    """
    known = permits.budget
    if known is not None and abs(known.resets_at - told.resets_at) < _SAME_DAY and known.total == told.total:
        told = replace(told, remaining=min(known.remaining, told.remaining))
    return replace(permits, budget=told)


def permit(permits: Permits, *, shard_id: int, max_concurrency: int, now: float) -> tuple[Permits, Answer]:
    """Answer one request, and count it when it is permitted."""
    budget = permits.budget
    if budget is not None and now >= budget.resets_at:
        budget = replace(budget, remaining=budget.total, resets_at=now + DAY)
    if budget is not None and budget.remaining <= budget.reserve:
        wait = budget.resets_at - now
        reason = (
            f"{budget.remaining} of {budget.total} IDENTIFYs are left today, and the last {budget.reserve} are kept; "
            f"they come back in {wait:.0f} s"
        )
        return replace(permits, budget=budget), Answer(False, min(wait, LONGEST_PAUSE), reason)
    bucket = shard_id % max(1, max_concurrency)
    free_at = permits.bucket_free_at.get(bucket, now)
    if free_at > now:
        reason = f"bucket {bucket} is free in {free_at - now:.1f} s"
        return replace(permits, budget=budget), Answer(False, free_at - now, reason)
    spent = replace(budget, remaining=budget.remaining - 1) if budget is not None else None
    resting = {key: at for key, at in permits.bucket_free_at.items() if at > now}
    return Permits(spent, {**resting, bucket: now + _pause(budget)}), Answer(True)


def _pause(budget: Budget | None) -> float:
    """How long a bucket rests: Discord's five seconds, and more the fewer are left."""
    if budget is None:
        return INTERVAL
    left = (budget.remaining - budget.reserve) / max(1, budget.total)
    if left >= CALM:
        return INTERVAL
    return min(LONGEST_PAUSE, INTERVAL * 2 ** (8 * (1 - left / CALM)))
