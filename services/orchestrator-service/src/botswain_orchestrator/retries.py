"""When a turn that failed is tried again: a plain function.

Its lane waits for it, because order holds inside a lane; so the attempts are few and the pauses short. What fails for
longer than that becomes a dead letter, and the lane goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_PAUSE = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and after which pauses.

    Args:
        attempts: turns an event gets; at least 1.
        first_pause: seconds before the second; each further pause is twice as long.
    """

    attempts: int
    first_pause: float

    def pause(self, failures: int, chance: float) -> float | None:
        """Seconds until the next attempt; None: there is none.

        Args:
            failures: attempts that failed, at least 1.
            chance: from 0 to 1; makes the pause up to a half shorter, so that lanes that failed together don't come back
                together.
        """
        if failures >= self.attempts:
            return None
        full = min(LONGEST_PAUSE, self.first_pause * 2.0 ** min(failures - 1, 30))
        return full * (1 - chance / 2)
