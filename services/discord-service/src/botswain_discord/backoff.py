"""How long to wait between attempts."""

from __future__ import annotations

import random

LONGEST = 60.0


def reconnect_delay(failures: int) -> float:
    """Seconds to wait after `failures` breaks in a row: none after the first, then 1, 2, 4, … 60, less up to a half by chance."""
    if failures <= 1:
        return 0.0
    return min(2.0 ** min(failures - 2, 16), LONGEST) * random.uniform(0.5, 1)  # noqa: S311 - spreading load
