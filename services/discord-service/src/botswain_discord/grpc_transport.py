"""Events by gRPC: one `Publish` stream for the process, batches on it, each kept until it is acknowledged.

When the stream breaks, a new one is opened and every batch that was not acknowledged goes again, in the same order; the
orchestrator records each event once, by its id. A stream begins with an empty batch: its acknowledgement proves that the whole
way is open, credentials included, before the first event comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import grpc
from botswain_proto.v1 import orchestrator_pb2_grpc
from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_proto.v1.orchestrator_pb2 import PublishRequest, PublishResponse, RejectedEvent
from botswain_services.auth import TokenIssuer
from botswain_services.logs import get_logger
from botswain_services.rpc import Peer, connect

from botswain_discord import metrics
from botswain_discord.claims import Holding
from botswain_discord.cursors import INTERVAL, Cursors, Place, make_cursor
from botswain_discord.outbox import Outbox, Outgoing

MAX_BATCH_EVENTS = 256
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_UNACKNOWLEDGED = 32
"""Batches; more wait in the outbox. It bounds what is sent again after a break."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 2.0
"""Seconds between two streams."""
log = get_logger(__name__)

PublishCall: TypeAlias = grpc.aio.StreamStreamCall[PublishRequest, PublishResponse]


def make_batches(taken: Iterable[Outgoing], bot_id: str) -> list[PublishRequest]:
    """Requests for events in order of arrival: one shard's events each, within the limits of size.

    Order holds within a shard, and so within a channel. The cursor is the last event's place, where that is known.
    """
    requests: list[PublishRequest] = []
    last: dict[int | None, tuple[PublishRequest, int]] = {}  # by shard: the request that is being filled, its size
    for event, session, seq in taken:
        shard = session.shard_id if session else None
        size = event.ByteSize()
        request, filled = last.get(shard, (None, 0))
        if (
            request is None
            or filled + size > MAX_BATCH_BYTES
            or _other_session(request, session and session.session_id)
        ):
            request, filled = PublishRequest(bot_id=bot_id), 0
            requests.append(request)
        request.events.append(event)
        if session is not None and seq:
            if not request.HasField("cursor"):
                request.cursor.CopyFrom(make_cursor(session, seq))
            request.cursor.seq = seq
        last[shard] = (request, filled + size)
    for request in requests:
        if request.HasField("cursor"):
            request.cursor.updated_at.GetCurrentTime()
    return requests


def _other_session(request: PublishRequest, session_id: str | None) -> bool:
    return request.HasField("cursor") and request.cursor.session_id != session_id


class GrpcTransport:
    """Keeps one `Publish` stream open and events flowing on it.

    Args:
        url: `grpc(s)://host:port`, or several IP addresses of replicas, from GATEWAY_SERVICE_URL.
        tokens: for the orchestrator.
        bot_id: named in every batch.
        sleep: waits between two streams.

    Raises:
        SettingsError: `url` is of another form.
    """

    def __init__(
        self, url: str, tokens: TokenIssuer, bot_id: str, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self.peer: Peer = connect(url, tokens, variable="GATEWAY_SERVICE_URL")
        self._publish = orchestrator_pb2_grpc.OrchestratorServiceStub(self.peer.channel).Publish
        self._bot_id = bot_id
        self._sleep = sleep
        self._unacknowledged: deque[PublishRequest] = deque()
        self._space = asyncio.Event()
        self.on_fenced: Callable[[int], None] = lambda _epoch: None
        """Told of the epoch whose cursor the orchestrator didn't take."""
        self.places: Callable[[], Iterable[Place]] = lambda: ()
        """Where the shards stand: what they have read up to there is in the outbox, or was taken from it."""
        self._holding: Holding | None = None
        self._epoch_said = 0
        self._cursors = Cursors()
        self._urgent = False
        self._progress = asyncio.Event()
        self._problem: str | None = "not connected yet"
        self._failures = 0

    def hold(self, holding: Holding) -> None:
        """Batches made from now on carry this claim's epoch; those made before keep theirs."""
        self._holding = holding
        self._cursors.forget()

    async def settle(self, outbox: Outbox) -> None:
        """Return once the orchestrator has acknowledged everything, and where the shards stand now."""
        self._urgent = True
        try:
            while self._unacknowledged or (self._epoch and self._cursors.pending(self.places())):
                self._progress.clear()
                outbox.nudge()
                await self._progress.wait()
        finally:
            self._urgent = False

    async def run(self, outbox: Outbox) -> None:
        """Work until cancelled, one stream after the other."""
        while True:
            try:
                await self._stream(outbox)
                self._broke("the orchestrator ended the stream")
            except grpc.aio.AioRpcError as error:
                self._broke(_explain(error))
            await self._sleep(backoff(self._failures))

    def unsettled(self) -> list[InternalEvent]:
        """Events sent and not acknowledged."""
        return [event for request in self._unacknowledged for event in request.events]

    async def problem(self) -> str | None:
        """Why the stream isn't open."""
        return self._problem

    async def close(self) -> None:
        """Close the channel."""
        await self.peer.close()

    async def _stream(self, outbox: Outbox) -> None:
        """One stream's life: returns when the orchestrator ends it, raises when it breaks."""
        metrics.PUBLISH_STREAMS.inc()
        opening = PublishRequest(bot_id=self._bot_id)
        self._unacknowledged = deque(
            (opening, *(request for request in self._unacknowledged if request.events or request.HasField("cursor")))
        )
        for number, request in enumerate(self._unacknowledged, 1):
            request.batch_id = number
        call = self._publish(metadata=self.peer.metadata())
        writing = asyncio.create_task(self._write(call, outbox), name="publish-writer")
        try:
            while isinstance(response := await call.read(), PublishResponse):  # else EOF
                self._acknowledged(response, outbox)
        finally:
            writing.cancel()
            await asyncio.wait({writing})
            call.cancel()
        if not writing.cancelled():
            writing.result()  # a defect, if it has ended by itself: what breaks the stream is the reader's to tell

    async def _write(self, call: PublishCall, outbox: Outbox) -> None:
        number = len(self._unacknowledged)
        requests = list(self._unacknowledged)
        while True:
            for request in requests:
                try:
                    await call.write(request)
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError):  # the stream is over
                    return
            while len(self._unacknowledged) >= MAX_UNACKNOWLEDGED:
                self._space.clear()
                await self._space.wait()
            requests = await self._next_requests(outbox)
            for request in requests:
                number += 1
                request.batch_id = number
            self._unacknowledged.extend(requests)

    @property
    def _epoch(self) -> int:
        return self._holding.epoch if self._holding else 0

    async def _next_requests(self, outbox: Outbox) -> list[PublishRequest]:
        """Wait for events, or for cursors to be due."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await outbox.wait_for_some()
            requests = make_batches(outbox.take_now(MAX_BATCH_EVENTS), self._bot_id)
            epoch = self._epoch
            if epoch != self._epoch_said:
                self._cursors.forget()
                self._epoch_said = epoch
            if epoch and not outbox.waiting:
                now = asyncio.get_running_loop().time()
                self._cursors.add(requests, self.places(), bot_id=self._bot_id, now=now, urgent=self._urgent)
            for request in requests:
                request.epoch = epoch
            if requests:
                return requests

    def _acknowledged(self, response: PublishResponse, outbox: Outbox) -> None:
        if not self._unacknowledged or self._unacknowledged[0].batch_id != response.batch_id:
            expected = self._unacknowledged[0].batch_id if self._unacknowledged else None
            log.error("acknowledgement_out_of_order", batch_id=response.batch_id, expected=expected)
            return
        request = self._unacknowledged.popleft()
        self._space.set()
        self._progress.set()
        outbox.settle(len(request.events))
        metrics.FORWARDED.inc(len(request.events) - len(response.rejected))
        if response.fenced:
            log.warning("cursor_fenced", epoch=request.epoch)
            self.on_fenced(request.epoch)
        if response.rejected:
            _log_rejected(response.rejected)
        if self._problem is not None:
            log.info("orchestrator_connected", failures=self._failures, to_send_again=len(self.unsettled()))
            self._problem = None
            self._failures = 0

    def _broke(self, problem: str) -> None:
        """Log the first break of an outage, and each time its reason changes."""
        self._failures += 1
        if problem != self._problem:
            log.warning("orchestrator_unreachable", reason=problem, unacknowledged=len(self.unsettled()))
        self._problem = problem


def backoff(failures: int) -> float:
    """Seconds before the next stream after `failures` in a row; half of it is random, so that processes spread."""
    longest = min(FIRST_BACKOFF * 2.0 ** min(failures - 1, 16), LONGEST_BACKOFF)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - spreading load, not secrets


def _log_rejected(rejected: Iterable[RejectedEvent]) -> None:
    for event in rejected:
        metrics.REJECTED.inc()
        log.error("event_rejected", event_id=event.event_id, reason=event.reason)


def _explain(error: grpc.aio.AioRpcError) -> str:
    details = error.details() or "no details"
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        return (
            f"the orchestrator refused this service's token ({details}): SERVICE_AUTH_SECRET must be the same in both"
        )
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return f"what answers at GATEWAY_SERVICE_URL is not an orchestrator ({details})"
    return f"{error.code().name}: {details}"
