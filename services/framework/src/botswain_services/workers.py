"""Serving an order: in this process, or in several workers that share one listening socket and are watched over.

A worker and its supervisor talk over a pipe. `ready`, `stopped` and `failed` go up; anything that comes down, and the pipe's
end, means stop: signals would be counted, and a terminal sends its own to every process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from botswain_services import generation, lifecycle, logs
from botswain_services.errors import LaunchError, ServiceError
from botswain_services.orders import Order, resolve
from botswain_services.service import Service, construction
from botswain_services.tracing import configure_tracing, shutdown_tracing

Gone = Callable[[Callable[[], None]], None]
RESTART_SECONDS = 1.0
"""Least time between two starts of one worker."""
END_SECONDS = 35.0
"""What workers are given to drain before they are killed."""


def serve_one(order: Order, listener: socket.socket, gone: Gone | None, ready: Callable[[], None]) -> None:
    """Build the service and serve it in this process.

    Raises:
        ServiceError: it could not start.
    """

    async def main() -> None:
        stop = asyncio.Event()
        if gone is not None:
            loop = asyncio.get_running_loop()

            def stop_from_thread() -> None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
                    loop.call_soon_threadsafe(stop.set)

            gone(stop_from_thread)
        await lifecycle.serve(_build(order), stop=stop, listener=listener, on_ready=ready)

    try:
        lifecycle.run_in_loop(main())
    finally:
        shutdown_tracing()


def _build(order: Order) -> Service:
    service_class = resolve(order.service)
    init = {name: pickle.loads(value) for name, value in pickle.loads(order.init).items()}  # noqa: S301 - see orders
    offered = {"url": order.url, "pid_file": order.pid_file}
    token = construction.set(offered)
    try:
        service = service_class(**generation.accepted(service_class, offered), **init)
    finally:
        construction.reset(token)
    settings = service.settings
    logs.configure_logging(service.name, level=settings.log_level, log_format=settings.log_format)
    logs.add_log_file(order.log_file, keep_stderr=order.log_to_stderr)
    if settings.otel_exporter_otlp_endpoint:
        configure_tracing(service.name, endpoint=settings.otel_exporter_otlp_endpoint)
    return service


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    started: float
    ready: bool = False


def supervise(order: Order, listener: socket.socket, gone: Gone | None, ready: Callable[[], None]) -> None:
    """Run `order.num_workers` workers until one of them, a signal or `gone` says stop. A worker that dies is replaced.

    Raises:
        LaunchError: a worker could not start; with its own error and traceback.
    """
    with tempfile.TemporaryDirectory(prefix="botswain-metrics-") as metrics:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
        supervisor = _Supervisor(order, listener, ready)
        with supervisor.signals():
            if gone is not None:
                gone(supervisor.stop)
            supervisor.run()


class _Supervisor:
    def __init__(self, order: Order, listener: socket.socket, ready: Callable[[], None]) -> None:
        self._order = order
        self._listener = listener
        self._ready = ready
        self._announced = False
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._stopping = False
        self._wake_reader, self._wake_writer = self._context.Pipe(duplex=False)
        self._failure: LaunchError | None = None

    def stop(self) -> None:
        """Make `run()` end; from any thread or signal handler."""
        with contextlib.suppress(OSError):
            self._wake_writer.send_bytes(b"stop")

    @contextlib.contextmanager
    def signals(self) -> Any:
        numbers = (signal.SIGTERM, signal.SIGINT)
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def run(self) -> None:
        self._workers = [self._start() for _ in range(self._order.num_workers)]
        try:
            while not self._stopping:
                self._step()
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure

    def _start(self) -> _Worker:
        mine, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._order, self._listener, theirs), name="worker")
        process.start()
        theirs.close()
        return _Worker(process, mine, time.monotonic())

    def _step(self) -> None:
        pipes: list[Any] = [self._wake_reader, *(worker.pipe for worker in self._workers)]
        for one in wait(pipes):
            if one is self._wake_reader:
                self._stopping = True
                continue
            worker = next(worker for worker in self._workers if worker.pipe is one)
            try:
                self._hear(worker, worker.pipe.recv())
            except (EOFError, OSError):
                self._died(worker)

    def _hear(self, worker: _Worker, message: tuple[str, str, str]) -> None:
        kind, text, trace = message
        if kind == "ready":
            worker.ready = True
            if not self._announced and all(one.ready for one in self._workers):
                self._announced = True
                self._ready()
        elif kind == "stopped":
            self._stopping = True
        elif not self._announced:
            self._failure = LaunchError(text, worker_traceback=trace)
            self._stopping = True
        else:
            print(f"worker: {text}\n{trace}", file=sys.stderr)  # noqa: T201 - its end follows, and its replacement

    def _died(self, worker: _Worker) -> None:
        worker.process.join()
        worker.pipe.close()
        if not worker.ready:
            self._failure = self._failure or LaunchError(f"a worker ended with exit code {worker.process.exitcode}")
            self._stopping = self._stopping or not self._announced
        if self._stopping:
            self._workers.remove(worker)
            return
        self._failure = None
        pause = worker.started + RESTART_SECONDS - time.monotonic()
        if pause > 0 and self._wake_reader.poll(pause):
            self._stopping = True
            self._workers.remove(worker)
            return
        self._workers[self._workers.index(worker)] = self._start()

    def _end(self) -> None:
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send("stop")
        deadline = time.monotonic() + END_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


def _work(order: Order, listener: socket.socket, pipe: Connection) -> None:
    """A worker's main function."""
    listener.setblocking(False)

    def tell(*message: str) -> None:
        with contextlib.suppress(OSError):
            pipe.send(message)

    def gone(act: Callable[[], None]) -> None:
        def watch() -> None:
            with contextlib.suppress(EOFError, OSError):
                pipe.recv()
            act()

        threading.Thread(target=watch, name="supervisor-gone", daemon=True).start()

    try:
        with listener:
            serve_one(order, listener, gone, lambda: tell("ready", "", ""))
    except ServiceError as error:
        tell("failed", str(error), "")
    except Exception as error:  # noqa: BLE001 - the supervisor hands on whatever it was
        tell("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    else:
        tell("stopped", "", "")
