"""Identify permits: buckets, the day's number and its reserve."""

from __future__ import annotations

from botswain_orchestrator.coordination.codec import dump_permits, load_permits
from botswain_orchestrator.coordination.permits import DAY, INTERVAL, Answer, Budget, Permits, observe, permit
from hypothesis import given
from hypothesis import strategies as st


def ask(permits: Permits, shard: int, now: float, concurrency: int = 1) -> tuple[Permits, Answer]:
    return permit(permits, shard_id=shard, max_concurrency=concurrency, now=now)


def test_one_identify_per_bucket_and_five_seconds() -> None:
    """Shards of one bucket wait for each other, those of another don't."""
    permits, first = ask(Permits(), 0, 100.0, 2)
    permits, other = ask(permits, 1, 100.0, 2)
    permits, second = ask(permits, 2, 102.0, 2)
    assert (first.permitted, other.permitted, second.permitted) == (True, True, False)
    assert second.retry_after == 3.0
    assert ask(permits, 2, 105.0, 2)[1].permitted


def test_the_reserve_is_never_spent() -> None:
    """A crash loop that asks as often as it may leaves a tenth; the refusal says when the day's number comes back."""
    permits = observe(Permits(), Budget(100, 100, DAY))
    now, given = 0.0, 0
    while now < DAY - 1000:
        permits, answer = ask(permits, 0, now)
        given += answer.permitted
        now += answer.retry_after or 0.1
    assert given <= 90
    assert permits.budget is not None
    assert permits.budget.remaining >= 10


def test_what_is_left_of_the_day_is_said() -> None:
    """Refused with numbers; after the day is over there are all again."""
    permits = observe(Permits(), Budget(1000, 100, 500.0))
    permits, refused = ask(permits, 0, 400.0)
    assert not refused.permitted
    assert refused.retry_after == 100.0
    assert refused.reason.startswith("100 of 1000 IDENTIFYs are left today, and the last 100 are kept")
    permits, answer = ask(permits, 0, 500.0)
    assert answer.permitted
    assert permits.budget == Budget(1000, 999, 500.0 + DAY)


def test_a_crash_loop_slows_down() -> None:
    """The fewer are left, the longer a bucket rests."""
    rests = []
    for left in (1000, 500, 300, 150):
        permits, _ = ask(observe(Permits(), Budget(1000, left, DAY)), 0, 0.0)
        rests.append(permits.bucket_free_at[0])
    assert rests[0] == INTERVAL
    assert rests == sorted(set(rests))


def test_permits_since_discord_was_asked_count() -> None:
    """Within one day the lower number counts; a new day's number is taken as it is."""
    permits = observe(Permits(), Budget(1000, 700, DAY))
    assert observe(permits, Budget(1000, 900, DAY + 3)).budget == Budget(1000, 700, DAY + 3)
    assert observe(permits, Budget(1000, 600, DAY)).budget == Budget(1000, 600, DAY)
    assert observe(permits, Budget(1000, 990, 2 * DAY)).budget == Budget(1000, 990, 2 * DAY)


@given(
    st.none() | st.builds(Budget, st.integers(0, 9), st.integers(0, 9), st.floats(0, 1e10)),
    st.dictionaries(st.integers(0, 20), st.floats(0, 1e10)),
)
def test_permits_are_stored_as_they_are(budget: Budget | None, buckets: dict[int, float]) -> None:
    """Written and read, they are equal."""
    permits = Permits(budget, buckets)
    assert load_permits(dump_permits(permits)) == permits
