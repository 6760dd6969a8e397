"""A stand-in for Discord, for any bot: gateway, REST, files, a chat page, a control API with fault injection.

Public names: `Simulator` (run one inside a test), `Settings`, `World` and `Draft` (what it knows, and a message to be).
"""

from botswain_simulator.settings import Settings
from botswain_simulator.simulator import Simulator
from botswain_simulator.world import Draft, World

__all__ = ["Draft", "Settings", "Simulator", "World"]
