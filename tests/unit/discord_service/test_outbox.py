"""The outbox keeps events in order until they are settled, and says when it is full."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from botswain_discord.outbox import Outbox, Outgoing, Session
from botswain_discord.outbox_file import OutboxFile
from botswain_proto.v1.event_pb2 import InternalEvent
from structlog.testing import capture_logs


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


async def settled(outbox: Outbox, count: int) -> list[str]:
    """Take and settle until `count` events came; their ids."""
    ids: list[str] = []
    async with asyncio.timeout(30):
        while len(ids) < count:
            taken = await outbox.take(50)
            outbox.settle(len(taken))
            ids += [each.event.event_id for each in taken]
    return ids


async def fill(outbox: Outbox, numbers: range) -> None:
    """Put events, waiting for room as a reader does."""
    async with asyncio.timeout(30):
        for number in numbers:
            if outbox.full:
                await outbox.wait_for_room()
            outbox.put(outgoing(number))


async def test_what_memory_has_no_room_for_waits_in_a_file(tmp_path: Path) -> None:
    """In order, with session and place, also for those that come while it empties; nothing is left in the folder."""
    outbox = Outbox(100, OutboxFile(tmp_path, 10_000_000))
    session = Session(0, 1, "s", "wss://resume.example")
    outbox.put(Outgoing(InternalEvent(event_id="first"), session, 1))
    await fill(outbox, range(5_000))
    last = Outgoing(InternalEvent(event_id="last"), session, 2)
    outbox.put(last)
    assert (outbox.depth, outbox.full) == (5_002, False)
    assert outbox.filed > 3_000
    filling = asyncio.create_task(fill(outbox, range(5_000, 6_000)))
    ids = await settled(outbox, 6_002)
    await filling
    await outbox.wait_until_empty()
    assert ids == ["first", *map(str, range(5_000)), "last", *map(str, range(5_000, 6_000))]
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib's is for threads only
    await outbox.close()


async def test_a_full_file_is_a_full_outbox(tmp_path: Path) -> None:
    """Whoever reads waits for room; it comes as events are settled, and none is lost."""
    outbox = Outbox(10, OutboxFile(tmp_path, 100_000))
    filling = asyncio.create_task(fill(outbox, range(10_000)))
    async with asyncio.timeout(30):
        while not outbox.full:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert outbox.depth < 10_000
    assert await settled(outbox, 10_000) == [str(number) for number in range(10_000)]
    await filling
    await outbox.close()


async def test_a_folder_that_is_not_there_is_a_full_outbox(tmp_path: Path) -> None:
    """It is logged, and what was put already comes out in order."""
    outbox = Outbox(10, OutboxFile(tmp_path / "missing", 100_000))
    with capture_logs() as logs:
        filling = asyncio.create_task(fill(outbox, range(3_000)))
        async with asyncio.timeout(30):
            while not any(line["event"] == "outbox_file_refuses" for line in logs):  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert await settled(outbox, 3_000) == [str(number) for number in range(3_000)]
    await filling
    await outbox.close()


class Balking(OutboxFile):
    """A file that at first can't be read."""

    failures = 3

    def load(self, most: int) -> list[Outgoing]:
        if self.failures:
            self.failures -= 1
            raise OSError(5, "Input/output error")
        return super().load(most)


async def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing overtakes what is in it, and it is said once."""
    monkeypatch.setattr("botswain_discord.outbox.RETRY", 0.01)
    outbox = Outbox(10, Balking(tmp_path, 10_000_000))
    await fill(outbox, range(2_000))
    with capture_logs() as logs:
        assert await settled(outbox, 2_000) == [str(number) for number in range(2_000)]
    assert [line["event"] for line in logs].count("outbox_file_refuses") == 1
    await outbox.close()


async def test_the_last_words_name_what_is_in_the_file_too(tmp_path: Path) -> None:
    """Memory, file and what was not yet written, in order."""
    outbox = Outbox(10, OutboxFile(tmp_path, 10_000_000))
    await fill(outbox, range(2_000))
    await outbox.close()
    assert [each.event.event_id for each in outbox.drain()] == [str(number) for number in range(2_000)]
