"""`CoordinationService` over real gRPC: claims change hands, permits are given, cursors are fenced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from botswain_orchestrator.coordination.coordinator import Coordinator
from botswain_proto.v1 import coordination_pb2, coordination_pb2_grpc, event_pb2, orchestrator_pb2
from botswain_services.auth import TokenIssuer
from botswain_services.rpc import Peer, connect
from google.protobuf.duration_pb2 import Duration

from .conftest import BOT, DEADLINE, SECRET, FakeExecution, Orchestrator, message, running

pytestmark = pytest.mark.usefixtures("each_engine")


class Process:
    """A discord-service process: a channel and a claim call of its own."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        tokens = TokenIssuer(SECRET, issuer="discord-service", audience="orchestrator-service")
        self.peer: Peer = connect(f"grpc://127.0.0.1:{port}", tokens, variable="TEST")
        self.stub = coordination_pb2_grpc.CoordinationServiceStub(self.peer.channel)
        self.call: Any = None

    async def claim(self, *shards: int, count: int = 2) -> None:
        """Open the call."""
        self.call = self.stub.Claim(metadata=self.peer.metadata(), timeout=DEADLINE)
        start = coordination_pb2.ClaimStart(
            bot_id=BOT, claimant_id=self.name, shard_ids=shards or (0, 1), shard_count=count
        )
        await self.call.write(coordination_pb2.ClaimRequest(start=start))

    async def hears(self, kind: str) -> Any:
        """The next response, which has to be of that kind."""
        response = await self.call.read()
        assert response is not grpc.aio.EOF
        assert response.WhichOneof("state") == kind, response
        return getattr(response, kind)

    async def renew(self) -> None:
        await self.call.write(coordination_pb2.ClaimRequest(renew=coordination_pb2.ClaimRenew()))
        await self.hears("renewed")

    async def release(self) -> None:
        await self.call.write(coordination_pb2.ClaimRequest(release=coordination_pb2.ClaimRelease()))
        assert await self.call.read() is grpc.aio.EOF

    async def may_identify(self, shard: int = 0, **fields: Any) -> coordination_pb2.PermitIdentifyResponse:
        request = coordination_pb2.PermitIdentifyRequest(
            bot_id=BOT, shard=event_pb2.DiscordShard(id=shard, count=2), max_concurrency=1, **fields
        )
        return await self.stub.PermitIdentify(request, metadata=self.peer.metadata(), timeout=DEADLINE)

    async def publish(self, *events: event_pb2.InternalEvent, epoch: int, seq: int) -> orchestrator_pb2.PublishResponse:
        cursor = coordination_pb2.ShardCursor(
            shard=event_pb2.DiscordShard(id=0, count=2), session_id="session", seq=seq
        )
        return await publish(self.peer, events, cursor, epoch)

    async def die(self) -> None:
        """The connection goes, without a word."""
        await self.peer.close()


async def publish(peer: Peer, events: Any, cursor: Any, epoch: int) -> orchestrator_pb2.PublishResponse:
    from botswain_proto.v1 import orchestrator_pb2_grpc

    async def stream() -> AsyncIterator[orchestrator_pb2.PublishRequest]:
        yield orchestrator_pb2.PublishRequest(batch_id=1, bot_id=BOT, epoch=epoch, events=events, cursor=cursor)

    stub = orchestrator_pb2_grpc.OrchestratorServiceStub(peer.channel)
    (ack,) = [ack async for ack in stub.Publish(stream(), timeout=DEADLINE, metadata=peer.metadata())]
    return ack


@asynccontextmanager
async def processes(orchestrator: Orchestrator, *names: str) -> AsyncIterator[list[Process]]:
    """Some, closed at the end."""
    assert orchestrator.service.rpc is not None
    them = [Process(orchestrator.service.rpc.port, name) for name in names]
    try:
        yield them
    finally:
        for one in them:
            await one.peer.close()


class Clock:
    """The ledger's clock, stood still; moving it wakes whoever waits."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.now = 1_800_000_000.0
        self._coordinator = coordinator
        coordinator._now = lambda: self.now

    def move(self, seconds: float) -> None:
        self.now += seconds
        self._coordinator.ring(BOT)


async def test_a_release_hands_over_to_the_next_in_line(orchestrator: Orchestrator) -> None:
    """Three claimants; each hears where it stands, and the epoch grows with each grant."""
    async with processes(orchestrator, "a", "b", "c") as (a, b, c):
        await a.claim()
        assert (await a.hears("granted")).epoch == 1
        await b.claim()
        assert await b.hears("standby") == coordination_pb2.ClaimStandby(position=1, holder_id="a")
        await c.claim()
        assert await c.hears("standby") == coordination_pb2.ClaimStandby(position=2, holder_id="a")
        await a.release()
        assert (await b.hears("granted")).epoch == 2
        while (standby := await c.hears("standby")) != coordination_pb2.ClaimStandby(position=1, holder_id="b"):
            assert standby.position <= 2
        await b.renew()
        await b.release()
        assert (await c.hears("granted")).epoch == 3


async def test_disjoint_shards_are_held_side_by_side(orchestrator: Orchestrator) -> None:
    """Two processes share a bot's shards out."""
    async with processes(orchestrator, "a", "b") as (a, b):
        await a.claim(0)
        await a.hears("granted")
        await b.claim(1)
        await b.hears("granted")


async def test_after_a_broken_call_the_next_waits_for_the_window(orchestrator: Orchestrator) -> None:
    """The holder's connection breaks: it keeps its claim for the window, then the next has it."""
    clock = Clock(orchestrator.service.coordinator)
    async with processes(orchestrator, "a", "b") as (a, b):
        await a.claim()
        await a.hears("granted")
        await b.claim()
        await b.hears("standby")
        await a.die()
        expiry = await shortened(orchestrator, clock)
        assert expiry == clock.now + 2.0
        granted = asyncio.ensure_future(b.hears("granted"))
        clock.move(1.9)
        await orchestrator.service.ledger.ping()
        assert not granted.done()
        clock.move(0.2)
        assert (await granted).epoch == 2


async def shortened(orchestrator: Orchestrator, clock: Clock) -> float:
    """When the holder's claim ends, once its broken call was noticed."""
    from botswain_orchestrator.ledger import shards

    async with asyncio.timeout(DEADLINE):
        while True:
            claims, _ = await orchestrator.service._database.read(lambda connection: shards.load(connection, BOT))
            if claims.line[0].expires_at < clock.now + 9:
                return claims.line[0].expires_at
            await asyncio.sleep(0.005)


async def test_who_comes_back_in_time_keeps_its_epoch(orchestrator: Orchestrator) -> None:
    """A new connection under the old name, within the window; the next in line goes on waiting."""
    clock = Clock(orchestrator.service.coordinator)
    async with processes(orchestrator, "a", "b", "a") as (a, b, again):
        await a.claim()
        await a.hears("granted")
        await b.claim()
        await b.hears("standby")
        await a.die()
        await shortened(orchestrator, clock)
        clock.move(1.0)
        await again.claim()
        assert (await again.hears("granted")).epoch == 1
        clock.move(5.0)
        await again.renew()


async def test_a_holder_that_does_not_renew_loses_its_claim(orchestrator: Orchestrator) -> None:
    """It is told so; the next has the shards."""
    clock = Clock(orchestrator.service.coordinator)
    async with processes(orchestrator, "a", "b") as (a, b):
        await a.claim()
        granted = await a.hears("granted")
        await b.claim()
        await b.hears("standby")
        clock.move(5.0)
        await a.renew()  # also keeps b in line: the bell rang
        await orchestrator.service.ledger.ping()
        clock.move(granted.ttl.ToNanoseconds() / 1e9 + 0.1)
        assert (await a.hears("revoked")).reason == "the claim was not renewed in time"
        assert (await a.call.read()) is grpc.aio.EOF


async def test_a_second_call_of_a_claimant_ends_the_first(orchestrator: Orchestrator) -> None:
    """The first hears why; its end doesn't touch the claim."""
    async with processes(orchestrator, "a", "a") as (first, second):
        await first.claim()
        await first.hears("granted")
        await second.claim()
        assert (await second.hears("granted")).epoch == 1
        assert (await first.hears("revoked")).reason == "the claimant has opened another call"
        await second.renew()


async def test_a_restart_of_the_orchestrator_costs_no_claim(tmp_path: Path, execution: FakeExecution) -> None:
    """The holder comes back after a long outage, before the next in line, and has its epoch; cursors are told again."""
    async with running(tmp_path, execution.port) as first, processes(first, "a") as (a,):
        await a.claim()
        await a.hears("granted")
        ack = await a.publish(message("say one"), epoch=1, seq=5)
        assert not ack.fenced
        ending = asyncio.ensure_future(first.end())
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await a.hears("granted")
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        await ending
        later = time.time() + 3600

    async with running(tmp_path, execution.port) as second, processes(second, "b", "a") as (b, a):
        second.service.coordinator._now = lambda: later
        await second.service.coordinator.start()  # as if this start had come an hour later
        await b.claim()
        assert (await b.hears("standby")).holder_id == "a"
        await a.claim()
        granted = await a.hears("granted")
        assert granted.epoch == 1
        assert [cursor.seq for cursor in granted.cursors] == [5]


async def test_only_the_holder_moves_the_cursor_and_everybody_may_record(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """A holder that lost its claim hands in what it read: recorded and answered, but the cursor stays the new one's."""
    async with processes(orchestrator, "a", "b") as (a, b):
        await a.claim()
        await a.hears("granted")
        await b.claim()
        await b.hears("standby")
        await a.release()
        await b.hears("granted")
        late = await a.publish(message("say late"), epoch=1, seq=900)
        good = await b.publish(message("say good"), epoch=2, seq=7)
        unclaimed = await b.publish(message("say more"), epoch=0, seq=800)
        assert [(ack.recorded, ack.fenced) for ack in (late, good, unclaimed)] == [(1, True), (1, False), (1, True)]
        await execution.wait_for_calls(3)
        cursor = await orchestrator.service.ledger.cursor(BOT, 0, 2)
        assert cursor is not None
        assert cursor.seq == 7


async def test_a_grant_tells_cursors_and_the_newest_message_of_each_channel(orchestrator: Orchestrator) -> None:
    """Newest channel first; only the claimed shards' cursors."""
    one, two, three = message("say 1", channel="11"), message("say 2", channel="22"), message("say 3", channel="11")
    two.discord.guild_id = "77"
    async with processes(orchestrator, "a", "b") as (a, b):
        assert not (await a.publish(one, two, three, epoch=0, seq=4)).fenced
        await a.publish(one, epoch=0, seq=4)
        await a.claim(0)
        granted = await a.hears("granted")
        assert [(cursor.shard.id, cursor.seq) for cursor in granted.cursors] == [(0, 4)]
        assert [(mark.channel_id, mark.last_message_id) for mark in granted.channels] == [
            ("11", three.source_event_id),
            ("22", two.source_event_id),
        ]
        assert granted.channels[1].guild_id == "77"
        assert not granted.channels[0].HasField("guild_id")
        await b.claim(1)
        assert list((await b.hears("granted")).cursors) == []


async def test_identifies_are_permitted_one_by_one(orchestrator: Orchestrator) -> None:
    """The second shard of a bucket is told when to ask again; an epoch that is over gets no permit."""
    clock = Clock(orchestrator.service.coordinator)
    async with processes(orchestrator, "a") as (a,):
        await a.claim()
        await a.hears("granted")
        assert (await a.may_identify(0, epoch=1)).permitted
        refused = await a.may_identify(1, epoch=1)
        assert not refused.permitted
        assert refused.retry_after.ToNanoseconds() == 5_000_000_000
        clock.move(5.0)
        assert (await a.may_identify(1, epoch=1)).permitted
        over = await a.may_identify(0, epoch=7)
        assert not over.permitted
        assert "epoch 7 of shard 0 of 2 is over (it is held under epoch 1)" in over.reason


async def test_permits_are_remembered_across_restarts(tmp_path: Path, execution: FakeExecution) -> None:
    """Discord's older word on the budget doesn't bring back what was given; the reserve is kept."""
    answers = []
    for hour in range(2):
        async with running(tmp_path, execution.port) as orchestrator, processes(orchestrator, "a") as (a,):
            now = 1e9 + 3600 * hour
            orchestrator.service.coordinator._now = lambda now=now: now
            answers.append(
                await a.may_identify(
                    epoch=0,
                    budget_total=1000,
                    budget_remaining=101,
                    budget_reset_after=Duration(seconds=50_000 - 3600 * hour),
                )
            )
    assert [answer.permitted for answer in answers] == [True, False]
    assert answers[1].reason.startswith("100 of 1000 IDENTIFYs are left today")


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        (coordination_pb2.ClaimRequest(renew=coordination_pb2.ClaimRenew()), "must be `start`"),
        ({"claimant_id": "a", "shard_ids": [0], "shard_count": 1}, "bot_id is empty"),
        (
            {"bot_id": "1", "claimant_id": "a", "shard_ids": [2], "shard_count": 2},
            "shard_ids has 2, but shard_count is 2",
        ),
        ({"bot_id": "1", "claimant_id": "a", "shard_count": 2}, "shard_ids is empty"),
    ],
)
async def test_a_wrong_start_is_refused_in_words(orchestrator: Orchestrator, first: Any, complaint: str) -> None:
    """INVALID_ARGUMENT names the field."""
    async with processes(orchestrator, "a") as (a,):
        call = a.stub.Claim(metadata=a.peer.metadata(), timeout=DEADLINE)
        request = (
            coordination_pb2.ClaimRequest(start=coordination_pb2.ClaimStart(**first))
            if isinstance(first, dict)
            else first
        )
        await call.write(request)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert complaint in (refused.value.details() or "")
