"""What to do with a child process: its state, and what follows from each thing that happens to it. No I/O, no clock.

    waiting ──▶ starting ──▶ ready
                 │  ▲          │
                 │  └─ backing off ◀┘ died
                 ▼
               failed          stopping ──▶ stopped   (from any state, when asked)

A part that says it can't work is believed: exit code 2 (a setting is wrong) ends it for good, and so does exit code 1 before it
was ever ready, because the service kit means "could not start, and trying again won't help" by it. Anything else is tried again.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from enum import StrEnum

EXIT_FAILED, EXIT_SETTINGS = 1, 2
MAX_FAILED_STARTS = 3
"""Starts in a row that may end before the part is ready."""
FIRST_DELAY, MAX_DELAY = 0.5, 30.0
"""Seconds between a death and the next start: doubled each time, up to the second."""
STEADY_AFTER = 60.0
"""Seconds of being ready after which earlier deaths are forgotten."""


class State(StrEnum):
    """Where a child stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing off"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: its code as `subprocess` gives it (negative: the signal), and its last error line, if it had one.

    `not_ready` says why it was ended by us: it didn't become ready in time.
    """

    code: int
    last_error: str = ""
    not_ready: str = ""

    def __str__(self) -> str:
        if self.not_ready:
            return f"was ended: {self.not_ready}"
        words = f"exited with code {self.code}"
        if self.code < 0:
            words = f"was ended by {_signal_name(-self.code)}"
        return f"{words}: {self.last_error}" if self.last_error else words


@dataclass(frozen=True, slots=True)
class Child:
    """One child. `since` is when its state began, in seconds of any steady clock."""

    state: State = State.WAITING
    since: float = 0.0
    pid: int | None = None
    was_ready: bool = False
    failed_starts: int = 0
    deaths: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class RestartAfter:
    """Start it again after `delay` seconds."""

    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It won't run; the platform ends."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """It ended because it was asked to."""


Decision = RestartAfter | GiveUp | Done


def started(child: Child, pid: int, now: float) -> Child:
    """Its process was started."""
    restarts = child.restarts + (child.state is State.BACKING_OFF)
    return replace(child, state=State.STARTING, since=now, pid=pid, restarts=restarts)


def became_ready(child: Child, now: float) -> Child:
    """It answered that it is ready."""
    return replace(child, state=State.READY, since=now, was_ready=True, failed_starts=0)


def stopping(child: Child, now: float) -> Child:
    """It was asked to stop."""
    return replace(child, state=State.STOPPING, since=now)


def exited(child: Child, ending: Ending, now: float) -> tuple[Child, Decision]:
    """Its process ended: what it is now, and what to do."""
    gone = replace(child, since=now, pid=None)
    if child.state is State.STOPPING:
        return replace(gone, state=State.STOPPED), Done()
    if ending.code == EXIT_SETTINGS:
        return replace(gone, state=State.FAILED), GiveUp(f"has a wrong setting: {ending.last_error or ending}")
    if child.state is State.READY:
        steady = now - child.since >= STEADY_AFTER
        gone = replace(gone, state=State.BACKING_OFF, deaths=1 if steady else child.deaths + 1)
        return gone, RestartAfter(delay(gone.deaths), str(ending))
    if ending.code == EXIT_FAILED and not child.was_ready and not ending.not_ready:
        return replace(gone, state=State.FAILED), GiveUp(f"can't start: {ending.last_error or ending}")
    gone = replace(gone, state=State.BACKING_OFF, failed_starts=child.failed_starts + 1, deaths=child.deaths + 1)
    if gone.failed_starts >= MAX_FAILED_STARTS:
        reason = f"died {gone.failed_starts} times in a row before it was ready; the last time it {ending}"
        return replace(gone, state=State.FAILED), GiveUp(reason)
    return gone, RestartAfter(
        delay(gone.deaths), str(ending) if ending.not_ready else f"{ending} (it was not ready yet)"
    )


def delay(deaths: int) -> float:
    """Seconds to wait after so many deaths in a row."""
    return min(MAX_DELAY, FIRST_DELAY * 2.0 ** (max(deaths, 1) - 1))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
