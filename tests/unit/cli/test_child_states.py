"""What follows when a child process starts, becomes ready, dies or is stopped."""

from __future__ import annotations

import pytest
from botswain_cli.supervisor import children
from botswain_cli.supervisor.children import Child, Done, Ending, GiveUp, RestartAfter, State


def ready_child(at: float = 0.0) -> Child:
    return children.became_ready(children.started(Child(), 10, at), at)


def test_a_child_goes_from_waiting_over_starting_to_ready() -> None:
    """The states of a start that succeeds, with the process id."""
    child = children.started(Child(), 10, 1.0)
    assert (child.state, child.pid, child.since) == (State.STARTING, 10, 1.0)
    child = children.became_ready(child, 2.0)
    assert (child.state, child.was_ready) == (State.READY, True)


def test_a_ready_child_that_dies_is_restarted() -> None:
    """A death after readiness leads to another start, counted, and the reason names code and last error."""
    child, decision = children.exited(ready_child(), Ending(3, "boom"), 5.0)
    assert decision == RestartAfter(children.FIRST_DELAY, "exited with code 3: boom")
    assert (child.state, child.pid) == (State.BACKING_OFF, None)
    assert children.started(child, 11, 6.0).restarts == 1


def test_deaths_in_a_row_wait_longer_each_time() -> None:
    """The delay doubles up to its bound."""
    child, delays, now = ready_child(), [], 0.0
    for pid in range(20, 30):
        child, decision = children.exited(child, Ending(-9), now)
        assert isinstance(decision, RestartAfter)
        delays.append(decision.delay)
        now += 1
        child = children.became_ready(children.started(child, pid, now), now)
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == children.MAX_DELAY


def test_a_steady_time_forgets_earlier_deaths() -> None:
    """A child that was ready long enough starts again after the shortest delay."""
    child, _ = children.exited(ready_child(), Ending(1), 1.0)
    child = children.became_ready(children.started(child, 11, 2.0), 2.0)
    _, decision = children.exited(child, Ending(1), 2.0 + children.STEADY_AFTER)
    assert decision == RestartAfter(children.FIRST_DELAY, "exited with code 1")


@pytest.mark.parametrize("child", [children.started(Child(), 10, 0.0), ready_child()])
def test_a_wrong_setting_ends_it_for_good(child: Child) -> None:
    """Exit code 2 is believed, whether or not the part was ready before."""
    child, decision = children.exited(child, Ending(2, "settings: MODEL: unknown"), 1.0)
    assert decision == GiveUp("has a wrong setting: settings: MODEL: unknown")
    assert child.state is State.FAILED


def test_a_part_that_says_it_cannot_start_is_not_tried_again() -> None:
    """Exit code 1 before the part was ever ready ends it for good, with its own words."""
    _, decision = children.exited(children.started(Child(), 10, 0.0), Ending(1, "start-up: token refused"), 1.0)
    assert decision == GiveUp("can't start: start-up: token refused")


def test_exit_code_1_of_a_part_that_worked_before_is_tried_again() -> None:
    """What worked once may work again: only the first start believes exit code 1."""
    child, _ = children.exited(ready_child(), Ending(-9), 1.0)
    _, decision = children.exited(children.started(child, 11, 2.0), Ending(1), 2.5)
    assert isinstance(decision, RestartAfter)


def test_crashes_before_readiness_end_after_a_few_attempts() -> None:
    """A part that keeps dying at start ends the platform; the reason says how often and how."""
    child, decision = Child(), None
    for attempt in range(children.MAX_FAILED_STARTS):
        child, decision = children.exited(children.started(child, attempt, 0.0), Ending(-11), 0.0)
    assert decision == GiveUp("died 3 times in a row before it was ready; the last time it was ended by SIGSEGV")


def test_becoming_ready_clears_failed_starts() -> None:
    """Failed starts count in a row only."""
    child, _ = children.exited(children.started(Child(), 1, 0.0), Ending(-11), 0.0)
    child = children.became_ready(children.started(child, 2, 0.0), 0.0)
    assert child.failed_starts == 0


def test_a_part_that_never_got_ready_says_why() -> None:
    """When we end a part that doesn't become ready, the reason is its own, whatever its exit code."""
    ending = Ending(1, "last line", not_ready="not ready after 60 s (database: locked)")
    _, decision = children.exited(children.started(Child(), 1, 0.0), ending, 60.0)
    assert decision == RestartAfter(children.FIRST_DELAY, "was ended: not ready after 60 s (database: locked)")


def test_a_stopped_child_stays_stopped() -> None:
    """An end that was asked for is no death."""
    child, decision = children.exited(children.stopping(ready_child(), 1.0), Ending(-9), 2.0)
    assert isinstance(decision, Done)
    assert child.state is State.STOPPED


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(0), "exited with code 0"),
        (Ending(-15), "was ended by SIGTERM"),
        (Ending(-250), "was ended by signal 250"),
        (Ending(-9, "out of memory"), "was ended by SIGKILL: out of memory"),
    ],
)
def test_endings_are_said_in_words(ending: Ending, words: str) -> None:
    """Signals have names, codes are numbers."""
    assert str(ending) == words
