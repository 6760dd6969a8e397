"""One lane per conversation."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from botswain_orchestrator.lanes import Lanes
from hypothesis import given
from hypothesis import strategies as st

Item = tuple[str, int]


class Work:
    """Runs items when told to, and keeps what happened."""

    def __init__(self, workers: int = 100) -> None:
        self.lanes: Lanes[Item] = Lanes(self.run, workers=workers)
        self.started: list[Item] = []
        self.done: list[Item] = []
        self.gates: defaultdict[Item, asyncio.Event] = defaultdict(asyncio.Event)
        self.most_at_once = 0

    async def run(self, item: Item) -> None:
        self.started.append(item)
        self.most_at_once = max(self.most_at_once, self.lanes.running)
        await self.gates[item].wait()
        self.done.append(item)

    def put(self, *items: Item) -> None:
        for item in items:
            self.lanes.put(item[0], item)

    def open(self, *items: Item) -> None:
        for item in items:
            self.gates[item].set()

    async def settle(self) -> None:
        """Let every task run as far as it can."""
        for _ in range(50):
            await asyncio.sleep(0)


async def test_a_lane_keeps_its_order() -> None:
    """The second item starts when the first is done, not before."""
    work = Work()
    work.put(("a", 1), ("a", 2))
    await work.settle()
    assert work.started == [("a", 1)]
    work.open(("a", 1))
    await work.settle()
    assert work.started == [("a", 1), ("a", 2)]
    await work.lanes.cancel()


async def test_a_slow_item_blocks_only_its_own_lane() -> None:
    """Another lane's items run while one is stuck."""
    work = Work()
    work.put(("slow", 1), ("quick", 1), ("quick", 2))
    work.open(("quick", 1), ("quick", 2))
    await work.settle()
    assert work.done == [("quick", 1), ("quick", 2)]
    await work.lanes.cancel()


async def test_no_more_run_at_once_than_there_are_workers() -> None:
    """WORKERS bounds all lanes together."""
    work = Work(workers=2)
    items = [(f"lane {number}", 1) for number in range(5)]
    work.put(*items)
    await work.settle()
    assert len(work.started) == 2
    work.open(*items)
    await work.settle()
    assert len(work.done) == 5
    assert work.most_at_once == 2


async def test_a_busy_lane_does_not_starve_a_quiet_one() -> None:
    """With one worker, lanes take turns."""
    work = Work(workers=1)
    work.put(("busy", 1), ("busy", 2), ("busy", 3), ("quiet", 1))
    await work.settle()
    work.open(("busy", 1), ("busy", 2), ("busy", 3), ("quiet", 1))
    await work.settle()
    assert work.done.index(("quiet", 1)) == 1


async def test_an_idle_lane_is_dropped() -> None:
    """A conversation costs nothing once its items are done."""
    work = Work()
    work.put(("a", 1))
    assert len(work.lanes) == 1
    work.open(("a", 1))
    await work.settle()
    assert len(work.lanes) == 0
    assert work.lanes.waiting == 0


async def test_draining_finishes_what_runs_and_gives_back_what_waits() -> None:
    """close() returns the items that were not started; drain() waits for the others."""
    work = Work()
    work.put(("a", 1), ("a", 2), ("b", 1))
    await work.settle()
    assert work.lanes.close() == [("a", 2)]
    draining = asyncio.ensure_future(work.lanes.drain())
    await work.settle()
    assert not draining.done()
    work.open(("a", 1), ("b", 1), ("a", 2))
    await draining
    assert sorted(work.done) == [("a", 1), ("b", 1)]


async def test_nothing_is_taken_while_draining() -> None:
    """put() says so instead of losing the item in silence."""
    work = Work()
    await work.lanes.drain()
    assert work.lanes.put("a", ("a", 1)) is False


async def test_cancelling_ends_what_runs() -> None:
    """cancel() doesn't wait for stuck work."""
    work = Work()
    work.put(("a", 1))
    await work.settle()
    await work.lanes.cancel()
    assert work.done == []
    assert work.lanes.running == 0


async def test_an_item_to_be_tried_again_stays_first_in_its_lane() -> None:
    """Its lane rests without taking a worker; other lanes go on; then it runs again, before those behind it."""
    slept: list[float] = []
    awake = asyncio.Event()
    ran: list[Item] = []

    async def run(item: Item) -> float | None:
        ran.append(item)
        return 2.5 if ran.count(("a", 1)) == 1 and item == ("a", 1) else None

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await awake.wait()

    lanes: Lanes[Item] = Lanes(run, workers=1, sleep=sleep)
    for item in (("a", 1), ("a", 2), ("b", 1)):
        lanes.put(item[0], item)
    for _ in range(50):
        await asyncio.sleep(0)
    assert ran == [("a", 1), ("b", 1)]
    assert slept == [2.5]
    awake.set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert ran == [("a", 1), ("b", 1), ("a", 1), ("a", 2)]


async def test_a_resting_lane_gives_back_its_items_in_order() -> None:
    """Draining doesn't wait for the rest; the item to be tried again comes back first."""

    async def run(item: Item) -> float | None:
        return 3600.0

    lanes: Lanes[Item] = Lanes(run, workers=1)
    lanes.put("a", ("a", 1))
    lanes.put("a", ("a", 2))
    for _ in range(50):
        await asyncio.sleep(0)
    assert lanes.close() == [("a", 1), ("a", 2)]
    await lanes.drain()


@given(st.lists(st.integers(min_value=0, max_value=4), max_size=40), st.integers(min_value=1, max_value=4))
def test_every_item_runs_once_and_in_its_lanes_order(lanes: list[int], workers: int) -> None:
    """Whatever comes into whichever lane, each lane sees its own items, all of them, in order."""
    items = [(str(lane), number) for number, lane in enumerate(lanes)]

    async def scenario() -> list[Item]:
        work = Work(workers)
        work.open(*items)
        work.put(*items)
        while work.lanes.waiting or work.lanes.running:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return work.done

    done = asyncio.run(scenario())
    assert sorted(done) == sorted(items)
    for lane in set(lanes):
        assert [item for item in done if item[0] == str(lane)] == [item for item in items if item[0] == str(lane)]
