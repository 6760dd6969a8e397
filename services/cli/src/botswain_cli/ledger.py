"""`botswain ledger`: what the orchestrator's ledger holds, in counts and ages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from botswain_cli.orchestrator import Orchestrator, ask, understood


@dataclass(frozen=True, slots=True)
class Holding:
    """Rows of one kind. Times are of the receipt of events, of the last change of others; None when there are none."""

    name: str
    count: int
    oldest: datetime | None
    newest: datetime | None


def gather(where: Orchestrator) -> list[Holding]:
    """All kinds, in the orchestrator's order.

    Raises:
        NotAnsweredError: it doesn't tell.
    """
    body = ask(where, "GET", "/ledger")
    with understood(where):
        return [
            Holding(str(one["name"]), int(one["count"]), _time(one["oldest"]), _time(one["newest"]))
            for one in body["holdings"]
        ]


def as_json(where: Orchestrator, holdings: Sequence[Holding]) -> str:
    """One line of JSON."""
    return json.dumps({"url": where.url, "holdings": [asdict(one) for one in holdings]}, default=datetime.isoformat)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
