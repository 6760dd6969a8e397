"""Faults that tests inject: answers instead of the real ones, or something else that happens first, for requests that match."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from kube_emulator.errors import ApiRefusal


@dataclass
class Fault:
    """The next `times` requests whose method and path match are refused; with code 0 they are answered after `meanwhile`."""

    path: str
    code: int
    reason: str = "Injected"
    message: str = "injected by the test"
    method: str = ".*"
    times: int = 1
    retry_after: int | None = None
    meanwhile: Callable[[], object] = lambda: None
    """Done when the request arrives: somebody else was a moment earlier."""


@dataclass
class Faults:
    """The faults that are set, in order, and how many requests each kind of answer was given."""

    active: list[Fault] = field(default_factory=list)
    hit: int = 0

    def add(self, fault: Fault) -> None:
        self.active.append(fault)

    def check(self, method: str, path: str) -> None:
        """Refuse the request if a fault says so."""
        for fault in self.active:
            if fault.times and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                fault.times -= 1
                self.hit += 1
                fault.meanwhile()
                if not fault.code:
                    continue
                raise ApiRefusal(fault.code, fault.reason, fault.message, retry_after=fault.retry_after)
