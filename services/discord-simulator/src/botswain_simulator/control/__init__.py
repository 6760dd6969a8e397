"""The control API under /sim/: act as a person, look, break things. `Control` is the way in."""

from botswain_simulator.control.app import Control

__all__ = ["Control"]
