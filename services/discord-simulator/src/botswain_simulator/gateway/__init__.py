"""Discord's gateway, v10: WebSocket sessions that are told what happens in the world."""

from botswain_simulator.gateway.connection import Connection, end_sessions
from botswain_simulator.gateway.hub import Hub
from botswain_simulator.gateway.sessions import Session

__all__ = ["Connection", "Hub", "Session", "end_sessions"]
