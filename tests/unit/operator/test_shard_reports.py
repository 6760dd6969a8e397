"""What discord-service says of its shards, and when that is news."""

from __future__ import annotations

import pytest
from botswain_operator.errors import ReportError
from botswain_operator.shard_reports import ShardReport, are_news, guilds_of, merged, read_reports, steady


def report(guilds: int | None = 1, latency: int | None = 50, state: str = "connected") -> ShardReport:
    return ShardReport(state, guilds, latency)


def test_ready_of_discord_service_is_understood() -> None:
    """Shards are told apart by count and id; a latency that isn't known yet is none."""
    body = {
        "status": "not ready",
        "shards": [
            {"id": 0, "count": 2, "state": "connected", "guilds": 4, "latency_ms": 41.6},
            {"id": 1, "count": 2, "state": "resuming", "guilds": 0, "latency_ms": None},
        ],
    }
    assert read_reports(body) == {(2, 0): report(4, 42), (2, 1): report(0, None, "resuming")}
    assert read_reports({"status": "ready", "role": "standby"}) == {}


@pytest.mark.parametrize("body", ["text", {"shards": {}}, {"shards": [{"id": 0}]}, {"shards": [{"id": 0, "count": 0}]}])
def test_anything_else_is_refused(body: object) -> None:
    """An answer of another form is an error that says where."""
    with pytest.raises(ReportError, match="odd"):
        read_reports(body)


def test_connected_one_of_two_counts() -> None:
    """While a shard is handed over, the process that is connected tells of it."""
    key = (1, 0)
    for answers in ([{key: report(9)}, {key: report(0, None, "connecting")}],) * 2:
        assert merged(answers) == {key: report(9)}
        assert merged(reversed(answers)) == {key: report(9)}


def test_guilds_of_two_sets_count_once() -> None:
    """While a bot is re-sharded, the old set and the new one hold the same guilds."""
    both = {(2, 0): report(5), (2, 1): report(6), (4, 0): report(3), (4, 1): report(None)}
    assert guilds_of(both) == 11
    assert guilds_of({(1, 0): report(None)}) is None


@pytest.mark.parametrize(
    ("latency", "before", "told"),
    [(50, None, 50), (None, 50, None), (65, 50, 50), (75, 50, 50), (76, 50, 76), (10, 50, 10), (21, 5, 5), (26, 5, 26)],
)
def test_latency_is_told_when_it_is_news(latency: int | None, before: int | None, told: int | None) -> None:
    """One that wavers by less than half, or less than 20 ms, stays as it was told."""
    assert steady(latency, before) == told


def test_news_are_what_the_status_would_tell() -> None:
    """Other shards, other guilds or quite another latency; not a wavering one."""
    before = {(1, 0): report(3, 50)}
    assert not are_news({(1, 0): report(3, 60)}, before)
    assert are_news({(1, 0): report(4, 50)}, before)
    assert are_news({(1, 0): report(3, 200)}, before)
    assert are_news({}, before)
