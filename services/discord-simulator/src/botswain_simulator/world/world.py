"""The whole of it: one class with every operation, built up from one module a concept."""

from botswain_simulator.world.webhooks import Webhooks


class World(Webhooks):
    """Everything the simulated Discord knows. In memory, single-threaded, and without any I/O.

    Operations return the object they made and tell subscribers at once (`subscribe`). They trust their arguments as far
    as Discord's rules go: `rest` and `control` check what comes from outside.
    """
