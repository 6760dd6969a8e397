"""Events by HTTP: each is posted to the orchestrator's `/process`, which answers when the turn is over.

Events of one conversation go one after the other, conversations side by side. A post is tried three times when the orchestrator
can't be reached, times out or answers 5xx; a 4xx is final. An event that is given up on is logged with its ids.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import httpx
from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_services.auth import TokenIssuer
from botswain_services.errors import InvalidEventError
from botswain_services.events import from_proto, to_process_body
from botswain_services.logs import get_logger

from botswain_discord import metrics
from botswain_discord.claims import Holding
from botswain_discord.outbox import Outbox

TIMEOUT = 120.0
"""Seconds a turn may take."""
ATTEMPTS = 3
FIRST_DELAY, LONGEST_DELAY = 4.0, 10.0
"""Seconds between attempts: the first, doubled each time, up to the longest."""
SIDE_BY_SIDE = 64
"""Posts under way at once."""
PROBE_TIMEOUT = 1.5
log = get_logger(__name__)


def retry_delay(attempt: int) -> float | None:
    """Seconds to wait after failed attempt number `attempt` (from 1); None: give up."""
    return None if attempt >= ATTEMPTS else min(FIRST_DELAY * 2.0 ** (attempt - 1), LONGEST_DELAY)


class HttpTransport:
    """Posts events.

    Args:
        url: base of the orchestrator's HTTP API, from GATEWAY_SERVICE_URL.
        tokens: for the orchestrator.
        sleep: waits between attempts.
    """

    def __init__(
        self, url: str, tokens: TokenIssuer, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._url = url
        self._tokens = tokens
        self._sleep = sleep
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(TIMEOUT, connect=5.0),
            limits=httpx.Limits(max_connections=SIDE_BY_SIDE + 4, max_keepalive_connections=SIDE_BY_SIDE),
        )
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._lanes: dict[str, deque[InternalEvent]] = {}
        self._refused: str | None = None

    def hold(self, holding: Holding) -> None:
        """Nothing: a post carries no claim."""

    async def run(self, outbox: Outbox) -> None:
        """Take events as they come; one task a conversation works through its own."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for outgoing in await outbox.take(SIDE_BY_SIDE):
                    lane_id = outgoing.event.routing.conversation.conversation_id
                    lane = self._lanes.get(lane_id)
                    if lane is None:
                        lane = self._lanes[lane_id] = deque()
                        tasks.create_task(self._work(lane_id, lane, outbox), name=f"post {lane_id}")
                    lane.append(outgoing.event)

    async def settle(self, outbox: Outbox) -> None:
        """Nothing: there are no cursors."""

    def unsettled(self) -> list[InternalEvent]:
        """Events that wait in their conversation or are under way."""
        return [event for lane in self._lanes.values() for event in lane]

    async def problem(self) -> str | None:
        """Ask the orchestrator's `/health`; a refusal of the last event's token counts too."""
        try:
            response = await self._client.get(f"{self._url}/health", timeout=PROBE_TIMEOUT)
        except httpx.HTTPError as error:
            return f"{self._url} can't be reached: {_describe(error)}"
        return self._refused if response.is_success else f"{self._url}/health answered {response.status_code}"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _work(self, lane_id: str, lane: deque[InternalEvent], outbox: Outbox) -> None:
        while lane:
            async with self._slots:
                await self._deliver(lane[0])
            lane.popleft()
            outbox.settle(1)
        del self._lanes[lane_id]

    async def _deliver(self, event: InternalEvent) -> None:
        """Post one event until it is through or given up on; the log says which of the latter."""
        about = {"correlation_id": event.correlation_id, "event_id": event.event_id, "channel": event.source_channel_id}
        try:
            body = to_process_body(from_proto(event)).model_dump(mode="json")
        except InvalidEventError as error:
            metrics.REJECTED.inc()
            log.error("event_rejected", reason=str(error), **about)  # noqa: TRY400 - the message says it all
            return
        attempt = 0
        while True:
            attempt += 1
            failure, again = await self._post(body, event.traceparent)
            if failure is None:
                metrics.FORWARDED.inc()
                return
            delay = retry_delay(attempt) if again else None
            if delay is None:
                (metrics.UNDELIVERED if again else metrics.REJECTED).inc()
                log.error(
                    "event_not_delivered" if again else "event_rejected", reason=failure, attempts=attempt, **about
                )
                return
            log.warning("event_post_failed", reason=failure, attempt=attempt, next_attempt_in=delay, **about)
            await self._sleep(delay)

    async def _post(self, body: dict[str, object], traceparent: str) -> tuple[str | None, bool]:
        """One attempt: (None, _) when it is through, else (what went wrong, whether to try again)."""
        headers = self._tokens.header()
        if traceparent:
            headers["traceparent"] = traceparent
        try:
            response = await self._client.post(f"{self._url}/process", json=body, headers=headers)
        except httpx.HTTPError as error:
            return _describe(error), True
        self._refused = None
        if response.is_success:
            return None, False
        said = response.text[:500]
        if response.status_code == 401:
            self._refused = (
                f"the orchestrator refused this service's token ({said}): SERVICE_AUTH_SECRET must be the same in both"
            )
            return self._refused, False
        return f"the orchestrator answered {response.status_code}: {said}", response.status_code >= 500


def _describe(error: httpx.HTTPError) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
