"""One turn: a recorded event goes to the agent, and how that ended goes into the ledger. A turn that failed is tried
again, a few times; then its event is a dead letter. Whatever happens, the lane goes on.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Collection

from botswain_proto.v1 import event_pb2, orchestrator_pb2
from botswain_services.logs import bound, get_logger
from botswain_services.tracing import span
from google.protobuf.duration_pb2 import Duration

from botswain_orchestrator.agent.approvals import decision_in
from botswain_orchestrator.agent.catalog import NO_TOOLS, ToolCatalog, ToolSet
from botswain_orchestrator.agent.graph import Agent
from botswain_orchestrator.agent.journal import Journal
from botswain_orchestrator.agent.memory import LedgerSaver
from botswain_orchestrator.agent.turn import Turn
from botswain_orchestrator.errors import FencedError, OrchestratorError, ToolsUnavailableError
from botswain_orchestrator.events import reply_channel
from botswain_orchestrator.ids import run_id
from botswain_orchestrator.ledger import Entry, Ledger, Started
from botswain_orchestrator.ledger.approvals import Approval
from botswain_orchestrator.metrics import APPROVALS, DEAD_LETTERS, RETRIES, TURN_SECONDS, TURNS
from botswain_orchestrator.retries import Retries

log = get_logger(__name__)

PATIENCE_WITHOUT_CHANNEL = 5.0
"""Seconds that an event whose answer goes back to its caller waits for tools; it can do without."""


class TurnRunner:
    """Runs turns.

    Args:
        finished: told each event's result once it is recorded.
        timeout: longest time of a turn, in seconds.
        retries: how often, and when, a turn that failed is tried again.
        carried: the events that an entry's turn answers too.
        approvers: users who may approve tool calls; empty: the one for whom a call was to be made.
        chance: from 0 to 1, for the pauses.
    """

    def __init__(
        self,
        ledger: Ledger,
        agent: Agent,
        memory: LedgerSaver,
        catalog: ToolCatalog,
        *,
        finished: Callable[[Entry, orchestrator_pb2.ProcessResponse], None],
        timeout: float,
        retries: Retries,
        carried: Callable[[Entry], Awaitable[list[event_pb2.InternalEvent]]],
        approvers: Collection[str] = (),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._ledger = ledger
        self._agent = agent
        self._memory = memory
        self._catalog = catalog
        self._finished = finished
        self._timeout = timeout
        self._retries = retries
        self._carried = carried
        self._approvers = approvers
        self._chance = chance

    async def run(self, entry: Entry) -> float | None:
        """Answer one event; the seconds after which it is to be tried again, if so.

        Raises:
            FencedError, LedgerUnavailableError, SQLAlchemyError: the ledger didn't take how it went.
        """
        started = await self._ledger.start(entry)
        if isinstance(started, float):
            return started
        if isinstance(started, orchestrator_pb2.ProcessResponse):
            self._finished(entry, started)
            return None
        event = started.event
        run = run_id(event.bot_id, event.event_id)
        with (
            bound(correlation_id=event.correlation_id, event_id=event.event_id, run_id=run),
            span("turn", traceparent=event.traceparent, attributes={"run.id": run, "event.id": event.event_id}),
        ):
            began = time.perf_counter()
            try:
                turn, failure = await self._answer(started, run, entry)
            finally:
                checkpoint = self._memory.take(entry.lane)
            seconds = time.perf_counter() - began
            if failure is not None:
                pause = self._retries.pause(started.failures + 1, self._chance())
                if pause is not None:
                    return await self._postpone(entry, pause, failure, turn)
                checkpoint = None
            result = response(turn, seconds=seconds, error=failure)
            await self._ledger.finish(entry, result, checkpoint, turn.journal.take() if failure is not None else ())
            _note(result, seconds)
        self._finished(entry, result)
        return None

    async def _postpone(self, entry: Entry, pause: float, failure: str, turn: Turn) -> float:
        await self._ledger.postpone(entry, pause, turn.run_id, turn.journal.take())
        RETRIES.inc()
        log.warning("turn_to_be_tried_again", reason=failure, seconds=round(pause, 1))
        return pause

    async def _answer(self, started: Started, run: str, entry: Entry) -> tuple[Turn, str | None]:
        """The turn as far as it came, and why it came no further."""
        event = started.event
        loop = asyncio.get_running_loop()
        turn = Turn(event, run, NO_TOOLS, deadline=loop.time() + self._timeout)
        try:
            async with asyncio.timeout(self._timeout):
                done = await self._ledger.steps(run) if started.attempt > 1 else []
                turn.journal = Journal(functools.partial(self._ledger.record_steps, entry, run), done)
                if event.content_type == event_pb2.CONTENT_TYPE_REACTION:
                    turn.approval = await self._decided(entry, event, run)
                    if turn.approval is None:
                        return turn, None  # it decides nothing, and asks for no answer
                turn.carried = await self._carried(entry)
                turn.tools = await self._tools(event, turn)
                await self._agent.answer(turn, entry.lane)
        except TimeoutError:
            return turn, f"the turn took longer than {self._timeout:g} s (TURN_TIMEOUT_SECONDS)"
        except FencedError:
            raise
        except Exception as error:  # noqa: BLE001 - a turn that breaks, however it breaks, must not take its lane along
            if not isinstance(error, OrchestratorError):
                # Without the frames' variables, which could hold a key.
                log.error("turn_broke", traceback="".join(traceback.format_exception(error)))  # noqa: TRY400
            return turn, str(error) or type(error).__name__
        return turn, None

    async def _decided(self, entry: Entry, event: event_pb2.InternalEvent, run: str) -> Approval | None:
        """What a reaction decides, if anything."""
        decision = decision_in(event, run)
        if decision is None:
            return None
        approval = await self._ledger.decide(entry, decision, approvers=self._approvers)
        if approval is not None:
            outcome = approval.state.name.lower()
            APPROVALS.labels(outcome).inc()
            log.info("approval_decided", outcome=outcome, tool=approval.tool, user_id=decision.by)
        return approval

    async def _tools(self, event: event_pb2.InternalEvent, turn: Turn) -> ToolSet:
        """Without its tools an answer can't be delivered, so an event with a channel waits for them as long as it may."""
        if reply_channel(event):
            return await self._catalog.tools(event.bot_id, patience=0.9 * turn.seconds_left())
        try:
            return await self._catalog.tools(event.bot_id, patience=PATIENCE_WITHOUT_CHANNEL)
        except ToolsUnavailableError as error:
            log.warning("turn_without_tools", reason=str(error))
            return NO_TOOLS


def response(turn: Turn, *, seconds: float, error: str | None) -> orchestrator_pb2.ProcessResponse:
    """A turn's result, as callers get it and the ledger keeps it."""
    summaries = [
        orchestrator_pb2.ToolCallSummary(name=call.name, is_error=call.is_error, duration=duration(call.seconds))
        for call in turn.calls
    ]
    return orchestrator_pb2.ProcessResponse(
        correlation_id=turn.event.correlation_id,
        event_id=turn.event.event_id,
        run_id=turn.run_id,
        status=orchestrator_pb2.TURN_STATUS_FAILED if error is not None else orchestrator_pb2.TURN_STATUS_COMPLETED,
        response=turn.text,
        tool_calls=summaries,
        delivery=turn.delivery
        or (orchestrator_pb2.DELIVERY_AGENT if turn.delivered else orchestrator_pb2.DELIVERY_NONE),
        duration=duration(seconds),
        error=error or "",
    )


def duration(seconds: float) -> Duration:
    """Seconds as protobuf's Duration."""
    message = Duration()
    message.FromNanoseconds(int(seconds * 1e9))
    return message


def _note(result: orchestrator_pb2.ProcessResponse, seconds: float) -> None:
    status = orchestrator_pb2.TurnStatus.Name(result.status).removeprefix("TURN_STATUS_").lower()
    delivery = orchestrator_pb2.Delivery.Name(result.delivery).removeprefix("DELIVERY_").lower()
    TURNS.labels(status, delivery).inc()
    TURN_SECONDS.observe(seconds)
    fields = {"delivery": delivery, "tool_calls": len(result.tool_calls), "milliseconds": round(seconds * 1000, 1)}
    if result.error:
        DEAD_LETTERS.inc()
        log.error("turn_failed", reason=result.error, **fields)
    else:
        log.info("turn_completed", **fields)
