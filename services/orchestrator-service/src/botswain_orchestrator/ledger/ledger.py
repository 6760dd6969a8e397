"""What is asked of the ledger and what is written into it, as operations that each run in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from botswain_proto.v1 import coordination_pb2, event_pb2, orchestrator_pb2
from sqlalchemy import Connection, and_, bindparam, or_, select, update

from botswain_orchestrator.ledger import replicas, shards
from botswain_orchestrator.ledger.approvals import Approval, Decision, decide
from botswain_orchestrator.ledger.database import Database
from botswain_orchestrator.ledger.engines import now_in
from botswain_orchestrator.ledger.notices import EVENTS, announce
from botswain_orchestrator.ledger.partitions import partition_of
from botswain_orchestrator.ledger.statements import PerEngine, replacing
from botswain_orchestrator.ledger.steps import Step, record_steps, steps_of
from botswain_orchestrator.ledger.tables import checkpoints, cursors, events, runs

_LARGEST_INSERT = 500
"""Rows: SQLite takes 32,766 parameters in a statement."""


class EventStatus(IntEnum):
    """Where an event stands."""

    RECORDED = 0
    """It waits for its turn, or its turn is under way."""
    COMPLETED = 1
    FAILED = 2
    """A dead letter: it has had all its turns."""
    SUPERSEDED = 3
    """It gets no turn of its own, by the turn policy."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A recorded event: its row and its lane."""

    id: int
    lane: str
    epoch: int = 0
    """Under which this orchestrator holds the lane's partition; 0 where there is one orchestrator alone."""
    alone: bool = False
    """It has a turn of its own, whatever the turn policy."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of a batch: the events that are new, in order, and how many were known."""

    new: list[Entry]
    duplicates: int
    fenced: bool = False
    """The cursor was not recorded: the claim it was published under is over."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of an event that was recorded before; `result` when its turn is over."""

    entry: Entry
    result: orchestrator_pb2.ProcessResponse | None


@dataclass(frozen=True, slots=True)
class Started:
    """An event whose turn begins."""

    event: event_pb2.InternalEvent
    attempt: int
    """From 1; those that were cut off count."""
    failures: int
    """Of those, the ones that failed."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A graph's state after a turn, as LangGraph's serializer wrote it."""

    thread_id: str
    namespace: str
    checkpoint_id: str
    encoding: str
    checkpoint: bytes
    details: bytes


class Ledger:
    """The operations. `now` gives seconds since 1970."""

    def __init__(self, database: Database, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def record(
        self,
        batch: Sequence[tuple[str, event_pb2.InternalEvent]],
        *,
        bot_id: str = "",
        epoch: int = 0,
        cursor: coordination_pb2.ShardCursor | None = None,
        committed: Callable[[Recording], None] | None = None,
    ) -> Recording:
        """Record events with the cursor of the shard they came from, in one transaction; each event once.

        Args:
            batch: (lane, event) pairs, in order.
            bot_id: whose shard `cursor` is of.
            epoch: of the claim that the batch is published under; 0: none. It decides about the cursor alone.
            cursor: moves forward only, within one session.
            committed: called in the event loop once it is durable, in the order of recording.
        """
        now = self._now()
        marks = shards.marks_in(event for _, event in batch)
        rows = [
            {
                "bot_id": event.bot_id,
                "event_id": event.event_id,
                "lane": lane,
                "correlation_id": event.correlation_id,
                "payload": event.SerializeToString(),
                "status": EventStatus.RECORDED,
                "attempts": 0,
                "received_at": int(now * 1000),
                "partition": partition_of(lane),
                # What a person decides must not be left to a later message's turn.
                "alone": event.content_type == event_pb2.CONTENT_TYPE_REACTION,
            }
            for lane, event in batch
        ]

        def work(connection: Connection) -> Recording:
            new = _insert_events(connection, rows)
            shards.mark(connection, marks, now=now)
            moved = cursor is None or shards.move_cursor(
                connection, bot_id, cursor, epoch=epoch, now=self._common_now(connection)
            )
            if new:
                announce(connection, EVENTS)
            return Recording(new, duplicates=len(rows) - len(new), fenced=not moved)

        return await self._database.write(work, committed=committed)

    async def receipt(self, bot_id: str, event_id: str) -> Receipt | None:
        """What is known of an event; None when it was never recorded."""
        query = (
            select(events.c.id, events.c.lane, runs.c.result)
            .join_from(events, runs, runs.c.event == events.c.id, isouter=True)
            .where(events.c.bot_id == bot_id, events.c.event_id == event_id)
        )

        def work(connection: Connection) -> Receipt | None:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            result = orchestrator_pb2.ProcessResponse.FromString(row.result) if row.result is not None else None
            return Receipt(Entry(row.id, row.lane), result)

        return await self._database.read(work)

    async def unfinished(self) -> list[Entry]:
        """The events whose turn is not over, oldest first, whoever answers them."""
        query = select(events.c.id, events.c.lane, events.c.alone).where(events.c.finished_at.is_(None))
        rows = query.order_by(events.c.id)
        return await self._database.read(
            lambda connection: [Entry(row.id, row.lane, alone=row.alone) for row in connection.execute(rows)]
        )

    async def unfinished_in(self, held: Mapping[int, int], *, after: int, limit: int) -> list[Entry]:
        """The events whose turn is not over, oldest first, in some partitions.

        Args:
            held: epochs by partition.
            after: those with a higher id.
            limit: at most so many.
        """
        parameters = {"held": list(held), "after": after, "most": limit}

        def work(connection: Connection) -> list[Entry]:
            rows = connection.execute(_UNFINISHED_IN, parameters)
            return [Entry(row.id, row.lane, held[row.partition], row.alone) for row in rows]

        return await self._database.read(work)

    async def start(self, entry: Entry) -> Started | float | orchestrator_pb2.ProcessResponse:
        """Count one more attempt at the event's turn; or how many seconds it has to wait for it; or its result, when its
        turn is over.
        """
        now = self._milliseconds()

        def work(connection: Connection) -> Any:
            fence(self._database, connection, entry)
            row = connection.execute(_START, {"row": entry.id, "now": now}).one_or_none()
            return row or connection.execute(_WHY_NOT, {"row": entry.id}).one()

        # Whatever the turn does is recorded before it is done, and so after this.
        found = await self._database.write(work, own=True, early=True)
        if hasattr(found, "result"):
            if found.result is not None:
                return orchestrator_pb2.ProcessResponse.FromString(found.result)
            return float(found.next_at - now) / 1000
        return Started(event_pb2.InternalEvent.FromString(found.payload), found.attempts, found.failures)

    async def postpone(self, entry: Entry, seconds: float, run: str, done: Sequence[Step]) -> None:
        """The event's turn failed; the next one comes after that time, also after a restart, and goes on from `done`."""
        now = self._now()
        parameters = {"row": entry.id, "at": int((now + seconds) * 1000)}

        def work(connection: Connection) -> None:
            fence(self._database, connection, entry)
            connection.execute(_POSTPONE, parameters)
            record_steps(connection, run, done, now=now)

        await self._database.write(work, own=True)

    async def steps(self, run: str) -> list[Step]:
        """What a run has done so far."""
        return await self._database.read(lambda connection: steps_of(connection, run))

    async def record_steps(self, entry: Entry, run: str, done: Sequence[Step]) -> None:
        """Note what the run of an event did, or is about to do."""
        now = self._now()

        def work(connection: Connection) -> None:
            fence(self._database, connection, entry)
            record_steps(connection, run, done, now=now)

        await self._database.write(work, own=True)

    async def decide(self, entry: Entry, decision: Decision, *, approvers: Collection[str]) -> Approval | None:
        """Note what a person decided about a tool call, by `approvals.decide()`."""
        now = self._now()

        def work(connection: Connection) -> Approval | None:
            fence(self._database, connection, entry)
            return decide(connection, decision, approvers=approvers, now=now)

        return await self._database.write(work, own=True)

    async def finish(
        self,
        entry: Entry,
        result: orchestrator_pb2.ProcessResponse,
        checkpoint: Checkpoint | None = None,
        done: Sequence[Step] = (),
    ) -> None:
        """Record how a turn ended, together with what the conversation remembers from it, and with steps that another
        turn could go on from.
        """
        now = self._milliseconds()
        completed = result.status == orchestrator_pb2.TURN_STATUS_COMPLETED
        close = {
            "row": entry.id,
            "ended": EventStatus.COMPLETED if completed else EventStatus.FAILED,
            "failed": 0 if completed else 1,
            "at": now,
        }
        run = {
            "id": result.run_id,
            "event": entry.id,
            "status": result.status,
            "delivery": result.delivery,
            "result": result.SerializeToString(),
            "finished_at": now,
        }

        def work(connection: Connection) -> None:
            fence(self._database, connection, entry)
            connection.execute(_CLOSE, close)
            connection.execute(_REPLACE_RUN.on(connection), run)
            record_steps(connection, result.run_id, done, now=now / 1000)
            if checkpoint is not None:
                values = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
                connection.execute(_REPLACE_CHECKPOINT.on(connection), values | {"updated_at": now})

        await self._database.write(work, own=True)

    async def checkpoint(self, thread_id: str, namespace: str) -> Checkpoint | None:
        """The latest checkpoint of a thread."""
        key = {"thread": thread_id, "space": namespace}

        def work(connection: Connection) -> Checkpoint | None:
            row = connection.execute(_CHECKPOINT, key).one_or_none()
            return Checkpoint(*row) if row is not None else None

        return await self._database.read(work)

    async def checkpoint_id(self, thread_id: str, namespace: str) -> str | None:
        """The id of the latest checkpoint of a thread."""
        key = {"thread": thread_id, "space": namespace}
        return await self._database.read(
            lambda connection: connection.execute(_CHECKPOINT_ID, key).scalar_one_or_none()
        )

    async def forget(self, thread_id: str) -> None:
        """Drop what a conversation remembers."""
        statement = checkpoints.delete().where(checkpoints.c.thread_id == thread_id)
        await self._database.write(lambda connection: _run(connection, statement))

    async def cursor(self, bot_id: str, shard_id: int, shard_count: int) -> coordination_pb2.ShardCursor | None:
        """Where a shard's recorded events end."""
        query = select(cursors.c.cursor).where(
            cursors.c.bot_id == bot_id, cursors.c.shard_id == shard_id, cursors.c.shard_count == shard_count
        )
        data = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return coordination_pb2.ShardCursor.FromString(data) if data is not None else None

    async def ping(self) -> None:
        """Ask the database something; raises when it doesn't answer."""
        await self._database.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar_one())

    def _common_now(self, connection: Connection) -> float:
        return now_in(connection) if self._database.shared else self._now()

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)


def fence(database: Database, connection: Connection, entry: Entry) -> None:
    """See to it that an event is still this orchestrator's to answer, until the transaction ends.

    Raises:
        FencedError: another one answers it by now.
    """
    if database.shared:
        replicas.check(connection, partition_of(entry.lane), entry.epoch)


def _run(connection: Connection, statement: Any, parameters: Any = None) -> None:
    connection.execute(statement, parameters)


# Built once: building a statement costs as much as running it.
_START = (
    update(events)
    .where(
        events.c.id == bindparam("row"),
        events.c.finished_at.is_(None),
        or_(events.c.next_at.is_(None), events.c.next_at <= bindparam("now")),
    )
    .values(attempts=events.c.attempts + 1)
    .returning(events.c.payload, events.c.attempts, events.c.failures)
)
_WHY_NOT = (
    select(events.c.next_at, runs.c.result)
    .join_from(events, runs, runs.c.event == events.c.id, isouter=True)
    .where(events.c.id == bindparam("row"))
)
_UNFINISHED_IN = (
    select(events.c.id, events.c.lane, events.c.partition, events.c.alone)
    .where(
        events.c.finished_at.is_(None),
        events.c.id > bindparam("after"),
        events.c.partition.in_(bindparam("held", expanding=True)),
    )
    .order_by(events.c.id)
    .limit(bindparam("most"))
)
_POSTPONE = (
    update(events)
    .where(events.c.id == bindparam("row"))
    .values(failures=events.c.failures + 1, next_at=bindparam("at"))
)
_CLOSE = (
    update(events)
    .where(events.c.id == bindparam("row"))
    .values(status=bindparam("ended"), failures=events.c.failures + bindparam("failed"), finished_at=bindparam("at"))
)
_OF_THREAD = and_(checkpoints.c.thread_id == bindparam("thread"), checkpoints.c.namespace == bindparam("space"))
_CHECKPOINT = select(*(checkpoints.c[name] for name in Checkpoint.__slots__)).where(_OF_THREAD)
_CHECKPOINT_ID = select(checkpoints.c.checkpoint_id).where(_OF_THREAD)
_INSERT_EVENTS = PerEngine(
    lambda insert: insert(events).on_conflict_do_nothing().returning(events.c.id, events.c.lane, events.c.alone)
)


def _insert_events(connection: Connection, rows: list[dict[str, Any]]) -> list[Entry]:
    new: list[Entry] = []
    for start in range(0, len(rows), _LARGEST_INSERT):
        new += [
            Entry(row.id, row.lane, alone=row.alone)
            for row in connection.execute(_INSERT_EVENTS.on(connection), rows[start : start + _LARGEST_INSERT])
        ]
    return sorted(new, key=lambda entry: entry.id)


_REPLACE_RUN = replacing(runs, ["id"])
_REPLACE_CHECKPOINT = replacing(checkpoints, ["thread_id", "namespace"])
