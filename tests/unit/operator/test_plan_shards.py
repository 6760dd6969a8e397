"""Cutting shards into runs, placing sets, and what `auto` means."""

from __future__ import annotations

import pytest
from botswain_operator.sharding import ShardSet, place, plan_shards, settled, shard_range, wanted_counts
from botswain_operator.spec import Sharding
from hypothesis import given
from hypothesis import strategies as st

counts = st.integers(1, 200).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))


@given(counts)
def test_every_shard_has_exactly_one_replica(wanted: tuple[int, int]) -> None:
    """No shard is left out, none is held twice, and they stay in order."""
    count, replicas = wanted
    runs = plan_shards(count, replicas)
    assert len(runs) == replicas
    assert [shard for run in runs for shard in run] == list(range(count))


@given(counts)
def test_replicas_are_even(wanted: tuple[int, int]) -> None:
    """No replica holds more than one shard more than another, and none is idle."""
    sizes = [len(run) for run in plan_shards(*wanted)]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("count", "replicas"), [(1, 2), (0, 1), (3, 0)])
def test_replica_without_a_shard_is_refused(count: int, replicas: int) -> None:
    """A plan in which a replica has nothing to do is an error."""
    with pytest.raises(ValueError, match="can't be spread"):
        plan_shards(count, replicas)


@pytest.mark.parametrize(
    ("sharding", "recommended", "expected"),
    [
        (Sharding(shards=4, replicas=2), 9, (4, 2)),
        (Sharding(shards="auto", replicas=2), 9, (9, 2)),
        (Sharding(shards="auto", replicas=5), 3, (3, 3)),
        (Sharding(shards=10, shards_per_replica=4), None, (10, 3)),
        (Sharding(shards="auto"), None, None),
    ],
)
def test_counts_come_from_spec_and_recommendation(
    sharding: Sharding, recommended: int | None, expected: tuple[int, int] | None
) -> None:
    """Numbers in the spec hold; `auto` takes what Discord says, and waits until it has."""
    assert wanted_counts(sharding, recommended) == expected


@pytest.mark.parametrize(
    ("recommended", "current", "expected"),
    [(5, 4, 5), (4, 5, 5), (2, 5, 2), (3, 5, 5), (None, 4, 4), (4, None, 4), (None, None, None)],
)
def test_auto_grows_at_once_and_shrinks_by_half(
    recommended: int | None, current: int | None, expected: int | None
) -> None:
    """A bot at a boundary doesn't re-shard back and forth."""
    assert settled(recommended, current) == expected


@given(counts, st.sets(st.integers(0, 30)))
def test_new_set_takes_numbers_that_are_free(wanted: tuple[int, int], taken: set[int]) -> None:
    """A new set never gets a number that a Deployment has."""
    placed = place(*wanted, existing={}, taken=taken)
    assert not taken & set(range(placed.offset, placed.offset + placed.replicas))


def test_set_that_exists_stays_where_it_is() -> None:
    """The same counts are the same set, wherever it is."""
    assert place(4, 2, existing={"4x2": 3}, taken={3, 4}) == ShardSet(4, 2, 3)


@pytest.mark.parametrize(("ids", "text"), [((0, 1, 2), "0-2"), ((5,), "5"), ((0, 1, 4), "0-1,4"), ((), "")])
def test_ranges_are_short(ids: tuple[int, ...], text: str) -> None:
    """Runs are written as first-last."""
    assert shard_range(ids) == text
