"""The whole platform for end-to-end tests: one that tests share, and what they use to start their own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

CHECKS = Path(__file__).resolve().parents[1] / "checks"
sys.path.insert(0, str(CHECKS))

from running_platform import RunningPlatform, running_platform  # noqa: E402 - found through the line above


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningPlatform]:
    """A platform for tests that only speak to it; one for each worker that has such tests."""
    async with running_platform(tmp_path_factory.mktemp("platform"), ["--rate-limits", "relaxed"]) as running:
        yield running
