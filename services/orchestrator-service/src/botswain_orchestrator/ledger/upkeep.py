"""Upkeep: what the ledger holds, in counts and ages, and the removal of what is old."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from botswain_orchestrator.ledger.approvals import ApprovalState
from botswain_orchestrator.ledger.database import Database
from botswain_orchestrator.ledger.ledger import EventStatus
from botswain_orchestrator.ledger.tables import (
    approvals,
    channel_marks,
    checkpoints,
    claims,
    cursors,
    events,
    runs,
    steps,
)

_PART = 500
"""Events removed in one transaction, so that others' writes don't wait long."""
_REMOVED = (EventStatus.COMPLETED.value, EventStatus.SUPERSEDED.value)
"""Dead letters stay: somebody has to decide about them."""
_EVENTS = {
    EventStatus.RECORDED: "events waiting",
    EventStatus.COMPLETED: "events answered",
    EventStatus.SUPERSEDED: "events superseded",
    EventStatus.FAILED: "dead letters",
}
_APPROVALS = {True: "approvals open", False: "approvals closed"}
_OTHERS: tuple[tuple[str, Table, Any], ...] = (
    ("runs", runs, runs.c.finished_at),
    ("steps", steps, steps.c.recorded_at),
    ("conversations", checkpoints, checkpoints.c.updated_at),
    ("cursors", cursors, cursors.c.updated_at),
    ("claims", claims, claims.c.updated_at),
    ("channel marks", channel_marks, channel_marks.c.updated_at),
)


@dataclass(frozen=True, slots=True)
class Holding:
    """Rows of one kind. Times are milliseconds since 1970: of the receipt of events, of the last change of others."""

    name: str
    count: int
    oldest: int | None
    newest: int | None


async def holdings(database: Database) -> list[Holding]:
    """What the ledger holds, kind by kind."""
    return await database.read(lambda connection: list(_holdings(connection)))


def _holdings(connection: Connection) -> Iterator[Holding]:
    at = events.c.received_at
    query = select(events.c.status, func.count(), func.min(at), func.max(at)).group_by(events.c.status)
    found = {status: (count, oldest, newest) for status, count, oldest, newest in connection.execute(query)}
    for status, name in _EVENTS.items():
        yield Holding(name, *found.get(status.value, (0, None, None)))
    still_open = (approvals.c.state == ApprovalState.ASKED.value) & (approvals.c.expires_at > int(time.time() * 1000))
    at = approvals.c.asked_at
    query = select(still_open, func.count(), func.min(at), func.max(at)).group_by(still_open)
    asked = {bool(row[0]): (row[1], row[2], row[3]) for row in connection.execute(query)}
    for is_open, name in _APPROVALS.items():
        yield Holding(name, *asked.get(is_open, (0, None, None)))
    for name, table, column in _OTHERS:
        count, oldest, newest = connection.execute(
            select(func.count(), func.min(column), func.max(column)).select_from(table)
        ).one()
        yield Holding(name, count, oldest, newest)


async def remove_old(database: Database, *, before: int) -> int:
    """Remove events that were answered or superseded before that time, with their runs and steps, and marks of channels
    without a message since; how many events. What conversations remember stays.

    Args:
        database: where.
        before: milliseconds since 1970.
    """
    old = (
        select(events.c.id)
        .where(events.c.finished_at < before, events.c.status.in_(_REMOVED))
        .order_by(events.c.id)
        .limit(_PART)
    )
    removed = 0
    # Looked for by a reader: only the removal itself takes the writer's time.
    while ids := await database.read(lambda connection: list(connection.execute(old).scalars())):
        await database.write(functools.partial(_remove, ids=ids))
        removed += len(ids)
    marks = delete(channel_marks).where(channel_marks.c.updated_at < before)
    await database.write(lambda connection: _execute(connection, marks))
    return removed


def _remove(connection: Connection, ids: list[int]) -> None:
    of_them = select(runs.c.id).where(runs.c.event.in_(ids))
    connection.execute(delete(steps).where(steps.c.run.in_(of_them)))
    connection.execute(delete(approvals).where(approvals.c.run.in_(of_them)))
    connection.execute(delete(runs).where(runs.c.event.in_(ids)))
    connection.execute(delete(events).where(events.c.id.in_(ids)))


def _execute(connection: Connection, statement: Any) -> None:
    connection.execute(statement)
