"""Running a process: serve HTTP and gRPC, start, wait for a signal, drain, clean up. The one place that handles signals.

Order at start: HTTP first, so that probes get an answer while the rest starts; then `startup()`; then gRPC; then ready, and
`run()`. Order at the end: not ready; `drain()`; gRPC finishes its calls; HTTP finishes its requests; `shutdown_cleanup()`. A
second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

import uvicorn
from fastapi import FastAPI

from botswain_services.errors import ServiceError, SettingsError, StartupError
from botswain_services.health import Health
from botswain_services.logs import get_logger
from botswain_services.rpc.server import RpcServer

log = get_logger(__name__)

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2


class Runnable(Protocol):
    """What `serve()` runs; `Service` is one."""

    host: str
    port: int
    health: Health
    app: FastAPI
    rpc: RpcServer | None
    shutdown_grace_seconds: float

    async def startup(self) -> None:
        """Make ready; raise StartupError if that can't be done."""

    async def run(self) -> None:
        """Work beside the calls; the process ends when this returns or raises. Cancelled before `drain()`."""

    async def drain(self) -> None:
        """Finish what is under way; take nothing new."""

    async def shutdown_cleanup(self) -> None:
        """Let go of everything."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are this module's


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        StartupError: the port is taken or not allowed; says which and why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StartupError(f"can't listen on {host}:{port}: {error.strerror or error}") from error
    listener.listen(2048)
    listener.setblocking(False)
    return listener


async def serve(service: Runnable, *, stop: asyncio.Event | None = None) -> None:
    """Run `service` until SIGTERM, SIGINT or `stop`; then drain it.

    Raises:
        StartupError: it could not start.
    """
    loop = asyncio.get_running_loop()
    stopping = stop or asyncio.Event()
    listener = bind(service.host, service.port)
    service.port = listener.getsockname()[1]
    config = uvicorn.Config(
        service.app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, int(service.shutdown_grace_seconds)),
    )
    http = _Server(config)
    http_task = loop.create_task(http.serve(sockets=[listener]), name="http")
    with _signals(loop, stopping.set):
        try:
            await _start(service, stopping)
            if not stopping.is_set():
                service.health.phase = "running"
                log.info(
                    "service_ready",
                    http=f"{service.host}:{service.port}",
                    grpc=service.rpc.port if service.rpc else None,
                )
                await _run(service, stopping, http_task)
        finally:
            service.health.phase = "draining"
            log.info("service_draining")
            try:
                await _end(service)
            finally:
                http.should_exit = True
                await http_task
                listener.close()
                log.info("service_stopped")


async def _start(service: Runnable, stopping: asyncio.Event) -> None:
    """Start up, unless a signal comes first."""

    async def start() -> None:
        await service.startup()
        if service.rpc is not None:
            await service.rpc.start()

    starting = asyncio.ensure_future(start())
    await _first_of(stopping.wait(), starting)
    if not starting.done():
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting


async def _run(service: Runnable, stopping: asyncio.Event, http_task: asyncio.Future[Any]) -> None:
    """Let the service work until it is told to stop, or ends by itself."""
    running = asyncio.ensure_future(service.run())
    try:
        await _first_of(stopping.wait(), http_task, running)
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _end(service: Runnable) -> None:
    grace = service.shutdown_grace_seconds
    try:
        async with asyncio.timeout(grace):
            await service.drain()
    except TimeoutError:
        log.warning("drain_timed_out", seconds=grace)
    if service.rpc is not None:
        await service.rpc.drain(grace)
    await service.shutdown_cleanup()


async def _first_of(waiter: Awaitable[Any], *tasks: asyncio.Future[Any]) -> None:
    """Wait for the first; raise what one of `tasks` raised."""
    waiting = asyncio.ensure_future(waiter)
    try:
        await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in tasks:
        if task.done():
            task.result()


@contextlib.contextmanager
def _signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> Iterator[None]:
    """First SIGTERM or SIGINT: stop. Second: end at once."""
    caught = 0

    def on_signal() -> None:
        nonlocal caught
        caught += 1
        if caught == 1:
            stop()
        else:
            sys.stderr.flush()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    wanted = (signal.SIGTERM, signal.SIGINT)
    try:
        for number in wanted:
            loop.add_signal_handler(number, on_signal)
    except (NotImplementedError, RuntimeError, ValueError):  # not the main thread, or Windows
        yield
        return
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


def run(build: Callable[[], Runnable]) -> int:
    """Build a service and serve it; the exit code of the process.

    Errors that a person can mend are printed in one line each, without a traceback: 2 for settings, 1 for the rest.
    """
    import uvloop

    async def main() -> None:
        await serve(build())

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
    except SettingsError as error:
        return _complain("settings", error, EXIT_SETTINGS)
    except StartupError as error:
        return _complain("start-up", error, EXIT_FAILED)
    return EXIT_OK


def _complain(about: str, error: ServiceError, code: int) -> int:
    for line in str(error).splitlines():
        print(f"{about}: {line}", file=sys.stderr)  # noqa: T201 - the process ends here; the line is for the person who started it
    return code
