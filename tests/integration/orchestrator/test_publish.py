"""`Publish`: batches are recorded, acknowledged in order, and answered afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from botswain_proto.v1 import coordination_pb2, event_pb2, orchestrator_pb2

from .conftest import BOT, FakeExecution, Orchestrator, message

pytestmark = pytest.mark.usefixtures("each_engine")


def batch(number: int, *events: event_pb2.InternalEvent, **more: Any) -> orchestrator_pb2.PublishRequest:
    return orchestrator_pb2.PublishRequest(batch_id=number, bot_id=BOT, events=events, **more)


def cursor(seq: int, session: str = "session") -> coordination_pb2.ShardCursor:
    return coordination_pb2.ShardCursor(shard=event_pb2.DiscordShard(id=0, count=2), session_id=session, seq=seq)


async def stream(requests: Iterable[orchestrator_pb2.PublishRequest]) -> AsyncIterator[orchestrator_pb2.PublishRequest]:
    for request in requests:
        yield request


async def published(
    orchestrator: Orchestrator, *requests: orchestrator_pb2.PublishRequest
) -> list[orchestrator_pb2.PublishResponse]:
    return [response async for response in orchestrator.publish(stream(requests))]


async def test_batches_are_acknowledged_in_order(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """Each acknowledgement counts what was recorded; every event is answered."""
    requests = [batch(number, message(f"say {number}a"), message(f"say {number}b")) for number in range(1, 21)]
    acks = await published(orchestrator, *requests)
    assert [ack.batch_id for ack in acks] == list(range(1, 21))
    assert {(ack.recorded, ack.duplicates, len(ack.rejected)) for ack in acks} == {(2, 0, 0)}
    await execution.wait_for_calls(40)
    said = [content for _, content in execution.sent()]
    assert said == [f"{number}{letter}" for number in range(1, 21) for letter in "ab"]


async def test_an_acknowledgement_does_not_wait_for_the_turn(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """The event is recorded; that its answer takes long is no concern of the publisher."""
    gate = asyncio.Event()

    async def hold(request: Any) -> Any:
        await gate.wait()
        return execution.success(request)

    execution.answer = hold
    acks = await published(orchestrator, batch(1, message("hello")))
    assert [ack.recorded for ack in acks] == [1]
    gate.set()
    await execution.wait_for_calls(1)


async def test_an_event_sent_again_is_counted_and_answered_once(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """Overlap of streams and batches, and within a batch, is harmless."""
    one, two = message("say one"), message("say two")
    first = await published(orchestrator, batch(1, one, one))
    second = await published(orchestrator, batch(1, one, two))
    assert [(ack.recorded, ack.duplicates) for ack in first + second] == [(1, 1), (1, 1)]
    await execution.wait_for_calls(2)
    assert [content for _, content in execution.sent()] == ["one", "two"]


async def test_invalid_events_are_rejected_and_the_stream_goes_on(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """Each with its reason; the others of the batch, and the next batches, are recorded."""
    nameless, foreign = message("x"), message("y")
    nameless.event_id = ""
    foreign.bot_id = "another"
    acks = await published(orchestrator, batch(1, nameless, message("say good"), foreign), batch(2, message("say on")))
    assert [(ack.batch_id, ack.recorded) for ack in acks] == [(1, 1), (2, 1)]
    reasons = {rejected.event_id: rejected.reason for rejected in acks[0].rejected}
    assert reasons == {
        "": "event_id is empty",
        foreign.event_id: f"bot_id is 'another', but the batch is {BOT!r}'s",
    }
    await execution.wait_for_calls(2)
    assert [content for _, content in execution.sent()] == ["good", "on"]


async def test_the_cursor_is_recorded_with_its_events(orchestrator: Orchestrator) -> None:
    """Also in a batch without events; it never moves back within a session, and a new session replaces it."""
    ledger = orchestrator.service.ledger
    await published(orchestrator, batch(1, message("hello"), cursor=cursor(5)), batch(2, cursor=cursor(9)))
    recorded = await ledger.cursor(BOT, 0, 2)
    assert recorded is not None
    assert (recorded.seq, recorded.session_id) == (9, "session")
    await published(orchestrator, batch(1, cursor=cursor(7)))
    assert (recorded := await ledger.cursor(BOT, 0, 2)) is not None
    assert recorded.seq == 9
    await published(orchestrator, batch(1, cursor=cursor(1, "new session")))
    assert (recorded := await ledger.cursor(BOT, 0, 2)) is not None
    assert (recorded.seq, recorded.session_id) == (1, "new session")


async def test_a_cursor_of_no_shard_is_rejected(orchestrator: Orchestrator) -> None:
    """The reason says what is missing; the events are recorded."""
    wrong = coordination_pb2.ShardCursor(session_id="s", seq=1)
    acks = await published(orchestrator, batch(1, message("hello"), cursor=wrong))
    assert acks[0].recorded == 1
    assert "shard.count" in acks[0].rejected[0].reason


async def test_many_batches_at_once_keep_their_order(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """More batches than may wait for their commit: reading pauses, nothing is lost."""
    requests = [batch(number, message(f"say {number}", channel=str(number % 7))) for number in range(1, 201)]
    acks = await published(orchestrator, *requests)
    assert [ack.batch_id for ack in acks] == list(range(1, 201))
    await execution.wait_for_calls(200)
    for channel in range(7):
        said = [int(content) for where, content in execution.sent() if where == str(channel)]
        assert said == [number for number in range(1, 201) if number % 7 == channel]


async def test_odd_ids_end_no_stream(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """What an engine can't keep is refused by name, or left out; the events beside it are answered."""
    odd, strange = message("say odd"), message("say strange\0")
    odd.correlation_id = "a\0b"
    strange.discord.guild_id = "9" * 300
    broken = cursor(7, session="s\0")
    (ack,) = await published(orchestrator, batch(1, odd, strange, message("say plain"), cursor=broken))
    assert ack.recorded == 2
    assert [rejected.reason.partition(":")[0].partition(" ")[0] for rejected in ack.rejected] == [
        "correlation_id",
        "cursor",
    ]
    await execution.wait_for_calls(2)
    assert [content for _, content in execution.sent()] == ["strange\0", "plain"]
