"""Claims and permits as JSON, the way the ledger keeps them."""

from __future__ import annotations

import json
from functools import lru_cache

from botswain_orchestrator.coordination.claims import Claimant, Claims
from botswain_orchestrator.coordination.permits import Budget, Permits


def dump_claims(claims: Claims) -> bytes:
    """A bot's claims."""
    line = [
        {
            "id": one.id,
            "shard_count": one.shard_count,
            "shard_ids": sorted(one.shard_ids),
            "expires_at": one.expires_at,
            "call": one.call,
            "epoch": one.epoch,
        }
        for one in claims.line
    ]
    return json.dumps({"last_epoch": claims.last_epoch, "line": line}).encode()


@lru_cache(maxsize=64)
def load_claims(data: bytes) -> Claims:
    """The same, read; remembered, because every batch with a cursor looks at them."""
    raw = json.loads(data)
    line = (Claimant(**one | {"shard_ids": frozenset(one["shard_ids"])}) for one in raw["line"])
    return Claims(tuple(line), raw["last_epoch"])


def dump_permits(permits: Permits) -> bytes:
    """A bot's permits."""
    budget = permits.budget
    return json.dumps(
        {
            "budget": [budget.total, budget.remaining, budget.resets_at] if budget is not None else None,
            "bucket_free_at": list(permits.bucket_free_at.items()),
        }
    ).encode()


def load_permits(data: bytes) -> Permits:
    """The same, read."""
    raw = json.loads(data)
    budget = Budget(*raw["budget"]) if raw["budget"] is not None else None
    return Permits(budget, dict(raw["bucket_free_at"]))
