"""`/health`, `/ready` and `/metrics` of the operator process.

`/ready` answers while the process waits for the lease too: a standby that isn't ready would look like a fault.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from botswain_operator.errors import OperatorError
from botswain_operator.metrics import REGISTRY


@dataclass(slots=True)
class State:
    """How far the process is. `role` is `standby` until it holds the lease."""

    role: str = "standby"
    reasons: list[str] = field(default_factory=lambda: ["starting"])
    """Why it isn't ready; empty when it is."""

    def say(self, reason: str) -> None:
        """Have one reason, or none if it is empty."""
        self.reasons = [reason] if reason else []


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether a line of aiohttp's server is about anything else than what somebody sent here that is no HTTP (answered 400)."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def start_server(state: State, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serve until the runner is cleaned up; the port, which matters if it was 0.

    Raises:
        OperatorError: the port is taken.
    """

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def ready(_: web.Request) -> web.Response:
        body = {"status": "not ready" if state.reasons else "ready", "role": state.role, "reasons": state.reasons}
        return web.json_response(body, status=503 if state.reasons else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    logging.getLogger("aiohttp.server").addFilter(_is_our_fault)
    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/ready", ready), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise OperatorError(
            f"can't listen on {host}:{port}: {error.strerror or error}. HTTP_PORT sets another port."
        ) from error
    return runner, int(runner.addresses[0][1])
