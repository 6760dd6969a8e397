"""Claims, cursors and permits as an orchestrator keeps them, in memory: what `CoordinationService` promises to a claimant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from botswain_proto.v1 import coordination_pb2_grpc
from botswain_proto.v1.coordination_pb2 import (
    ChannelMark,
    ClaimGranted,
    ClaimRequest,
    ClaimResponse,
    ClaimRevoked,
    ClaimStandby,
    ClaimStart,
    PermitIdentifyRequest,
    PermitIdentifyResponse,
    ShardCursor,
)
from botswain_proto.v1.orchestrator_pb2 import PublishRequest

RECONNECT_WINDOW = 0.3
"""Seconds a claimant may take to come back after its call ended without `release`."""


@dataclass
class Claimant:
    """One in line, or a holder, which has an epoch."""

    start: ClaimStart
    expires_at: float
    epoch: int = 0

    def overlaps(self, other: Claimant) -> bool:
        mine, theirs = self.start, other.start
        return mine.shard_count == theirs.shard_count and not set(mine.shard_ids).isdisjoint(theirs.shard_ids)


class Coordination(coordination_pb2_grpc.CoordinationServiceServicer):
    """Grants shards in the order they are asked for, and keeps what comes with batches."""

    def __init__(self, ttl: float = 2.0) -> None:
        self.ttl = ttl
        self.line: list[Claimant] = []
        self.last_epoch = 0
        self.grants: list[tuple[str, int]] = []
        self.cursors: dict[tuple[int, int], ShardCursor] = {}
        self.marks: dict[str, ChannelMark] = {}
        self.refusals: list[PermitIdentifyResponse] = []
        """Answers of the next PermitIdentify calls; permitted when there are none left."""
        self.permits: list[PermitIdentifyRequest] = []
        self._revoked: dict[str, str] = {}

    def revoke(self, claimant_id: str, reason: str) -> None:
        """Take a claim away."""
        self.line = [each for each in self.line if each.start.claimant_id != claimant_id]
        self._revoked[claimant_id] = reason

    def holder(self, shard_count: int, shard_id: int) -> Claimant | None:
        """Who holds a shard."""
        held = [each for each in self.line if each.epoch and each.start.shard_count == shard_count]
        return next((each for each in held if shard_id in each.start.shard_ids), None)

    def record(self, request: PublishRequest) -> bool:
        """Keep what a batch brings beside its events; True when its cursor is fenced."""
        for event in request.events:
            channel, message = event.source_channel_id, event.source_event_id
            known = self.marks.get(channel)
            if known is None or int(known.last_message_id) < int(message):
                mark = ChannelMark(channel_id=channel, last_message_id=message)
                if event.discord.guild_id:
                    mark.guild_id = event.discord.guild_id
                self.marks[channel] = mark
        if not request.HasField("cursor") or not request.epoch:
            return False
        cursor = request.cursor
        holder = self.holder(cursor.shard.count, cursor.shard.id)
        if holder is None or holder.epoch != request.epoch:
            return True
        place = (cursor.shard.count, cursor.shard.id)
        known_cursor = self.cursors.get(place)
        if known_cursor is not None and known_cursor.session_id == cursor.session_id:
            if known_cursor.seq > cursor.seq:
                return False
            if not cursor.HasField("state") and known_cursor.HasField("state"):
                cursor.state.CopyFrom(known_cursor.state)
        self.cursors[place] = cursor
        return False

    async def Claim(self, request_iterator: Any, context: Any) -> AsyncIterator[ClaimResponse]:  # noqa: N802 - gRPC's name
        responses: asyncio.Queue[ClaimResponse | None] = asyncio.Queue()
        first: ClaimRequest | None = await anext(aiter(request_iterator), None)
        if first is None:
            return
        name = first.start.claimant_id
        known = next((each for each in self.line if each.start.claimant_id == name), None)
        if known is None:
            self.line.append(Claimant(first.start, self._now() + self.ttl))
        else:
            known.expires_at = self._now() + self.ttl
        released = asyncio.Event()
        reading = asyncio.create_task(self._listen(request_iterator, name, responses, released))
        watching = asyncio.create_task(self._watch(name, responses))
        try:
            while (response := await responses.get()) is not None:
                yield response
        finally:
            for task in (reading, watching):
                task.cancel()
            if not released.is_set():
                for each in self.line:
                    if each.start.claimant_id == name:
                        each.expires_at = min(each.expires_at, self._now() + RECONNECT_WINDOW)

    async def PermitIdentify(self, request: PermitIdentifyRequest, context: Any) -> PermitIdentifyResponse:  # noqa: N802
        self.permits.append(request)
        return self.refusals.pop(0) if self.refusals else PermitIdentifyResponse(permitted=True)

    async def _listen(
        self, requests: Any, name: str, responses: asyncio.Queue[ClaimResponse | None], released: asyncio.Event
    ) -> None:
        async for request in requests:
            step = request.WhichOneof("step")
            if step == "release":
                released.set()
                self.line = [each for each in self.line if each.start.claimant_id != name]
                break
            for each in self.line:
                if each.start.claimant_id == name:
                    each.expires_at = self._now() + self.ttl
                    responses.put_nowait(ClaimResponse(renewed={}))
        responses.put_nowait(None)

    async def _watch(self, name: str, responses: asyncio.Queue[ClaimResponse | None]) -> None:
        """Say what changes for one claimant."""
        said: object = None
        while True:
            if reason := self._revoked.pop(name, None):
                responses.put_nowait(ClaimResponse(revoked=ClaimRevoked(reason=reason)))
                return
            self.line = [each for each in self.line if each.expires_at > self._now()]
            me = next((each for each in self.line if each.start.claimant_id == name), None)
            if me is not None and not me.epoch:
                me.expires_at = self._now() + self.ttl  # the open call keeps its place
                index = self.line.index(me)
                before = [
                    other for other in self.line if other is not me and other.overlaps(me)
                    and (other.epoch or self.line.index(other) < index)
                ]  # fmt: skip
                if not before:
                    self.last_epoch += 1
                    me.epoch = self.last_epoch
                    self.grants.append((name, me.epoch))
                elif said != len(before):
                    said = len(before)
                    standby = ClaimStandby(position=len(before), holder_id=before[0].start.claimant_id)
                    responses.put_nowait(ClaimResponse(standby=standby))
            if me is not None and me.epoch and said != "granted":
                said = "granted"
                responses.put_nowait(ClaimResponse(granted=self._grant(me)))
            await asyncio.sleep(0.002)

    def _grant(self, me: Claimant) -> ClaimGranted:
        places = [(me.start.shard_count, shard_id) for shard_id in me.start.shard_ids]
        granted = ClaimGranted(
            epoch=me.epoch,
            cursors=[self.cursors[place] for place in places if place in self.cursors],
            channels=self.marks.values(),
        )
        granted.ttl.FromMilliseconds(int(self.ttl * 1_000))
        return granted

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
