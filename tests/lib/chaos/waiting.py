"""Waiting for what nothing announces: other processes don't call back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(ask: Callable[[], Awaitable[T]], deadline: float, *, every: float = 0.05) -> T:
    """Ask until the answer is true, at most `deadline` seconds; the last answer."""
    end = time.monotonic() + deadline
    while not (answer := await ask()) and time.monotonic() < end:  # noqa: ASYNC110 - as above
        await asyncio.sleep(every)
    return answer
