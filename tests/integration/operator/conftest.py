"""Fixtures for the operator's tests: the real process against the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from kube_emulator.store import Body
from operator_world.world import World, chart_roles, running


@pytest.fixture(scope="session")
def roles() -> list[Body]:
    """The chart's roles and bindings."""
    return chart_roles()


@pytest.fixture
async def world(roles: list[Body]) -> AsyncIterator[World]:
    """An operator that is ready. At its end it must not have logged an error, nor have been forbidden anything."""
    async with running(roles) as found:
        yield found
    assert not found.operator.defects()


@pytest.fixture
async def stage(roles: list[Body]) -> AsyncIterator[World]:
    """A world whose operator is not started yet."""
    async with running(roles, start=False) as found:
        yield found
        await found.operator.stop() if found.operator.port else None
