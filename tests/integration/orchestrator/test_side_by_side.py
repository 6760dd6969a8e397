"""Several orchestrators on one PostgreSQL database: each conversation is one's, and somebody's whatever happens."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botswain_orchestrator.ledger.partitions import PARTITIONS, partition_of
from botswain_orchestrator.ownership import SharedOwner
from botswain_proto.v1 import coordination_pb2, event_pb2, execution_pb2, orchestrator_pb2, orchestrator_pb2_grpc
from botswain_services.auth import TokenIssuer
from botswain_services.rpc import connect
from postgres import running_postgres

from . import conftest
from .conftest import BOT, DEADLINE, SECRET, FakeExecution, Orchestrator, message, running, until
from .process import line_of, start
from .test_coordination import processes


@pytest.fixture(autouse=True)
def _shared(own_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conftest._databases, tmp_path, own_database)


def partitions(orchestrator: Orchestrator) -> set[int]:
    """Those that it holds, and isn't about to give away."""
    owner = orchestrator.service._intake.owner
    assert isinstance(owner, SharedOwner)
    return {number for number, held in owner._held.items() if not held.giving}


def channels_of(orchestrator: Orchestrator, count: int) -> list[str]:
    """Channels whose conversations it answers."""
    held = partitions(orchestrator)
    found = (str(channel) for channel in range(1000, 100_000) if partition_of(f"discord:{BOT}:{channel}") in held)
    return [next(found) for _ in range(count)]


async def settled(*orchestrators: Orchestrator) -> None:
    """Wait until they have shared everything out evenly."""
    share = PARTITIONS // len(orchestrators)
    await until(lambda: all(len(partitions(one)) == share for one in orchestrators))


async def publish(orchestrator: Orchestrator, *events: event_pb2.InternalEvent) -> None:
    async def requests() -> AsyncIterator[orchestrator_pb2.PublishRequest]:
        for number, event in enumerate(events, 1):
            yield orchestrator_pb2.PublishRequest(batch_id=number, bot_id=BOT, events=[event])

    acks = [ack.recorded async for ack in orchestrator.publish(requests())]
    assert acks == [1] * len(events)


async def test_conversations_are_shared_out(tmp_path: Path, execution: FakeExecution) -> None:
    """Whoever records a message, the conversation's own orchestrator answers it, once and in order."""
    async with running(tmp_path, execution.port) as first, running(tmp_path, execution.port) as second:
        await settled(first, second)
        assert partitions(first).isdisjoint(partitions(second))
        channels = channels_of(first, 3) + channels_of(second, 3)
        events = [message(f"say {number}", channel=channel) for number in range(20) for channel in channels]
        await asyncio.gather(publish(first, *events[: len(events) // 2]))
        await asyncio.gather(publish(second, *events[len(events) // 2 :]))
        await execution.wait_for_calls(len(events))
    for channel in channels:
        assert [text for to, text in execution.sent() if to == channel] == [str(number) for number in range(20)]
    assert len(execution.sent()) == len(events)


async def test_events_recorded_through_both_at_once_are_answered_once(tmp_path: Path, execution: FakeExecution) -> None:
    """As while a bot is re-sharded: two shard sets publish the same messages, in the same order within a channel."""
    async with running(tmp_path, execution.port) as first, running(tmp_path, execution.port) as second:
        await settled(first, second)
        channels = channels_of(first, 4) + channels_of(second, 4)
        events = [message(f"say {number}", channel=channel) for number in range(15) for channel in channels]
        mirrored = [e for number in range(15) for e in reversed(events[8 * number : 8 * number + 8])]

        async def both(orchestrator: Orchestrator, mine: list[event_pb2.InternalEvent]) -> int:
            batches = [mine[start : start + 4] for start in range(0, len(mine), 4)]

            async def requests() -> AsyncIterator[orchestrator_pb2.PublishRequest]:
                for number, batch in enumerate(batches, 1):
                    yield orchestrator_pb2.PublishRequest(batch_id=number, bot_id=BOT, events=batch)

            return sum([ack.recorded async for ack in orchestrator.publish(requests())])

        assert sum(await asyncio.gather(both(first, events), both(second, mirrored))) == len(events)
        await execution.wait_for_calls(len(events))
    for channel in channels:
        assert [text for to, text in execution.sent() if to == channel] == [str(number) for number in range(15)]


async def test_a_caller_gets_its_answer_from_whoever_gives_it(tmp_path: Path, execution: FakeExecution) -> None:
    """`Process` at an orchestrator that doesn't answer the conversation; a repetition is a duplicate at both."""
    async with running(tmp_path, execution.port) as first, running(tmp_path, execution.port) as second:
        await settled(first, second)
        event = message("say hello", channel=channels_of(second, 1)[0])
        answer = await first.process(event)
        assert (answer.response, answer.status) == ("hello", orchestrator_pb2.TURN_STATUS_COMPLETED)
        for one in (first, second):
            assert (await one.process(event)).status == orchestrator_pb2.TURN_STATUS_DUPLICATE
    assert len(execution.sent()) == 1


async def test_who_ends_leaves_its_conversations_to_the_others(tmp_path: Path, execution: FakeExecution) -> None:
    """At once, without a lease running out: what waited is answered by the other, and what was under way is finished."""
    gate = asyncio.Event()

    async def hold(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        if request.arguments["content"] == "held":
            await gate.wait()
        return execution.success(request)

    execution.answer = hold
    async with (
        running(tmp_path, execution.port, lease_seconds=300) as first,
        running(tmp_path, execution.port, lease_seconds=300) as second,
    ):
        await settled(first, second)
        one, other = channels_of(first, 2)
        await publish(first, message("say held", channel=one), message("say behind", channel=one))
        await execution.wait_for_calls(1)
        ending = asyncio.ensure_future(first.end())
        await until(lambda: not partitions(first))
        await publish(second, message("say meanwhile", channel=other))
        await execution.wait_for_calls(2)
        gate.set()
        await ending
        await execution.wait_for_calls(3)
        await until(lambda: len(partitions(second)) == PARTITIONS)
    assert sorted(text for _, text in execution.sent()) == ["behind", "held", "meanwhile"]
    assert [text for to, text in execution.sent() if to == one] == ["held", "behind"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_who_is_no_longer_heard_from_is_replaced(
    own_database: str, tmp_path: Path, execution: FakeExecution, end: signal.Signals
) -> None:
    """Killed or frozen in the middle of a send: another sends under the same key after the lease; what the frozen one
    still writes isn't taken.
    """
    gate = asyncio.Event()

    async def hold(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        await gate.wait()
        return execution.success(request)

    execution.answer = hold
    process = await start(
        tmp_path,
        EXECUTION_SERVICE_URL=f"grpc://127.0.0.1:{execution.port}",
        DATABASE_URL=own_database,
        LEASE_SECONDS="1",
    )
    await line_of(process, "service_ready")
    async with running(tmp_path, execution.port, lease_seconds=1) as second:
        await until(lambda: len(partitions(second)) == PARTITIONS // 2)
        theirs = set(range(PARTITIONS)) - partitions(second)
        channel = next(str(n) for n in range(1000, 9999) if partition_of(f"discord:{BOT}:{n}") in theirs)
        await publish(second, message("say once", channel=channel), message("say then", channel=channel))
        await execution.wait_for_calls(1)
        process.send_signal(end)
        await execution.wait_for_calls(2)
        gate.set()
        await execution.wait_for_calls(3)
        await until(lambda: not len(second.service._lanes))
        if end == signal.SIGSTOP:
            process.send_signal(signal.SIGCONT)
            fenced = await line_of(process, "turn_fenced")
            assert fenced["lane"] == f"discord:{BOT}:{channel}"
            await until(lambda: len(partitions(second)) == PARTITIONS // 2)
            process.send_signal(signal.SIGTERM)
        await process.communicate()
    first, again, then = execution.calls
    assert first.idempotency_key == again.idempotency_key
    assert first.arguments["content"] == again.arguments["content"] == "once"
    assert then.arguments["content"] == "then"


async def test_shards_change_hands_across_orchestrators(tmp_path: Path, execution: FakeExecution) -> None:
    """A release at one is the grant at the other; cursors and fences are the same at both."""
    async with (
        running(tmp_path, execution.port) as first,
        running(tmp_path, execution.port) as second,
        processes(first, "a") as (a,),
        processes(second, "b") as (b,),
    ):
        await a.claim()
        assert (await a.hears("granted")).epoch == 1
        await b.claim()
        assert await b.hears("standby") == coordination_pb2.ClaimStandby(position=1, holder_id="a")
        assert not (await a.publish(message("say one"), epoch=1, seq=5)).fenced
        await a.release()
        granted: Any = await b.hears("granted")
        assert (granted.epoch, [cursor.seq for cursor in granted.cursors]) == (2, [5])
        assert (await a.publish(message("say late"), epoch=1, seq=9)).fenced
        assert not (await b.publish(message("say two"), epoch=2, seq=6)).fenced
        await execution.wait_for_calls(3)


async def test_a_holder_goes_on_through_another_orchestrator(tmp_path: Path, execution: FakeExecution) -> None:
    """When the one it called has ended, the claim is as it was at the other."""
    async with running(tmp_path, execution.port) as second:
        async with running(tmp_path, execution.port) as first, processes(first, "a") as (a,):
            await a.claim()
            assert (await a.hears("granted")).epoch == 1
        async with processes(second, "a", "b") as (again, b):
            await b.claim()
            assert (await b.hears("standby")).holder_id == "a"
            await again.claim()
            assert (await again.hears("granted")).epoch == 1


async def test_an_outage_of_the_database_loses_nothing(
    tmp_path: Path, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL goes away in the middle of turns and comes back: what was acknowledged is answered once."""
    gate = asyncio.Event()

    async def hold(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        await gate.wait()
        return execution.success(request)

    execution.answer = hold
    with running_postgres() as server:
        monkeypatch.setitem(conftest._databases, tmp_path, server.url())
        async with running(tmp_path, execution.port, lease_seconds=2) as orchestrator:
            channels = [str(number) for number in range(100, 110)]
            await publish(orchestrator, *(message(f"say {c}", channel=c) for c in channels))
            await execution.wait_for_calls(len(channels))
            server.stop()
            gate.set()
            later = asyncio.ensure_future(orchestrator.ask("say later", channel="100"))
            server.start()
            answer = await later
            assert answer.response == "later"
            await until(lambda: not len(orchestrator.service._lanes))
            assert await orchestrator.service.ledger.unfinished() == []
    keys = [call.idempotency_key for call in execution.calls]
    assert len(set(keys)) == len(channels) + 1


async def test_who_comes_back_under_its_name_goes_on_at_once(
    own_database: str, tmp_path: Path, execution: FakeExecution
) -> None:
    """A killed process's successor doesn't wait for the lease, which is far longer than this test may take."""
    gate = asyncio.Event()

    async def hold(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        await gate.wait()
        return execution.success(request)

    execution.answer = hold
    variables = {
        "EXECUTION_SERVICE_URL": f"grpc://127.0.0.1:{execution.port}",
        "DATABASE_URL": own_database,
        "LEASE_SECONDS": "300",
        "REPLICA_NAME": "orchestrator-0",
    }
    killed = await start(tmp_path, **variables)
    ready = await line_of(killed, "service_ready")
    tokens = TokenIssuer(SECRET, issuer="test", audience="orchestrator-service")
    peer = connect(f"grpc://127.0.0.1:{ready['grpc']}", tokens, variable="TEST")

    async def requests() -> AsyncIterator[orchestrator_pb2.PublishRequest]:
        yield orchestrator_pb2.PublishRequest(batch_id=1, bot_id=BOT, events=[message("say once")])

    stub = orchestrator_pb2_grpc.OrchestratorServiceStub(peer.channel)
    assert [a.recorded async for a in stub.Publish(requests(), metadata=peer.metadata(), timeout=DEADLINE)] == [1]
    await execution.wait_for_calls(1)
    killed.send_signal(signal.SIGKILL)
    await killed.communicate()
    await peer.close()
    gate.set()
    successor = await start(tmp_path, **variables)
    await line_of(successor, "turn_completed")
    successor.send_signal(signal.SIGTERM)
    await successor.communicate()
    assert len({call.idempotency_key for call in execution.calls}) == 1
