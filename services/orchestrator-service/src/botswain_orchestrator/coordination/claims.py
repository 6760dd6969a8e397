"""Who holds which shards: plain functions over plain data, the whole of a bot's claims at a time.

A claim is for a set of shards of one shard count; counts don't compete, so that a bot can be re-sharded with both
sets running. Claimants that overlap wait in the order they came. A holder keeps its claim by renewing it within the
TTL; one that comes back under its own name within that time finds the claim, and its epoch, as they were.

A claimant speaks through one call at a time, the latest it opened. What an older call still has to say, or its late
end, doesn't count: a broken connection is often noticed only after its client has come back.

The epoch fences the cursor, not the events: an event is recorded whoever brings it, because `event_id` makes that
harmless, but only the holder of the current epoch moves a shard's cursor. So a holder that lost its claim can still
hand in what it read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Claimant:
    """A process that wants shards, or has them. Times are seconds on the ledger's clock."""

    id: str
    shard_count: int
    shard_ids: frozenset[int]
    expires_at: float
    """When it is forgotten unless it is heard from."""
    call: str
    """The call that it speaks through."""
    epoch: int | None = None
    """Set while it holds its shards."""

    def overlaps(self, other: Claimant) -> bool:
        """Whether both want a shard that only one can have."""
        return self.shard_count == other.shard_count and not self.shard_ids.isdisjoint(other.shard_ids)


@dataclass(frozen=True, slots=True)
class Claims:
    """All claimants of one bot, in the order they came. `last_epoch` only grows."""

    line: tuple[Claimant, ...] = ()
    last_epoch: int = 0

    def find(self, claimant_id: str) -> Claimant | None:
        """The claimant of that name."""
        return next((claimant for claimant in self.line if claimant.id == claimant_id), None)

    def blocking(self, claimant: Claimant) -> list[Claimant]:
        """Those that `claimant` has to wait for: holders, and earlier waiters, of a shard it wants."""
        before = True
        blocking: list[Claimant] = []
        for other in self.line:
            if other.id == claimant.id:
                before = False
            elif other.overlaps(claimant) and (before or other.epoch is not None):
                blocking.append(other)
        return blocking


def expire(claims: Claims, now: float) -> Claims:
    """Forget those that were not heard from in time."""
    return replace(claims, line=tuple(claimant for claimant in claims.line if claimant.expires_at > now))


def enter(
    claims: Claims, claimant_id: str, shard_count: int, shard_ids: Sequence[int], *, call: str, now: float, ttl: float
) -> Claims:
    """Stand in line, or, when already there with the same shards, be heard from through a new call. With other shards:
    at the end of the line.
    """
    claims = expire(claims, now)
    known = claims.find(claimant_id)
    if known is not None and (known.shard_count, known.shard_ids) == (shard_count, frozenset(shard_ids)):
        return _replaced(claims, replace(known, expires_at=now + ttl, call=call))
    left = tuple(claimant for claimant in claims.line if claimant.id != claimant_id)
    entering = Claimant(claimant_id, shard_count, frozenset(shard_ids), now + ttl, call)
    return replace(claims, line=(*left, entering))


def grant(claims: Claims, claimant_id: str, *, call: str, now: float) -> Claims:
    """Give the claimant its shards, under a new epoch, if nobody before it wants one of them; else nothing changes."""
    claims = expire(claims, now)
    claimant = _speaking(claims, claimant_id, call)
    if claimant is None or claimant.epoch is not None or claims.blocking(claimant):
        return claims
    epoch = claims.last_epoch + 1
    return replace(_replaced(claims, replace(claimant, epoch=epoch)), last_epoch=epoch)


def renew(claims: Claims, claimant_id: str, *, call: str, now: float, ttl: float) -> Claims:
    """Be heard from. Unknown claimants stay unknown: they have to enter again."""
    claims = expire(claims, now)
    known = _speaking(claims, claimant_id, call)
    return claims if known is None else _replaced(claims, replace(known, expires_at=now + ttl))


def leave(claims: Claims, claimant_id: str, *, call: str) -> Claims:
    """Let go, of the shards or of the place in the line."""
    if _speaking(claims, claimant_id, call) is None:
        return claims
    return replace(claims, line=tuple(claimant for claimant in claims.line if claimant.id != claimant_id))


def hang_up(claims: Claims, claimant_id: str, *, call: str, now: float, window: float) -> Claims:
    """The call broke: the claimant has `window` seconds to come back."""
    claims = expire(claims, now)
    known = _speaking(claims, claimant_id, call)
    if known is None:
        return claims
    return _replaced(claims, replace(known, expires_at=min(known.expires_at, now + window)))


def extend(claims: Claims, *, now: float, ttl: float) -> Claims:
    """After a time in which nobody could be heard from: everybody has one TTL to come back."""
    line = tuple(replace(claimant, expires_at=max(claimant.expires_at, now + ttl)) for claimant in claims.line)
    return replace(claims, line=line)


def current_epoch(claims: Claims, shard_count: int, shard_id: int, *, now: float) -> int | None:
    """The epoch a shard is held under now; None when nobody holds it."""
    for claimant in expire(claims, now).line:
        if claimant.epoch is not None and claimant.shard_count == shard_count and shard_id in claimant.shard_ids:
            return claimant.epoch
    return None


def moves_cursor(claims: Claims, shard_count: int, shard_id: int, *, epoch: int, now: float) -> bool:
    """Whether a publisher under `epoch` may move this shard's cursor.

    Only the holder may. Epoch 0 is a publisher without a claim: it may as long as the bot's shards were never
    claimed, so that a bot without coordination has cursors too.
    """
    if epoch == 0:
        return claims.last_epoch == 0
    return current_epoch(claims, shard_count, shard_id, now=now) == epoch


def _speaking(claims: Claims, claimant_id: str, call: str) -> Claimant | None:
    known = claims.find(claimant_id)
    return known if known is not None and known.call == call else None


def _replaced(claims: Claims, claimant: Claimant) -> Claims:
    return replace(claims, line=tuple(claimant if other.id == claimant.id else other for other in claims.line))
