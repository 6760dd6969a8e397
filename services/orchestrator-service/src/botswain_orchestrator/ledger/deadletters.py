"""Dead letters: events whose turns all failed. They are listed with the reason, and may be tried anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botswain_proto.v1 import orchestrator_pb2
from sqlalchemy import Connection, delete, func, insert, select, update

from botswain_orchestrator.ledger.database import Database
from botswain_orchestrator.ledger.ledger import Entry, EventStatus
from botswain_orchestrator.ledger.notices import EVENTS, announce
from botswain_orchestrator.ledger.tables import events, runs

_DEAD = events.c.status == EventStatus.FAILED.value
_LARGEST_LIST = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event, and why it was given up. Times are milliseconds since 1970."""

    id: int
    bot_id: str
    event_id: str
    lane: str
    correlation_id: str
    failures: int
    received_at: int
    parked_at: int
    reason: str


async def dead_letters(database: Database, *, after: int, limit: int) -> tuple[list[DeadLetter], int]:
    """Those with an id above `after`, oldest first, and how many there are in all."""
    columns = ("id", "bot_id", "event_id", "lane", "correlation_id", "failures", "received_at")
    query = (
        select(*(events.c[name] for name in columns), events.c.finished_at.label("parked_at"), runs.c.result)
        .join_from(events, runs, runs.c.event == events.c.id, isouter=True)
        .where(_DEAD, events.c.id > after)
        .order_by(events.c.id)
        .limit(limit)
    )

    def work(connection: Connection) -> tuple[list[DeadLetter], int]:
        found = [_letter(row) for row in connection.execute(query)]
        return found, connection.execute(select(func.count()).select_from(events).where(_DEAD)).scalar_one()

    return await database.read(work)


def _letter(row: Any) -> DeadLetter:
    fields = dict(row._mapping)
    result = orchestrator_pb2.ProcessResponse.FromString(fields.pop("result") or b"")
    return DeadLetter(**fields, reason=result.error)


async def requeue(database: Database, ids: Sequence[int] | None) -> tuple[list[int], list[Entry]]:
    """Make dead letters wait for a turn again, with all their attempts; None: every one, oldest first, a part at a time.

    What the failed turns already did stays recorded, so they go on from there. They are numbered anew: they stand at the
    end of their lanes, and are found there as new events are.

    Returns:
        The ids that they had, and what they are now.
    """

    def work(connection: Connection) -> tuple[list[int], list[Entry]]:
        chosen = _DEAD if ids is None else _DEAD & events.c.id.in_(ids)
        query = select(events).where(chosen).order_by(events.c.id).limit(_LARGEST_LIST)
        found = [dict(row._mapping) for row in connection.execute(query)]
        known = [row["id"] for row in found]
        connection.execute(delete(runs).where(runs.c.event.in_(known)))
        connection.execute(delete(events).where(events.c.id.in_(known)))
        entries = [_anew(connection, row) for row in found]
        if entries:
            announce(connection, EVENTS)
        return known, entries

    return await database.write(work)


def _anew(connection: Connection, row: dict[str, Any]) -> Entry:
    before = row.pop("id")
    row |= {"status": EventStatus.RECORDED.value, "finished_at": None, "failures": 0, "next_at": None}
    number = connection.execute(insert(events).values(row).returning(events.c.id)).scalar_one()
    connection.execute(update(events).where(events.c.answered_by == before).values(answered_by=number))
    return Entry(number, row["lane"], alone=row["alone"])
