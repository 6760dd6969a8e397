"""The outbox keeps events in order until they are settled, and says when it is full."""

from __future__ import annotations

import asyncio

from botswain_discord.outbox import Outbox, Outgoing
from botswain_proto.v1.event_pb2 import InternalEvent


def outgoing(number: int) -> Outgoing:
    return Outgoing(InternalEvent(event_id=str(number)))


async def test_events_come_out_in_order_and_count_until_settled() -> None:
    """What was taken still counts; settling empties."""
    outbox = Outbox(10)
    for number in range(5):
        outbox.put(outgoing(number))
    taken = [*await outbox.take(3), *await outbox.take(3)]
    assert [each.event.event_id for each in taken] == ["0", "1", "2", "3", "4"]
    assert outbox.depth == 5
    outbox.settle(5)
    await outbox.wait_until_empty()
    assert outbox.depth == 0


async def test_a_taker_waits_for_the_first_event() -> None:
    """An empty outbox gives nothing, then what comes."""
    outbox = Outbox(10)
    taking = asyncio.create_task(outbox.take(5))
    await asyncio.sleep(0)
    assert not taking.done()
    outbox.put(outgoing(1))
    assert [each.event.event_id for each in await taking] == ["1"]


async def test_a_taker_that_is_cancelled_takes_nothing() -> None:
    """The event is there for the next one."""
    outbox = Outbox(10)
    taking = asyncio.create_task(outbox.take(5))
    await asyncio.sleep(0)
    outbox.put(outgoing(1))
    taking.cancel()
    await asyncio.wait({taking})
    assert len(await outbox.take(5)) == 1


async def test_room_comes_back_when_events_are_settled() -> None:
    """Full counts what was taken too, and what comes anyway is kept."""
    outbox = Outbox(2)
    for number in range(3):
        outbox.put(outgoing(number))
    waiting = asyncio.create_task(outbox.wait_for_room())
    await outbox.take(3)
    outbox.settle(1)
    await asyncio.sleep(0)
    assert (outbox.full, waiting.done()) == (True, False)
    outbox.settle(1)
    await waiting
    assert not outbox.full
