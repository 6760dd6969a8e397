"""Takes from Python what it has not on Windows, as far as that can be taken on other systems.

Tests put this folder on PYTHONPATH, so that the programs they start, and what those launch, run without it from the first line.
"""

import asyncio
import os
import select
import sys

for module in ("uvloop", "fcntl", "resource", "pwd", "grp"):
    sys.modules[module] = None  # importing it is an ImportError
for name in (
    "fork",
    "forkpty",
    "register_at_fork",
    "getuid",
    "geteuid",
    "setsid",
    "killpg",
    "fchmod",
    "chown",
    "uname",
):
    if hasattr(os, name):
        delattr(os, name)
for name in ("poll", "epoll"):
    if hasattr(select, name):
        delattr(select, name)


def _not_there(self, *_args, **_options):
    raise NotImplementedError


asyncio.AbstractEventLoop.add_signal_handler = _not_there
asyncio.SelectorEventLoop.add_signal_handler = _not_there
