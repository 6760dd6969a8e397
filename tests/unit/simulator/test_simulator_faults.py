"""Faults: whom they befall, how often, and what a wrong one is told."""

import re
from typing import Any

import pytest
from botswain_simulator.errors import WorldError
from botswain_simulator.faults import Faults


def hits(faults: Faults, kind: str, count: int, **request: str) -> list[bool]:
    where = {"bot": "1", "method": "POST", "path": "/channels/5/messages"} | request
    return [faults.on_request(kind, **where) is not None for _ in range(count)]  # type: ignore[arg-type]  # all texts


def test_a_fault_with_a_count_ends_after_that_many(clock: Any) -> None:
    """And is gone from the list then."""
    faults = Faults(clock)
    faults.add({"kind": "http_status", "status": 503, "count": 2})
    assert hits(faults, "http_status", 4) == [True, True, False, False]
    assert faults.active() == []


def test_a_fault_ends_with_its_duration(clock: Any) -> None:
    """Time is the simulator's own."""
    faults = Faults(clock)
    faults.add({"kind": "rate_limit", "duration": 10})
    assert hits(faults, "rate_limit", 1) == [True]
    clock.now += 10
    assert hits(faults, "rate_limit", 1) == [False]


def test_the_same_seed_throws_the_same_dice(clock: Any) -> None:
    """A run can be repeated, and about a third of many requests is hit."""
    runs = []
    for _ in range(2):
        faults = Faults(clock)
        faults.add({"kind": "latency", "probability": 0.3, "seed": 7})
        runs.append(hits(faults, "latency", 300))
    assert runs[0] == runs[1]
    assert 60 < sum(runs[0]) < 120


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({"bot": "1"}, True),
        ({"bot": "2"}, False),
        ({"method": "post"}, True),
        ({"method": "GET"}, False),
        ({"route": r"/messages$"}, True),
        ({"route": r"^/users"}, False),
        ({"bot": "1", "route": "typing"}, False),
    ],
)
def test_match_narrows_a_fault(clock: Any, match: dict[str, str], hit: bool) -> None:
    """Every field given must fit."""
    faults = Faults(clock)
    faults.add({"kind": "http_status", "match": match})
    assert hits(faults, "http_status", 1) == [hit]


def test_gateway_faults_come_at_their_point(clock: Any) -> None:
    """`when` and the shard decide."""
    faults = Faults(clock)
    faults.add({"kind": "drop", "when": "resume", "shard": 1})
    assert faults.on_gateway("resume", bot="1", shard=0, session="a") is None
    assert faults.on_gateway("identify", bot="1", shard=1, session="a") is None
    assert faults.on_gateway("resume", bot="1", shard=1, session="a") is not None


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({}, "kind: None is not one of"),
        ({"kind": "explode"}, "'explode' is not one of close, drop"),
        ({"kind": "http_status", "status": 200}, "status: 200 must be from 400 to 599"),
        ({"kind": "drop", "shard": "0"}, "shard: '0' is not a int"),
        ({"kind": "drop", "shrad": 0}, "shrad: not a field"),
        ({"kind": "latency", "route": "("}, "not a regular expression"),
        ({"kind": "latency", "when": "identify"}, "when: goes with"),
        ({"kind": "http_status", "side": "during"}, "side: 'during'"),
        ({"kind": "latency", "probability": 2}, "probability: 2 must be"),
    ],
)
def test_a_wrong_fault_is_refused_by_name(clock: Any, spec: dict[str, Any], complaint: str) -> None:
    """The message names the field, its value and what would do."""
    with pytest.raises(WorldError, match=re.escape(complaint)):
        Faults(clock).add(spec)
