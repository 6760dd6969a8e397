"""What a process says of itself to probes: alive (`/health`) and ready (`/ready`).

Liveness asks nothing but whether the event loop turns. Readiness asks each registered check; one that answers with a reason
makes the process not ready, and the reason is shown.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from botswain_services.logs import get_logger

Check = Callable[[], str | Awaitable[str | None] | None]
"""Returns None when all is well, else the reason in words. Raising counts as a reason."""

CHECK_TIMEOUT = 2.0
"""Seconds a check may take."""
log = get_logger(__name__)


@dataclass(slots=True)
class Readiness:
    """The answer to `/ready`."""

    ready: bool
    reasons: dict[str, str] = field(default_factory=dict)


class Health:
    """Lifecycle phase, checks and the details that `/ready` shows besides."""

    def __init__(self) -> None:
        self.phase: Literal["created", "starting", "running", "draining"] = "created"
        """`created` until somebody serves the process."""
        self.details: dict[str, Any] = {}
        """Shown by `/ready` as they are, e.g. `{"role": "standby"}`."""
        self._checks: dict[str, Check] = {}
        self._failing: set[str] = set()

    def add_check(self, name: str, check: Check) -> None:
        """Register a readiness check under `name`, in place of one with the same name."""
        self._checks[name] = check

    async def readiness(self) -> Readiness:
        """Run all checks side by side; log when others fail than the last time, so that no probe needs a line of its own."""
        if self.phase != "running":
            return Readiness(ready=False, reasons={"service": "starting" if self.phase == "created" else self.phase})
        names = list(self._checks)
        answers = await asyncio.gather(*(_run(self._checks[name]) for name in names))
        reasons = {name: answer for name, answer in zip(names, answers, strict=True) if answer is not None}
        if reasons.keys() != self._failing:
            self._failing = set(reasons)
            (log.warning if reasons else log.info)("not_ready" if reasons else "ready_again", **_prefixed(reasons))
        return Readiness(ready=not reasons, reasons=reasons)


def _prefixed(reasons: dict[str, str]) -> dict[str, str]:
    return {f"reason_{name.replace('-', '_')}": reason for name, reason in reasons.items()}


async def _run(check: Check) -> str | None:
    try:
        answer = check()
        if inspect.isawaitable(answer):
            answer = await asyncio.wait_for(answer, CHECK_TIMEOUT)
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT:g} s"
    except Exception as error:  # noqa: BLE001 - a check that breaks is a reason not to be ready, whatever broke
        return f"{type(error).__name__}: {error}"
    return answer
