"""A supervisor in a process of its own, to be killed: one kind stand-in, and a stubborn one with a child.

Usage: supervise_stand_ins.py PORT PORT PID_FILE. Prints the two process ids once both are ready.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from botswain_cli import probes
from botswain_cli.supervisor import Part, Supervisor
from botswain_cli.supervisor.supervisor import Listener

STAND_IN = str(Path(__file__).with_name("stand_in.py"))


async def main(first: str, second: str, pid_file: str) -> None:
    async with probes.make_client() as client:

        def part(name: str, port: str, *options: str) -> Part:
            probe = partial(probes.is_ready, client, f"http://127.0.0.1:{port}")
            return Part(name, (sys.executable, STAND_IN, port, *options), dict(os.environ), probe)

        parts = [part("kind", first), part("stubborn", second, "--ignore-term", "--grandchild", pid_file)]
        async with Supervisor(parts, Listener(lambda *_: None, lambda *_: None), grace=0.3) as supervisor:
            await supervisor.wait_ready()
            print(*(child.pid for child in supervisor.children.values()), flush=True)
            await supervisor.watch()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
