"""Discord's rate limits, with a clock that moves only when somebody waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botswain_execution.servers.discord_limits import GLOBAL_LIMIT, INVALID_LIMIT, RateLimiter, WouldWaitError

SEND, EDIT = "POST /channels/{channel}/messages", "PATCH /channels/{channel}/messages/{message}"


class Time:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def limiter(time: Time) -> RateLimiter:
    return RateLimiter(clock=lambda: time.now, sleep=time.sleep)


def headers(remaining: int, reset_after: float, *, bucket: str = "b", limit: int = 5, **more: str) -> dict[str, str]:
    return {
        "x-ratelimit-bucket": bucket,
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset-after": str(reset_after),
        **more,
    }


async def send(limiter: RateLimiter, route: str = SEND, channel: str = "1", status: int = 200, **answer: Any) -> None:
    async with limiter.turn(route, channel) as turn:
        await turn.admit()
        turn.learn(status, answer.get("headers", {}), answer.get("retry_after"))


async def test_full_bucket_is_spent_without_waiting_then_waited_for(limiter: RateLimiter, time: Time) -> None:
    """Five requests go out at once, the sixth waits for the window's end, and the next window is full again."""
    for left in (4, 3, 2, 1, 0):
        await send(limiter, headers=headers(left, 5.0))
    assert time.slept == 0
    await send(limiter, headers=headers(4, 5.0))
    assert time.slept == 5.0
    await send(limiter, headers=headers(3, 5.0))
    assert time.slept == 5.0


async def test_channels_count_separately(limiter: RateLimiter, time: Time) -> None:
    """The channel is the major parameter: a spent bucket there says nothing about another channel."""
    await send(limiter, channel="1", headers=headers(0, 5.0))
    await send(limiter, channel="2", headers=headers(0, 5.0))
    assert time.slept == 0


async def test_routes_that_share_a_bucket_share_its_count(limiter: RateLimiter, time: Time) -> None:
    """Once both routes are known to have one bucket, what one spent the other has not."""
    await send(limiter, SEND, headers=headers(2, 5.0))
    await send(limiter, EDIT, headers=headers(0, 5.0))
    await send(limiter, SEND, headers=headers(4, 5.0))
    assert time.slept == 5.0


async def test_429_blocks_its_bucket_for_retry_after(limiter: RateLimiter, time: Time) -> None:
    """Also where the answer names no bucket, as one from a proxy in between."""
    await send(limiter, status=429, retry_after=1.5)
    await send(limiter, channel="2")
    assert time.slept == 0
    await send(limiter)
    assert time.slept == 1.5


async def test_global_429_blocks_everything(limiter: RateLimiter, time: Time) -> None:
    """A global refusal holds for every route and channel."""
    await send(limiter, status=429, headers={"x-ratelimit-global": "true"}, retry_after=2.0)
    await send(limiter, EDIT, channel="9")
    assert time.slept == 2.0


async def test_fifty_a_second_over_all_channels(limiter: RateLimiter, time: Time) -> None:
    """The global limit is kept before Discord has to say anything."""
    for number in range(GLOBAL_LIMIT):
        await send(limiter, channel=str(number))
    assert time.slept == 0
    await send(limiter, channel="more")
    assert time.slept == 1.0


async def test_too_many_invalid_answers_stop_us_before_discord_does(limiter: RateLimiter, time: Time) -> None:
    """Near the number that gets an address banned nothing more is sent; 429s of scope `shared` don't count."""
    for number in range(INVALID_LIMIT):
        time.now += 0.05
        shared = {"x-ratelimit-scope": "shared"}
        await send(limiter, channel=f"s{number}", status=429, headers=shared, retry_after=0.01)
    await send(limiter, channel="still")
    for number in range(INVALID_LIMIT):
        time.now += 0.05
        await send(limiter, channel=f"c{number}", status=403)
    with pytest.raises(WouldWaitError):
        await send(limiter, channel="more")


async def test_far_off_turn_is_refused(limiter: RateLimiter) -> None:
    """A wait longer than a call may take is told instead of taken."""
    await send(limiter, status=429, retry_after=300.0)
    with pytest.raises(WouldWaitError, match="in 300 s"):
        await send(limiter)


async def test_lane_keeps_the_order_and_other_lanes_pass() -> None:
    """Requests of a lane come one after the other in their order; another channel's isn't held up."""
    limiter = RateLimiter()
    order: list[str] = []
    gate = asyncio.Event()

    async def one(name: str, channel: str, wait: bool) -> None:
        async with limiter.turn(SEND, channel) as turn:
            await turn.admit()
            order.append(f"{name} sent")
            if wait:
                await gate.wait()
            order.append(f"{name} done")

    first = [asyncio.create_task(one(f"a{number}", "1", wait=number == 0)) for number in range(3)]
    await asyncio.create_task(one("b", "2", wait=False))
    assert order == ["a0 sent", "b sent", "b done"]
    gate.set()
    await asyncio.gather(*first)
    assert order[3:] == ["a0 done", "a1 sent", "a1 done", "a2 sent", "a2 done"]


async def test_memory_of_idle_channels_is_given_back(limiter: RateLimiter, time: Time) -> None:
    """After many channels only those whose window is still open are remembered."""
    for number in range(3000):
        time.now += 1.0
        await send(limiter, channel=str(number), headers=headers(4, 5.0))
    assert len(limiter._lanes) <= 1001
    assert len(limiter._buckets) <= 1001
