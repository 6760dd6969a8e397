"""`CoordinationService`: the calls.

An open `Claim` call keeps who stands in line there; who holds shards has to renew. Everything a call can wait for
comes through one queue: the claimant's messages, the end of its stream, the bell.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
from botswain_proto.v1 import coordination_pb2, coordination_pb2_grpc
from botswain_services.logs import get_logger

from botswain_orchestrator.coordination.claims import Claimant
from botswain_orchestrator.coordination.coordinator import Coordinator, Standing, View, checked_shards
from botswain_orchestrator.errors import LedgerUnavailableError
from botswain_orchestrator.events import unfit
from botswain_orchestrator.metrics import CLAIMS, IDENTIFIES

log = get_logger(__name__)

_SOON = 0.001
"""Seconds after a claim's end at which it is looked at again."""

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_Response = coordination_pb2.ClaimResponse


class _Inbox:
    """What a call waits for. None: the claimant ended its side."""

    def __init__(self, requests: AsyncIterator[coordination_pb2.ClaimRequest]) -> None:
        self._requests = requests
        self._queue: asyncio.Queue[coordination_pb2.ClaimRequest | str | None] = asyncio.Queue()

    def ring(self) -> None:
        """The line has changed, or this process is ending."""
        self._queue.put_nowait("")

    async def fill(self) -> None:
        """Read the claimant's messages until its stream ends or breaks."""
        try:
            async for request in self._requests:
                self._queue.put_nowait(request)
        finally:
            self._queue.put_nowait(None)

    async def next(self, timeout: float) -> coordination_pb2.ClaimRequest | str | None:
        """The next one; "" for the bell, and when the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                return await self._queue.get()
        return ""


class CoordinationServicer(coordination_pb2_grpc.CoordinationServiceServicer):
    """Serves a `Coordinator`."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    async def Claim(  # noqa: N802 - gRPC's name  # type: ignore[override]
        self, request_iterator: AsyncIterator[coordination_pb2.ClaimRequest], context: _Context
    ) -> AsyncIterator[coordination_pb2.ClaimResponse]:
        """Stand in line and hold shards. INVALID_ARGUMENT names the field; UNAVAILABLE: the claim stays as it is, call
        again.
        """
        inbox = _Inbox(request_iterator)
        reading = asyncio.create_task(inbox.fill(), name="claim reader")
        try:
            first = await inbox.next(self._coordinator.ttl)
            who = _standing(first)
            if isinstance(who, str):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, who)
            else:
                async for response in self._serve(who, inbox):
                    yield response
            if self._coordinator.draining.is_set():
                await context.abort(
                    grpc.StatusCode.UNAVAILABLE, "the orchestrator is ending; the claim stays as it is: call again"
                )
        except LedgerUnavailableError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AbortError):
                await reading

    async def _serve(self, who: Standing, inbox: _Inbox) -> AsyncIterator[_Response]:
        coordinator = self._coordinator
        ended = False
        with coordinator.bell(who.bot_id, inbox.ring):
            try:
                view = await coordinator.enter(who)
                async for response in self._talk(who, view, inbox):
                    yield response
                ended = True
            except _BrokenError:
                pass
            finally:
                if not ended:
                    log.info("claim_call_broke", bot_id=who.bot_id, claimant=who.claimant_id)
                    coordinator.hang_up(who)

    async def _talk(self, who: Standing, view: View, inbox: _Inbox) -> AsyncIterator[_Response]:
        """Tell the claimant where it stands, whenever that changes, until it leaves, its claim is over or this process
        ends.
        """
        epoch: int | None = None
        told: coordination_pb2.ClaimStandby | None = None
        fields = {"bot_id": who.bot_id, "claimant": who.claimant_id, "shards": list(who.shard_ids)}
        renewed = False
        while not self._coordinator.draining.is_set():
            mine = view.claims.find(who.claimant_id)
            if mine is None or mine.call != who.call or (epoch is not None and mine.epoch != epoch):
                reason = _why_over(mine, who)
                CLAIMS.labels("revoked").inc()
                log.warning("claim_revoked", reason=reason, **fields)
                yield _Response(revoked=coordination_pb2.ClaimRevoked(reason=reason))
                return
            if mine.epoch is None:
                standby = _standby(view, mine)
                if standby != told:
                    told = standby
                    yield _Response(standby=standby)
            elif epoch is None:
                epoch = mine.epoch
                CLAIMS.labels("granted").inc()
                log.info("claim_granted", epoch=epoch, **fields)
                yield _Response(granted=await self._coordinator.granted(who, epoch))
            if renewed:
                yield _Response(renewed=coordination_pb2.ClaimRenewed())
            item = await inbox.next(self._patience(view, mine))
            if item is None:
                raise _BrokenError
            renewed = not isinstance(item, str) and item.HasField("renew")
            if not isinstance(item, str) and item.HasField("release"):
                await self._coordinator.leave(who)
                CLAIMS.labels("released").inc()
                log.info("claim_released", epoch=epoch, **fields)
                return
            # A holder is heard from when it renews; who waits is heard from as long as its call is open.
            view = await (self._coordinator.renew(who) if renewed or epoch is None else self._coordinator.look(who))

    def _patience(self, view: View, mine: Claimant) -> float:
        """Seconds until something is over that matters here: the claim itself, or one that it waits for."""
        if mine.epoch is not None:
            return max(0.0, mine.expires_at - view.now) + _SOON
        ends = [other.expires_at - view.now for other in view.claims.blocking(mine)]
        return max(0.0, min([self._coordinator.ttl / 3, *ends])) + _SOON

    async def PermitIdentify(  # noqa: N802 - gRPC's name  # type: ignore[override]
        self, request: coordination_pb2.PermitIdentifyRequest, context: _Context
    ) -> coordination_pb2.PermitIdentifyResponse:
        """Answer at once whether a shard may IDENTIFY; when not, why, and when to ask again."""
        shard = request.shard
        problem = _named(request.bot_id, "bot_id") or checked_shards([shard.id], shard.count)
        if problem is not None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
        known = request.budget_total > 0
        seconds = request.budget_reset_after.ToNanoseconds() / 1e9
        try:
            answer = await self._coordinator.permit(
                request.bot_id,
                shard_id=shard.id,
                shard_count=shard.count,
                epoch=request.epoch,
                max_concurrency=request.max_concurrency,
                told=(request.budget_total, request.budget_remaining, seconds) if known else None,
            )
        except LedgerUnavailableError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        IDENTIFIES.labels("permitted" if answer.permitted else "refused").inc()
        fields = {"bot_id": request.bot_id, "shard_id": shard.id, "epoch": request.epoch}
        if answer.permitted:
            log.info("identify_permitted", **fields)
            return coordination_pb2.PermitIdentifyResponse(permitted=True)
        log.info("identify_refused", reason=answer.reason, seconds=round(answer.retry_after, 1), **fields)
        response = coordination_pb2.PermitIdentifyResponse(reason=answer.reason)
        response.retry_after.FromNanoseconds(int(answer.retry_after * 1e9))
        return response


class _BrokenError(Exception):
    """The claimant's side ended without a release."""


def _standing(first: coordination_pb2.ClaimRequest | str | None) -> Standing | str:
    """Who calls, or what is wrong with the first message."""
    if first is None or isinstance(first, str) or not first.HasField("start"):
        return "the first message must be `start`"
    start = first.start
    problem = (
        _named(start.bot_id, "bot_id")
        or _named(start.claimant_id, "claimant_id")
        or checked_shards(start.shard_ids, start.shard_count)
    )
    if problem is not None:
        return f"start: {problem}"
    return Standing(start.bot_id, start.claimant_id, start.shard_count, tuple(start.shard_ids), uuid.uuid4().hex)


def _named(value: str, name: str) -> str | None:
    return unfit(name, value) if value else f"{name} is empty"


def _standby(view: View, mine: Claimant) -> coordination_pb2.ClaimStandby:
    before = view.claims.blocking(mine)
    holders = [other.id for other in before if other.epoch is not None]
    waiting = sum(1 for other in before if other.epoch is None)
    return coordination_pb2.ClaimStandby(position=waiting + 1, holder_id=holders[0] if holders else "")


def _why_over(mine: Claimant | None, who: Standing) -> str:
    if mine is not None and mine.call != who.call:
        return "the claimant has opened another call"
    return "the claim was not renewed in time"
