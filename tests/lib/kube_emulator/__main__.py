"""`python -m kube_emulator`: an emulator to look at with kubectl; prints the path of a kubeconfig for it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from pathlib import Path

from kube_emulator.server import serving


def _write(port: int, kubeconfig: str) -> Path:
    path = Path(tempfile.gettempdir(), f"kube-emulator-{port}.yaml")
    path.write_text(kubeconfig)
    return path


async def _run(port: int) -> None:
    async with serving(port) as emulator:
        print(f"export KUBECONFIG={_write(emulator.port, emulator.kubeconfig())}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m kube_emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args().port))
