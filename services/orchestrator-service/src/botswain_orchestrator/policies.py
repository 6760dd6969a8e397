"""Turn policies: what a message does that comes while its conversation is busy.

- `enqueue`: it waits; every message gets a turn of its own.
- `coalesce`: those that wait are answered together, by the turn of the newest.
- `interrupt`: the turn under way is ended; the newest message's turn answers for all.
- `reject`: it gets no answer.

A reaction has a turn of its own under every policy, and ends nobody's: it may be what somebody decided.

What was superseded stays in the ledger with the event that answers it, so a restart changes nothing; its text is part
of the conversation that the answering turn reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

from botswain_proto.v1 import orchestrator_pb2
from botswain_services.logs import get_logger
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from botswain_orchestrator.errors import FencedError, LedgerError, LedgerUnavailableError
from botswain_orchestrator.lanes import Lanes
from botswain_orchestrator.ledger import Database, Entry
from botswain_orchestrator.ledger.engines import reason_of
from botswain_orchestrator.ledger.superseding import supersede
from botswain_orchestrator.metrics import SUPERSEDED

log = get_logger(__name__)

TurnPolicy: TypeAlias = Literal["enqueue", "coalesce", "interrupt", "reject"]
Run: TypeAlias = Callable[[Entry], Awaitable[float | None]]
Finished: TypeAlias = Callable[[Entry, orchestrator_pb2.ProcessResponse], None]

LEDGER_PAUSE = 2.0
"""Seconds until a turn is tried again that the ledger's database could not be told of."""
_TOGETHER = "answered together with a later message of the conversation (TURN_POLICY)"
_REJECTED = "the conversation was busy (TURN_POLICY=reject)"


class Turnstile:
    """Lets entries have their turns by the policy.

    Args:
        run: runs the turn of one entry.
        finished: told the result of an entry that gets none.
    """

    def __init__(
        self, policy: TurnPolicy, database: Database, lanes: Lanes[Entry], *, run: Run, finished: Finished
    ) -> None:
        self._policy = policy
        self._database = database
        self._lanes = lanes
        self._run = run
        self._finished = finished
        self._rejecting: set[asyncio.Task[None]] = set()

    def admit(self, entry: Entry) -> bool:
        """Whether a new entry may stand in its lane; under `reject` it may not while the lane is busy."""
        if entry.alone or self._policy != "reject" or not self._lanes.busy(entry.lane):
            return True
        task = asyncio.get_running_loop().create_task(self._reject(entry), name=f"reject {entry.id}")
        self._rejecting.add(task)
        task.add_done_callback(self._rejecting.discard)
        return False

    async def run(self, entry: Entry) -> float | None:
        """Run the entry's turn, or leave it to a newer one; the seconds after which it is to be tried again, if so. Raises
        nothing but cancellation, which leaves the event to the next start.
        """
        try:
            return await self._by_policy(entry)
        except FencedError as error:
            # Whoever holds the lane now goes on from what is recorded.
            log.warning("turn_fenced", row=entry.id, lane=entry.lane, reason=str(error))
        except (LedgerUnavailableError, OperationalError) as error:
            log.error("turn_not_recorded", row=entry.id, lane=entry.lane, reason=reason_of(error))  # noqa: TRY400
            return LEDGER_PAUSE
        except SQLAlchemyError as error:
            # What the database refuses once it refuses again: the lane must go on.
            log.error("turn_not_recorded", row=entry.id, lane=entry.lane, reason=reason_of(error))  # noqa: TRY400
            self._finished(entry, _unrecorded(error))
        return None

    async def _by_policy(self, entry: Entry) -> float | None:
        if entry.alone or self._policy in ("enqueue", "reject"):
            return await self._run(entry)
        newer = self._lanes.newest(entry.lane, _may_answer_others)
        interrupts = self._policy == "interrupt"
        if newer is not None and await self._supersede(entry, newer, _TOGETHER, started=interrupts):
            return None
        return await (self._run_until_newer(entry) if interrupts else self._run(entry))

    async def close(self) -> None:
        """Wait for what is still to be written."""
        await asyncio.gather(*self._rejecting, return_exceptions=True)

    async def _run_until_newer(self, entry: Entry) -> float | None:
        turn = asyncio.ensure_future(self._run(entry))
        arrival = asyncio.ensure_future(self._lanes.arrival(entry.lane, _may_answer_others))
        try:
            await asyncio.wait({turn, arrival}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            turn.cancel()
            arrival.cancel()
            await asyncio.wait({turn, arrival})
        if not turn.cancelled():
            return turn.result()
        newer = self._lanes.newest(entry.lane, _may_answer_others)
        if newer is None:  # given back meanwhile: both have their turns after the next start
            return 0.0
        # A turn that was over all the same says so when it is run again.
        return None if await self._supersede(entry, newer, _TOGETHER, started=True) else 0.0

    async def _reject(self, entry: Entry) -> None:
        try:
            await self._supersede(entry, None, _REJECTED, started=False)
        except (LedgerError, SQLAlchemyError) as error:
            # It has its turn after the next start, as one that was recorded when the process was killed.
            log.error("event_not_rejected", row=entry.id, lane=entry.lane, reason=reason_of(error))  # noqa: TRY400

    async def _supersede(self, entry: Entry, by: Entry | None, reason: str, *, started: bool) -> bool:
        result = await supersede(self._database, entry, by=by, reason=reason, started=started)
        if result is None:
            return False
        SUPERSEDED.labels(self._policy).inc()
        log.info("event_superseded", event_id=result.event_id, correlation_id=result.correlation_id, reason=reason)
        self._finished(entry, result)
        return True


def _may_answer_others(entry: Entry) -> bool:
    return not entry.alone


def _unrecorded(error: Exception) -> orchestrator_pb2.ProcessResponse:
    return orchestrator_pb2.ProcessResponse(
        status=orchestrator_pb2.TURN_STATUS_FAILED,
        error=f"the ledger did not take it: {reason_of(error)}; the event's turn runs again after the next start",
    )
