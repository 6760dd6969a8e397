"""A world with a clock that only moves when told to."""

import pytest
from botswain_simulator.world import Event, World
from botswain_simulator.world.defaults import build_default


class Clock:
    """Time for tests."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    world = World(clock)
    build_default(world)
    return world


@pytest.fixture
def events(world: World) -> list[Event]:
    """Everything that happens in the world from here on."""
    seen: list[Event] = []
    world.subscribe(seen.append)
    return seen
