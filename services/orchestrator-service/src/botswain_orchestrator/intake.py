"""Events come in: checked, recorded once, and put into their lanes in the order in which they were recorded."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from botswain_proto.v1 import coordination_pb2, event_pb2, orchestrator_pb2
from botswain_services.logs import get_logger

from botswain_orchestrator.errors import DrainingError
from botswain_orchestrator.events import MAX_ID, check, lane_of, unfit
from botswain_orchestrator.lanes import Lanes
from botswain_orchestrator.ledger import Entry, Ledger, Recording
from botswain_orchestrator.metrics import EVENTS
from botswain_orchestrator.ownership import Desk, Owner

log = get_logger(__name__)

_DRAINING = "the orchestrator is ending; send the event again"
_LATER = "the orchestrator is ending; the event is recorded and will be answered after the next start"

_LOOK_AGAIN = 0.25
"""Seconds between two looks for the result of a turn that another orchestrator may run."""

_Waiter: TypeAlias = "asyncio.Future[orchestrator_pb2.ProcessResponse]"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch."""

    recorded: int
    duplicates: int
    rejected: list[tuple[str, str]]
    """Event ids and the reasons why they can't be recorded."""
    fenced: bool = False
    """The cursor was not recorded: the batch's claim is over."""


class Intake:
    """Records events; puts those of this orchestrator into their lanes; tells who waits how their turns ended.

    Args:
        ledger: records.
        lanes: run turns.
        own: makes the owner that says which events are this orchestrator's, given where to deliver them.
        shared: other orchestrators may answer what is recorded here.
        admit: asked of each new event, in order; False: it is not to have a turn, and whoever says so ends it.
    """

    def __init__(
        self,
        ledger: Ledger,
        lanes: Lanes[Entry],
        *,
        own: Callable[[Desk], Owner],
        shared: bool = False,
        admit: Callable[[Entry], bool] = lambda _: True,
    ) -> None:
        self._ledger = ledger
        self._lanes = lanes
        self._shared = shared
        self._admit = admit
        self._waiters: defaultdict[int, list[_Waiter]] = defaultdict(list)
        self.draining = asyncio.Event()
        self.owner = own(self)

    async def take(
        self,
        batch: Iterable[event_pb2.InternalEvent],
        *,
        bot_id: str,
        cursor: coordination_pb2.ShardCursor | None,
        epoch: int = 0,
    ) -> Taken:
        """Record what can be recorded of a batch, with its cursor; their turns run afterwards, on their own."""
        good: list[tuple[str, event_pb2.InternalEvent]] = []
        rejected: list[tuple[str, str]] = []
        for event in batch:
            event.bot_id = event.bot_id or bot_id
            reason = check(event, bot_id=bot_id)
            if reason is None:
                good.append((lane_of(event), event))
            else:
                rejected.append((event.event_id[:MAX_ID], reason))
                log.warning(
                    "event_rejected",
                    event_id=event.event_id[:MAX_ID],
                    correlation_id=event.correlation_id[:MAX_ID],
                    reason=reason,
                )
        if cursor is not None and (reason := _unrecordable(cursor, bot_id)) is not None:
            rejected.append(("", f"cursor: {reason}; the cursor was not recorded"))
            log.warning("cursor_rejected", bot_id=bot_id[:MAX_ID], shard_count=cursor.shard.count, reason=reason)
            cursor = None
        recording = Recording([], 0)
        if good or cursor is not None:
            recording = await self._ledger.record(
                good, bot_id=bot_id, epoch=epoch, cursor=cursor, committed=self._recorded
            )
        EVENTS.labels("recorded").inc(len(recording.new))
        EVENTS.labels("duplicate").inc(recording.duplicates)
        EVENTS.labels("rejected").inc(len(rejected))
        if recording.fenced:
            log.warning("cursor_fenced", bot_id=bot_id, epoch=epoch)
        return Taken(len(recording.new), recording.duplicates, rejected, recording.fenced)

    async def process(self, event: event_pb2.InternalEvent) -> orchestrator_pb2.ProcessResponse:
        """Record one event that `check()` passed, and wait until its turn is over.

        An event that was recorded before isn't answered again: its first result comes back as a duplicate's,
        once there is one.

        Raises:
            DrainingError: the process is ending. What was recorded is answered after the next start.
        """
        if self.draining.is_set():
            raise DrainingError(_DRAINING)
        waiter: _Waiter = asyncio.get_running_loop().create_future()

        def recorded(recording: Recording) -> None:
            for entry in recording.new:
                self._waiters[entry.id].append(waiter)
            self._recorded(recording)

        recording = await self._ledger.record([(lane_of(event), event)], committed=recorded)
        EVENTS.labels("recorded" if recording.new else "duplicate").inc()
        if recording.new:
            return await self._result(event, waiter)
        return _as_duplicate(await self._first_result(event, waiter))

    async def _result(self, event: event_pb2.InternalEvent, waiter: _Waiter) -> orchestrator_pb2.ProcessResponse:
        """What the turn comes to; looked for in the ledger too, where another orchestrator may run it."""
        while self._shared:
            await asyncio.wait({waiter}, timeout=_LOOK_AGAIN)
            if waiter.done():
                break
            receipt = await self._ledger.receipt(event.bot_id, event.event_id)
            if receipt is not None and receipt.result is not None:
                return receipt.result
            if self.draining.is_set():
                raise DrainingError(_LATER)
        return await waiter

    async def _first_result(self, event: event_pb2.InternalEvent, waiter: _Waiter) -> orchestrator_pb2.ProcessResponse:
        receipt = await self._ledger.receipt(event.bot_id, event.event_id)
        if receipt is not None and receipt.result is None:
            self._waiters[receipt.entry.id].append(waiter)
            # Its turn may have ended between the look and the wait.
            receipt = await self._ledger.receipt(event.bot_id, event.event_id)
        if receipt is None:
            raise DrainingError(_DRAINING)
        if receipt.result is not None:
            return receipt.result
        if self.draining.is_set():
            raise DrainingError(_LATER)
        return await self._result(event, waiter)

    def finished(self, entry: Entry, result: orchestrator_pb2.ProcessResponse) -> None:
        """Tell those who wait for `entry`."""
        for waiter in self._waiters.pop(entry.id, ()):
            if not waiter.done():
                waiter.set_result(result)

    def drain(self) -> None:
        """Take nothing new, start no turn; those who wait for a turn that didn't start are told so."""
        self.draining.set()
        self._given_back(self._lanes.close())
        self.owner.leave()

    def _recorded(self, recording: Recording) -> None:
        self.owner.recorded(recording.new)

    def deliver(self, entry: Entry, *, fresh: bool) -> None:
        """Put an event into its lane, unless it is new and not admitted."""
        if fresh and not self._admit(entry):
            self.owner.done(entry)
        elif not self._lanes.put(entry.lane, entry):
            self._given_back([entry])

    def withdraw(self, matches: Callable[[str], bool]) -> None:
        """Take back what waits in some lanes: another orchestrator answers it."""
        self._given_back(self._lanes.withdraw(lambda lane: matches(str(lane))))

    def _given_back(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.postpone(entry)
            self.owner.done(entry)

    def postpone(self, entry: Entry) -> None:
        """The event's turn comes after the next start, or is another orchestrator's; who waits for it here is told, unless
        the latter may be.
        """
        if self._shared and not self.draining.is_set():
            return
        for waiter in self._waiters.pop(entry.id, ()):
            if not waiter.done():  # else its caller went away
                waiter.set_exception(DrainingError(_LATER))


def _unrecordable(cursor: coordination_pb2.ShardCursor, bot_id: str) -> str | None:
    if not (bot_id and cursor.shard.count > 0 and cursor.session_id):
        return "bot_id, shard.count or session_id is not set"
    return unfit("bot_id", bot_id) or unfit("session_id", cursor.session_id)


def _as_duplicate(result: orchestrator_pb2.ProcessResponse) -> orchestrator_pb2.ProcessResponse:
    duplicate = orchestrator_pb2.ProcessResponse()
    duplicate.CopyFrom(result)
    duplicate.status = orchestrator_pb2.TURN_STATUS_DUPLICATE
    return duplicate
