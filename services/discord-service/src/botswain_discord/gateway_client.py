"""`GatewayClient`: hands events to the orchestrator, by whichever transport `GATEWAY_SERVICE_URL` names.

`send_event()` is fire-and-forget: it returns at once, and from then on the event is kept until the orchestrator has it. The
transport runs in one task beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Protocol

from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_services.logs import get_logger

from botswain_discord import metrics
from botswain_discord.claims import Holding
from botswain_discord.outbox import Outbox, Outgoing, Session
from botswain_discord.outbox_file import OutboxFile

IDS_PER_LINE = 100
CURSOR_TIMEOUT = 2.0
"""Seconds that `flush()` waits for a cursor alone: without it nothing is lost."""
log = get_logger(__name__)


class Transport(Protocol):
    """How events travel. It takes them from the outbox and settles each there."""

    def hold(self, holding: Holding) -> None:
        """Events handed over from now on are read under this claim."""

    async def run(self, outbox: Outbox) -> None:
        """Work until cancelled."""

    async def settle(self, outbox: Outbox) -> None:
        """Return once what goes with the events, cursors, is acknowledged too. Called with an empty outbox."""

    def unsettled(self) -> list[InternalEvent]:
        """What was taken from the outbox and not settled, in order."""

    async def problem(self) -> str | None:
        """Why events don't get through at present, in words; None when they do."""

    async def close(self) -> None:
        """Let go of connections. Called after `run` has ended."""


class GatewayClient:
    """The way to the orchestrator: an outbox and the transport that empties it."""

    def __init__(self, transport: Transport, *, outbox_limit: int, outbox_file: OutboxFile | None = None) -> None:
        self.outbox = Outbox(outbox_limit, outbox_file)
        self._transport = transport
        self._task: asyncio.Task[None] | None = None
        metrics.OUTBOX.set_function(lambda: self.outbox.depth)

    def start(self) -> asyncio.Task[None]:
        """Start forwarding. The task ends only when the client is closed, or by a defect, which it raises."""
        self._task = asyncio.create_task(self._transport.run(self.outbox), name="orchestrator-transport")
        return self._task

    def send_event(self, event: InternalEvent, session: Session | None = None, seq: int = 0) -> None:
        """Keep `event` until the orchestrator has it. Never waits; await `wait_for_room()` first.

        Args:
            event: what to send; not to be changed afterwards.
            session: the Discord session it came in, where there is one.
            seq: the number of the dispatch within the session.
        """
        self.outbox.put(Outgoing(event, session, seq))
        metrics.ACCEPTED.inc()

    def hold(self, holding: Holding) -> None:
        """Events sent from now on are read under this claim."""
        self._transport.hold(holding)

    @property
    def full(self) -> bool:
        """Whether events should wait at their source."""
        return self.outbox.full

    async def wait_for_room(self) -> None:
        """Return once an event may be sent."""
        await self.outbox.wait_for_room()

    async def flush(self) -> None:
        """Return once every event is settled, and the place up to which they were read is recorded."""
        await self.outbox.wait_until_empty()
        try:
            async with asyncio.timeout(CURSOR_TIMEOUT):
                await self._transport.settle(self.outbox)
        except TimeoutError:
            log.warning("cursor_not_acknowledged", reason="a RESUME will replay what is recorded already")

    async def problem(self) -> str | None:
        """Why events don't get through at present; None when they do."""
        return await self._transport.problem()

    async def close(self) -> None:
        """Stop forwarding. What is not settled by now is logged with its ids."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.outbox.close()
        rest = [*self._transport.unsettled(), *(outgoing.event for outgoing in self.outbox.drain())]
        if rest:
            metrics.UNDELIVERED.inc(len(rest))
            log_event_ids("events_not_acknowledged_at_shutdown", rest)
        await self._transport.close()


def log_event_ids(line: str, events: Iterable[InternalEvent], **more: object) -> None:
    """Log an error about events, with the id of every one of them."""
    ids = [event.event_id for event in events]
    for start in range(0, len(ids), IDS_PER_LINE):
        log.error(line, count=len(ids), event_ids=ids[start : start + IDS_PER_LINE], **more)
