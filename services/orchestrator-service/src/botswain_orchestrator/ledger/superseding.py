"""Events that get no turn of their own, by the turn policy."""

from __future__ import annotations

import time

from botswain_proto.v1 import event_pb2, orchestrator_pb2
from sqlalchemy import Connection, insert, select, update

from botswain_orchestrator.ids import run_id
from botswain_orchestrator.ledger.database import Database
from botswain_orchestrator.ledger.ledger import Entry, EventStatus, fence
from botswain_orchestrator.ledger.tables import events, runs


async def supersede(
    database: Database, entry: Entry, *, by: Entry | None, reason: str, started: bool
) -> orchestrator_pb2.ProcessResponse | None:
    """End an event without an answer of its own.

    Args:
        database: where.
        entry: the event.
        by: whose turn answers it too, and all that it was to answer; None: nobody's.
        reason: in words, for who asked.
        started: whether an event whose turn has begun may be ended so.

    Returns:
        The result; None when nothing was done: the event's turn is over, or has begun.
    """
    now = int(time.time() * 1000)
    chosen = (events.c.id == entry.id) & events.c.finished_at.is_(None)
    if not started:
        chosen &= events.c.attempts == 0
    over = (
        update(events)
        .where(chosen)
        .values(status=EventStatus.SUPERSEDED.value, finished_at=now, answered_by=by.id if by is not None else None)
        .returning(events.c.payload)
    )

    def work(connection: Connection) -> orchestrator_pb2.ProcessResponse | None:
        fence(database, connection, entry)
        payload = connection.execute(over).scalar_one_or_none()
        if payload is None:
            return None
        if by is not None:
            connection.execute(update(events).where(events.c.answered_by == entry.id).values(answered_by=by.id))
        event = event_pb2.InternalEvent.FromString(payload)
        result = orchestrator_pb2.ProcessResponse(
            correlation_id=event.correlation_id,
            event_id=event.event_id,
            run_id=run_id(event.bot_id, event.event_id),
            status=orchestrator_pb2.TURN_STATUS_SUPERSEDED,
            delivery=orchestrator_pb2.DELIVERY_NONE,
            error=reason,
        )
        row = {"id": result.run_id, "event": entry.id, "status": result.status, "delivery": result.delivery}
        connection.execute(insert(runs).values(row | {"result": result.SerializeToString(), "finished_at": now}))
        return result

    return await database.write(work, own=True)


async def carried(database: Database, entry: Entry) -> list[event_pb2.InternalEvent]:
    """The events that this one's turn answers too, oldest first."""
    query = select(events.c.payload).where(events.c.answered_by == entry.id).order_by(events.c.id)
    return await database.read(
        lambda connection: [event_pb2.InternalEvent.FromString(data) for data in connection.execute(query).scalars()]
    )
