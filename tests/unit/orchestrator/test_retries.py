"""Pauses between the turns of an event."""

from __future__ import annotations

from botswain_orchestrator.retries import LONGEST_PAUSE, Retries
from hypothesis import given
from hypothesis import strategies as st


def test_pauses_double_and_end() -> None:
    """Without luck: first, twice, four times, … up to a minute, until the attempts are used up."""
    retries = Retries(9, 1.0)
    assert [retries.pause(failures, 0.0) for failures in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, None]


def test_one_attempt_means_no_second() -> None:
    """TURN_ATTEMPTS=1 switches retries off."""
    assert Retries(1, 1.0).pause(1, 0.5) is None


@given(st.integers(1, 10**6), st.floats(0.001, 3600), st.floats(0, 1))
def test_a_pause_is_never_far_off(failures: int, first: float, chance: float) -> None:
    """Jitter takes at most half; nothing exceeds the longest pause."""
    pause = Retries(10**6 + 1, first).pause(failures, chance)
    assert pause is not None
    assert min(first, LONGEST_PAUSE) / 2 <= pause <= LONGEST_PAUSE
