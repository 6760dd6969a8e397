"""Rate limits of REST and gateway, moved by a clock of the test's own."""

from typing import Any

import pytest
from botswain_simulator.gateway.limits import IdentifyBuckets, IdentifyBudget, SendRate
from botswain_simulator.rest.ratelimits import RateLimits
from botswain_simulator.stats import Stats

CREATE = "POST /channels/{channel_id}/messages"


def test_a_bucket_refuses_past_its_limit_and_opens_again(clock: Any) -> None:
    """Five messages in five seconds per channel; the sixth is told when to come back."""
    limits = RateLimits(clock, "discord")
    verdicts = [limits.take("bot", CREATE, {"channel_id": "1"}, counts_globally=True) for _ in range(6)]
    assert [v.passes for v in verdicts] == [True] * 5 + [False]
    assert verdicts[4].headers["X-RateLimit-Remaining"] == "0"
    assert verdicts[5].body() == {"message": "You are being rate limited.", "retry_after": 5.0, "global": False}
    assert verdicts[5].headers["Retry-After"] == "5"
    assert verdicts[5].headers["Via"]
    clock.now += 5
    assert limits.take("bot", CREATE, {"channel_id": "1"}, counts_globally=True).passes


def test_major_parameters_and_bots_have_limits_of_their_own(clock: Any) -> None:
    """A full bucket in one channel stops neither another channel nor another bot, but the bucket's name is the same."""
    limits = RateLimits(clock, "discord")
    full = [limits.take("bot", CREATE, {"channel_id": "1"}, counts_globally=False) for _ in range(6)][-1]
    other = limits.take("bot", CREATE, {"channel_id": "2"}, counts_globally=False)
    assert not full.passes
    assert other.passes
    assert limits.take("bot 2", CREATE, {"channel_id": "1"}, counts_globally=False).passes
    assert full.headers["X-RateLimit-Bucket"] == other.headers["X-RateLimit-Bucket"]


def test_the_global_limit_is_fifty_a_second_over_all_routes(clock: Any) -> None:
    """The 51st request in a second is refused with scope global, whichever route it takes."""
    limits = RateLimits(clock, "discord")
    verdicts = [limits.take("bot", f"GET /{n}", {}, counts_globally=True) for n in range(51)]
    assert [v.passes for v in verdicts] == [True] * 50 + [False]
    assert verdicts[-1].headers["X-RateLimit-Global"] == "true"
    assert verdicts[-1].headers["X-RateLimit-Scope"] == "global"
    clock.now += 1
    assert limits.take("bot", "GET /1", {}, counts_globally=True).passes


def test_off_means_no_limits_and_no_headers(clock: Any) -> None:
    """A bot that counts nothing can be measured."""
    limits = RateLimits(clock, "off")
    verdicts = [limits.take("bot", CREATE, {"channel_id": "1"}, counts_globally=True) for _ in range(200)]
    assert all(v.passes and not v.headers for v in verdicts)


def test_identify_buckets_follow_max_concurrency(clock: Any) -> None:
    """One IDENTIFY per `shard_id % max_concurrency` in five seconds."""
    buckets = IdentifyBuckets(clock, 2, 5.0)
    assert [buckets.allow("bot", shard) for shard in (0, 1, 2, 3)] == [True, True, False, False]
    assert buckets.allow("other bot", 0)
    clock.now += 5
    assert buckets.allow("bot", 2)


def test_the_identify_budget_runs_out_and_comes_back_after_a_day(clock: Any) -> None:
    """`remaining` and `reset_after` are what GET /gateway/bot tells."""
    budget = IdentifyBudget(clock, 2)
    assert budget.reset_after_ms("bot") == 0
    assert [budget.spend("bot") for _ in range(3)] == [True, True, False]
    clock.now += 3600
    assert budget.remaining("bot") == 0
    assert budget.reset_after_ms("bot") == 23 * 3_600_000
    clock.now += 23 * 3600
    assert budget.remaining("bot") == 2


def test_more_than_120_sends_a_minute_are_too_many(clock: Any) -> None:
    """The window slides."""
    rate = SendRate(clock)
    assert all(rate.allow() for _ in range(120))
    assert not rate.allow()
    clock.now += 60
    assert rate.allow()


@pytest.mark.parametrize(
    ("status", "shared", "counts"), [(401, False, 1), (403, False, 1), (429, False, 1), (429, True, 0), (404, False, 0)]
)
def test_invalid_requests_are_those_discord_bans_for(clock: Any, status: int, shared: bool, counts: int) -> None:
    """401, 403 and 429 count for ten minutes, but not a shared limit's 429."""
    stats = Stats(clock)
    stats.count_request("GET /x", status, shared_limit=shared)
    assert stats.invalid_requests() == counts
    clock.now += 600
    assert stats.invalid_requests() == 0
