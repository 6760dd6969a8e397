"""When a server that failed is started again. Pure: the clock is an argument.

Delays double from `FIRST_DELAY` to `LONGEST_DELAY`. After `BREAKER_THRESHOLD` failures in a row the breaker is open: callers are
told at once instead of being kept waiting, while starts go on. A process that stayed up for `STABLE_AFTER` closes it; until then
its success counts for nothing, or a server that crashes on its first call would be restarted in a tight loop.
"""

from __future__ import annotations

FIRST_DELAY = 0.1
LONGEST_DELAY = 30.0
STABLE_AFTER = 10.0
BREAKER_THRESHOLD = 5
"""Times in seconds."""


class Backoff:
    """The failures in a row of one server, over all its replicas."""

    def __init__(self) -> None:
        self.failures = 0

    @property
    def is_open(self) -> bool:
        """Whether callers are refused at once."""
        return self.failures >= BREAKER_THRESHOLD

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start."""
        if self.failures == 0:
            return 0.0
        return min(FIRST_DELAY * 2.0 ** (self.failures - 1), LONGEST_DELAY)

    def failed(self, lived: float) -> None:
        """A process ended unasked, `lived` seconds after it was ready (0: it never was)."""
        if lived >= STABLE_AFTER:
            self.failures = 0
        self.failures += 1

    def proved(self) -> None:
        """A process has been up for `STABLE_AFTER`."""
        self.failures = 0
