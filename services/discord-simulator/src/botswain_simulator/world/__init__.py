"""The pure, in-memory state of the simulated Discord. `World` is the way in."""

from botswain_simulator.world.events import Event
from botswain_simulator.world.messages import Draft
from botswain_simulator.world.world import World

__all__ = ["Draft", "Event", "World"]
