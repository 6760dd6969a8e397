"""New ids for events: random, and cheap, since each event takes two.

Random bytes are drawn from the system some hundred ids at a time: one system call an id would cost as much as the event's text.
"""

from __future__ import annotations

import os
from collections.abc import Callable

DRAWN = 8_192
CORRELATION, TRACE = 16, 24
"""Bytes of a UUID, and of a trace id with a span id."""


class EventIds:
    """Makes correlation ids and beginnings of traces.

    Args:
        draw: random bytes, so many.
    """

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._draw = draw
        self._drawn = ""
        self._used = 0

    def correlation_id(self) -> str:
        """A UUID of version 4 (RFC 9562)."""
        digits = self._digits(CORRELATION)
        variant = "89ab"[int(digits[16], 16) & 3]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    def traceparent(self) -> str:
        """A `traceparent` that starts a sampled trace (W3C Trace Context), without a span."""
        digits = self._digits(TRACE)
        return f"00-{digits[:32]}-{digits[32:]}-01"

    def _digits(self, count: int) -> str:
        """The hexadecimal digits of so many bytes."""
        start, end = self._used, self._used + 2 * count
        if end > len(self._drawn):
            self._drawn = self._draw(DRAWN).hex()
            start, end = 0, 2 * count
        self._used = end
        return self._drawn[start:end]
