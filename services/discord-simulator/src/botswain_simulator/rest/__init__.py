"""Discord's REST API, v10. `Rest` is the way in."""

from botswain_simulator.rest.app import Rest

__all__ = ["Rest"]
