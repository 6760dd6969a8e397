"""`python -m botswain_services.launcher`: serves a class in this process, or in several workers.

    python -m botswain_services.launcher -s package.module.EchoService -b 127.0.0.1:8000 -w 2 < init.json

Arguments for the constructor are read from standard input (`--init-params -`), as a JSON object: an argument of the command
would stand in the process list. `Service.launch()` starts this module too, with orders of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import socket
import sys
import threading
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from uuid import uuid4

from botswain_services import naming
from botswain_services.errors import LaunchError, ServiceError
from botswain_services.lifecycle import EXIT_FAILED, EXIT_OK, bind
from botswain_services.orders import ClassReference, Order, Report, read_order, write_report
from botswain_services.urls import parse_url
from botswain_services.workers import serve_one, supervise


class Launcher:
    """Serves one service class until it is told to stop.

    Args:
        options: `server_class` (dotted name), `bind` (`host:port`), `num_workers`, `pid` (file for the process id, or None),
            `init_params` (a JSON object as text, or None). `worker_class` is accepted and not used: workers are of one kind.
    """

    def __init__(self, options: Namespace) -> None:
        module, _, qualname = options.server_class.rpartition(".")
        if not module:
            raise LaunchError(f"server class {options.server_class!r} is not of the form package.module.Class")
        init = json.loads(getattr(options, "init_params", None) or "{}")
        url = parse_url(options.bind)
        name = qualname.rpartition(".")[2]
        self.order = Order(
            service=ClassReference(module, qualname, None),
            init=pickle.dumps({key: pickle.dumps(value) for key, value in init.items()}),
            url=str(url),
            listener=None,
            num_workers=getattr(options, "num_workers", 1) or 1,
            pid_file=getattr(options, "pid", None) or naming.pid_file(name, uuid4()),
            log_file=naming.log_file(name),
            log_to_stderr=True,
            report_file=None,
        )

    def run(self) -> int:
        """Serve; the process's exit code."""
        return execute(self.order, gone=None)


def execute(order: Order, gone: Callable[[Callable[[], None]], None] | None) -> int:
    """Carry out an order. `gone` takes a function to call when the process that gave it is no more."""
    try:
        listener = _listener(order)
        with listener, _pid_file(order.pid_file):
            if order.num_workers == 1:
                serve_one(order, listener, gone, lambda: write_report(order.report_file, Report()))
            else:
                supervise(order, listener, gone, lambda: write_report(order.report_file, Report()))
    except ServiceError as error:
        # A worker's own traceback came with its error; of this process's own errors the message says all.
        return _failed(order, str(error), getattr(error, "worker_traceback", ""))
    except Exception as error:  # noqa: BLE001 - whatever keeps a service from starting belongs into its report
        return _failed(order, f"{type(error).__name__}: {error}", traceback.format_exc())
    return EXIT_OK


def _failed(order: Order, reason: str, trace: str) -> int:
    write_report(order.report_file, Report(error=reason, traceback=trace))
    if order.report_file is None or not Path(order.report_file).exists():
        print(f"start-up: {reason}", file=sys.stderr)  # noqa: T201 - nobody else is there to be told
        if trace:
            print(trace, file=sys.stderr)  # noqa: T201
    return EXIT_FAILED


def _listener(order: Order) -> socket.socket:
    if order.listener is None:
        url = parse_url(order.url)
        return bind(url.host or "localhost", url.port if url.port is not None else 80)
    listener = socket.socket(fileno=order.listener)
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def _pid_file(path: str) -> Iterator[None]:
    """Keep this process's id in a file while the block runs; its siblings of the same name go with it."""
    file = Path(path)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        for sibling in file.parent.glob(f"{file.name}*"):
            sibling.unlink(missing_ok=True)


def _when_gone(stream: IO[bytes]) -> Callable[[Callable[[], None]], None]:
    """Watch the pipe to the launching process in a thread: reading it ends when that process does."""

    def watch(act: Callable[[], None]) -> None:
        def wait() -> None:
            with contextlib.suppress(OSError, ValueError):
                while stream.read(1024):
                    pass
            act()

        threading.Thread(target=wait, name="launcher-gone", daemon=True).start()

    return watch


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m botswain_services.launcher", description="Serve a service class.")
    parser.add_argument(
        "-s", "--server_class", default="botswain_services.service.Service", help="dotted name of the class"
    )
    parser.add_argument("-w", "--num_workers", type=int, default=1, help="worker processes (default: 1)")
    parser.add_argument(
        "-b", "--bind", default="127.0.0.1:8080", help="host:port to serve at (default: 127.0.0.1:8080)"
    )
    parser.add_argument("-p", "--pid", default=None, help="file for the process id")
    parser.add_argument("-k", "--worker_class", default=None, help="accepted for older callers; not used")
    parser.add_argument(
        "--init-params",
        choices=["-"],
        default=None,
        help="-: read the constructor's arguments from stdin, a JSON object",
    )
    parser.add_argument("--order-on-stdin", nargs=2, metavar=("CLASS", "URL"), help=argparse.SUPPRESS)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.order_on_stdin:
            stream = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
            return execute(read_order(stream), _when_gone(stream))
        if options.init_params:
            options.init_params = sys.stdin.read()
        return Launcher(options).run()
    except (ServiceError, ValueError) as error:
        print(f"start-up: {error}", file=sys.stderr)  # noqa: T201 - the process ends here
        return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
