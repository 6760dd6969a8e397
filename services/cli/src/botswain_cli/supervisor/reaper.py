"""Ends the children of a supervisor that was killed, so that none is left behind.

The supervisor starts this file as a process in a session of its own and holds the other end of its standard input. Each line
there is `+<pid>` or `-<pid>`: a child that leads a process group began or ended. When the pipe closes, because the supervisor
ended in whatever way, what is left gets SIGTERM, and after a grace its whole group SIGKILL. A pipe works on every POSIX system;
Linux's PR_SET_PDEATHSIG would leave out macOS, and reaches neither the children's own children nor one that ignores the signal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable
from typing import TextIO

POLL = 0.05


def main() -> None:
    """Usage: reaper.py GRACE_SECONDS."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left = watch(sys.stdin)
    if left:
        end(left, grace=float(sys.argv[1]))


def watch(lines: TextIO) -> set[int]:
    """Read until the end; the children that are left."""
    left: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        (left.add if line[0] == "+" else left.discard)(pid)
    return left


def end(pids: Iterable[int], *, grace: float) -> None:
    """SIGTERM each, wait at most `grace` seconds for their groups to be gone, then SIGKILL the groups."""
    pids = list(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and any(_group_exists(pid) for pid in pids):
        time.sleep(POLL)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _group_exists(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


if __name__ == "__main__":
    main()
