"""Running a process: serve HTTP and gRPC, start, wait for a signal, drain, clean up. The one place that handles signals.

Order at start: HTTP first, so that probes get an answer while the rest starts; then `startup()`; then gRPC; then ready, and
`run()`. Order at the end: not ready; `drain()`; gRPC finishes its calls; HTTP finishes its requests; `shutdown_cleanup()`. All
of it shares one grace period. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from fastapi import FastAPI

from botswain_services.errors import ServiceError, SettingsError, StartupError
from botswain_services.health import Health
from botswain_services.logs import get_logger
from botswain_services.ports import describe_owner

if TYPE_CHECKING:
    from botswain_services.http_server import HttpServer
    from botswain_services.rpc.server import RpcServer

log = get_logger(__name__)

EXIT_OK, EXIT_FAILED, EXIT_SETTINGS = 0, 1, 2
CLEANUP_SECONDS = 2.0
"""What `shutdown_cleanup()` is given even when nothing of the grace period is left."""
KEEP_ALIVE_SECONDS = 65
"""How long an idle connection stays open: longer than the platform's own clients keep theirs, so that they close first."""

COLLECTION_THRESHOLDS = (10_000, 10, 10)
"""Of Python's garbage collector; its own default begins at 700 new objects, which a few requests make."""

_stop: ContextVar[asyncio.Event] = ContextVar("botswain_stop")


class Part(Protocol):
    """Something of the framework that lives and ends with a service."""

    async def started(self) -> None:
        """The service is ready."""

    async def draining(self) -> None:
        """The service takes nothing new from now on."""

    async def close(self) -> None:
        """The last request was answered."""


class Runnable(Protocol):
    """What `serve()` runs; `Service` is one."""

    host: str
    port: int
    health: Health
    app: FastAPI
    rpc: RpcServer | None
    shutdown_grace_seconds: float
    request_timeout_seconds: float
    parts: list[Part]

    async def startup(self) -> None:
        """Make ready; raise StartupError if that can't be done."""

    async def run(self) -> None:
        """Work beside the calls; the process ends when this returns or raises. Cancelled before `drain()`."""

    async def drain(self) -> None:
        """Finish what is under way; take nothing new."""

    async def shutdown_cleanup(self) -> None:
        """Let go of everything."""


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket.

    Raises:
        StartupError: the port is taken or not allowed; says which, why and, where that can be seen, by which process.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    else:  # where that would let two processes share the port, and another may insist on it
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        owner = describe_owner(port)
        raise StartupError(
            f"can't listen on {host}:{port}: {error.strerror or error}{owner and f' {owner}'}"
        ) from error
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def request_stop() -> bool:
    """End the service that the calling code runs in, as SIGTERM would; False where none is served."""
    event = _stop.get(None)
    if event is None:
        return False
    event.set()
    return True


async def serve(
    service: Runnable,
    *,
    stop: asyncio.Event | None = None,
    listener: socket.socket | None = None,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Run `service` until SIGTERM, SIGINT or `stop`; then drain it.

    Args:
        service: what to run.
        stop: ends it when set.
        listener: the socket to accept on; bound to the service's host and port when not given.
        on_ready: called once it is ready.

    Raises:
        StartupError: it could not start.
    """
    from botswain_services.http_server import HttpServer

    loop = asyncio.get_running_loop()
    stopping = stop or asyncio.Event()
    if listener is None:
        listener = bind(service.host, service.port)
    service.port = listener.getsockname()[1]
    service.health.phase = "starting"
    http = HttpServer(
        service.app,
        header_timeout=service.request_timeout_seconds,
        keep_alive=KEEP_ALIVE_SECONDS,
        grace=service.shutdown_grace_seconds,
    )
    token = _stop.set(stopping)  # requests run in contexts made from this one
    http_task = loop.create_task(http.serve(sockets=[listener]), name="http")
    _stop.reset(token)
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
                for part in service.parts:
                    await part.started()
                if on_ready is not None:
                    on_ready()
                await _run(service, stopping, http_task)
        finally:
            service.health.phase = "draining"
            log.info("service_draining")
            try:
                await _end(service, http, http_task)
            finally:
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


async def _end(service: Runnable, http: HttpServer, http_task: asyncio.Task[None]) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + service.shutdown_grace_seconds

    def remaining() -> float:
        return max(0.0, deadline - loop.time())

    async def step(name: str, work: Awaitable[None], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await work
        except TimeoutError:
            log.warning("shutdown_step_timed_out", step=name, seconds=round(seconds, 1))

    try:
        for part in service.parts:
            await step(type(part).__name__, part.draining(), remaining())
        await step("drain", service.drain(), remaining())
        if service.rpc is not None:
            await service.rpc.drain(remaining())
    finally:
        http.end(remaining())
        try:
            await http_task
        finally:
            await step("shutdown_cleanup", service.shutdown_cleanup(), max(CLEANUP_SECONDS, remaining()))
            for part in service.parts:
                await step(type(part).__name__, part.close(), CLEANUP_SECONDS)


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

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    undo = _handle_signals(loop, on_signal)
    try:
        yield
    finally:
        undo()


def _handle_signals(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> Callable[[], None]:
    """Call `act` in the event loop at SIGTERM and SIGINT; what undoes that."""
    wanted = (signal.SIGTERM, signal.SIGINT)
    try:
        for number in wanted:
            loop.add_signal_handler(number, act)
    except NotImplementedError:  # Windows: the event loop can't, Python can
        before = {number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(act)) for number in wanted}

        def undo() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

    else:

        def undo() -> None:
            for number in wanted:
                loop.remove_signal_handler(number)

    return undo


def run(build: Callable[[], Runnable], **options: Any) -> int:
    """Build a service and serve it; the exit code of the process. `options` are those of `serve()`.

    Errors that a person can mend are printed in one line each, without a traceback: 2 for settings, 1 for the rest.
    """

    async def main() -> None:
        await serve(build(), **options)

    try:
        run_in_loop(main())
    except SettingsError as error:
        return _complain("settings", error, EXIT_SETTINGS)
    except StartupError as error:
        return _complain("start-up", error, EXIT_FAILED)
    return EXIT_OK


def run_in_loop(main: Any) -> None:
    """Run a coroutine in the fastest event loop there is, in a process that does nothing else."""
    # What was imported stays: to look through it for garbage again and again takes a fifth of a small endpoint's time.
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    try:
        import uvloop
    except ImportError:  # Windows
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def _complain(about: str, error: ServiceError, code: int) -> int:
    for line in str(error).splitlines():
        print(f"{about}: {line}", file=sys.stderr)  # noqa: T201 - the process ends here; the line is for the person who started it
    return code
