"""The bound on repairs of a child that something else keeps changing."""

from __future__ import annotations

from botswain_operator.contests import MOST_REPAIRS, WITHIN_SECONDS, Contests


def test_repairs_are_bounded_and_come_back_with_time() -> None:
    """So many repairs in a minute, then none until the first of them is a minute old."""
    contests: Contests[str] = Contests()
    assert [contests.may_repair("child", float(second)) for second in range(MOST_REPAIRS + 2)] == [
        True
    ] * MOST_REPAIRS + [False] * 2
    assert contests.may_repair("other", 0.0)
    assert contests.may_repair("child", WITHIN_SECONDS + 0.5)


def test_contest_is_told_once_a_minute() -> None:
    """Not each refusal makes an event."""
    contests: Contests[str] = Contests()
    assert [contests.worth_telling("child", at) for at in (0.0, 1.0, WITHIN_SECONDS + 1)] == [True, False, True]
