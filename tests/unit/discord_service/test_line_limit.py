"""Log lines about events are limited, and what is left out is counted."""

from __future__ import annotations

from botswain_discord.line_limit import LineLimit


async def test_lines_beyond_the_rate_are_counted_and_told() -> None:
    """Two pass, three are reported, and the next second begins anew."""
    now, told = [0.0], list[int]()
    limit = LineLimit(2, told.append, clock=lambda: now[0])
    assert [limit.allows() for _ in range(5)] == [True, True, False, False, False]
    limit.flush()
    assert told == [3]
    now[0] = 1.0
    assert limit.allows()
    limit.flush()
    assert told == [3]


async def test_a_rate_of_none_logs_nothing_and_still_counts() -> None:
    """0 turns the lines off."""
    told = list[int]()
    limit = LineLimit(0, told.append)
    assert not limit.allows()
    limit.flush()
    assert told == [1]
