"""When a failed server is started again."""

from __future__ import annotations

from botswain_execution.backoff import BREAKER_THRESHOLD, LONGEST_DELAY, STABLE_AFTER, Backoff


def test_delays_double_up_to_the_longest() -> None:
    """The first start is at once; each failure in a row doubles the pause, up to a bound."""
    backoff = Backoff()
    delays = [backoff.delay]
    for _ in range(12):
        backoff.failed(0.0)
        delays.append(backoff.delay)
    assert delays[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == LONGEST_DELAY


def test_breaker_opens_after_failures_in_a_row_and_closes_when_a_process_proves_itself() -> None:
    """Short lives count as failures in a row; a process that stays up ends the row."""
    backoff = Backoff()
    for _ in range(BREAKER_THRESHOLD):
        assert not backoff.is_open
        backoff.failed(STABLE_AFTER / 2)
    assert backoff.is_open
    backoff.proved()
    assert not backoff.is_open
    assert backoff.delay == 0.0


def test_crash_after_a_long_life_begins_a_new_row() -> None:
    """A server that crashes once a day is always restarted quickly."""
    backoff = Backoff()
    for _ in range(10):
        backoff.failed(STABLE_AFTER)
    assert backoff.failures == 1
