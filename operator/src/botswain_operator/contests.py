"""How often a child is put back when something else keeps changing it: a bound, so that two controllers don't fight for ever."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MOST_REPAIRS = 10
WITHIN_SECONDS = 60.0


class Contests(Generic[K]):
    """Repairs of each child, by times that the caller passes in."""

    def __init__(self) -> None:
        self._repairs: dict[K, list[float]] = {}
        self._told: dict[K, float] = {}

    def may_repair(self, child: K, now: float) -> bool:
        """Whether the child may be put back now; that it is gets counted."""
        recent = [at for at in self._repairs.get(child, []) if now - at < WITHIN_SECONDS]
        allowed = len(recent) < MOST_REPAIRS
        self._repairs[child] = [*recent, now] if allowed else recent
        return allowed

    def worth_telling(self, child: K, now: float) -> bool:
        """Whether it is a while since it was told that the child is contested."""
        if now - self._told.get(child, -WITHIN_SECONDS) < WITHIN_SECONDS:
            return False
        self._told[child] = now
        return True
