"""IDENTIFYs are spaced by bucket and stop when the day's budget is spent."""

from __future__ import annotations

from botswain_discord.identify import IdentifyPacer, StartLimit


class Time:
    """A clock that moves when it is slept on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def permits(limit: StartLimit, shards: list[int]) -> list[float]:
    """When each shard got its permit, asked for one after the other."""
    time = Time()
    pacer = IdentifyPacer(limit, clock=time, sleep=time.sleep)
    at = []
    for shard in shards:
        await pacer.permit(shard)
        at.append(time.now)
    return at


async def test_one_bucket_gets_one_permit_in_five_seconds() -> None:
    """With a concurrency of one all shards share a bucket."""
    assert await permits(StartLimit(1000, 1000, 0, 1), [0, 1, 2]) == [0, 5, 10]


async def test_buckets_do_not_wait_for_each_other() -> None:
    """A concurrency of two has two buckets."""
    assert await permits(StartLimit(1000, 1000, 0, 2), [0, 1, 2, 3]) == [0, 0, 5, 5]


async def test_the_reserve_is_kept_until_the_reset() -> None:
    """A tenth of the day's budget; Discord resets the token of a bot that spends all."""
    assert await permits(StartLimit(10, 1, 600, 16), [0, 1]) == [600, 600]
    assert await permits(StartLimit(1000, 100, 600, 16), [0]) == [600]


async def test_a_crash_loop_is_slowed_down() -> None:
    """Each process of the loop waits before its only IDENTIFY, the longer the fewer are left, and says why."""
    waits = [(await permits(StartLimit(1000, left, 86_400, 1), [0]))[0] for left in (1000, 600, 599, 400, 200, 101)]
    assert waits[:2] == [0, 0]
    assert waits[2:] == sorted(waits[2:])
    assert 5 <= waits[2] < 6
    assert waits[-1] == 900
    said: list[str] = []
    time = Time()
    await IdentifyPacer(StartLimit(1000, 400, 600, 1), clock=time, sleep=time.sleep).permit(0, said.append)
    assert said == ["399 of 1000 IDENTIFYs are left today; waits 46 s"]
