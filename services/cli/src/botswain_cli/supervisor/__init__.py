"""Keeps a handful of processes running: starts them in order, waits until each is ready, restarts what dies, ends everything.

`children` decides, as plain functions on plain data; `processes` starts and ends one process; `supervisor` joins the two;
`reaper` is a process of its own that ends the rest should the supervisor be killed.
"""

from botswain_cli.supervisor.children import Child, Ending, State
from botswain_cli.supervisor.supervisor import Part, Supervisor

__all__ = ["Child", "Ending", "Part", "State", "Supervisor"]
