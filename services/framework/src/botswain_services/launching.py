"""`Service.launch()`: the launching process's side.

The launched process inherits the listening socket (so a taken port fails here, at once, and nothing can slip in between), and
gets its orders over its standard input: the class, and the constructor's arguments, which may hold secrets. The pipe stays
open. Its end, however the launching process ends, tells the launched one to drain and stop. What becomes of the start comes
back in a file of a private folder.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botswain_services import naming
from botswain_services.connecting import make_client, status_at
from botswain_services.errors import LaunchError, StartupError
from botswain_services.generation import accepted
from botswain_services.lifecycle import bind
from botswain_services.orders import Order, Report, end_reading, read_report, reference_to, write_order
from botswain_services.types import ServerStatus
from botswain_services.urls import Url, is_loopback

if TYPE_CHECKING:
    import socket

    from botswain_services.service import Service

POLL_SECONDS = 0.005
END_SECONDS = 30.0
"""What a launched process is given to drain before it is killed: its own grace period, and some."""


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How to launch: the parameters of `Service.launch`."""

    url: Url
    num_workers: int
    block: bool
    wait_for_launch: bool
    timeout: float
    progress_bar: bool


@dataclass
class Launched:
    """A launched process, and its end of the pipe."""

    process: subprocess.Popen[bytes]
    reaper: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        # Waited for all the time, so that it leaves no zombie whenever it ends.
        self.reaper = threading.Thread(target=self._reap, name="reaper", daemon=True)
        self.reaper.start()

    def _reap(self) -> None:
        self.process.wait()
        self.let_go()

    def let_go(self) -> None:
        """Close the pipe: the process drains and ends. Unlike signals it may be done twice."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self.process.stdin.close()

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its end; its exit code, or None when it goes on."""
        self.reaper.join(seconds)
        return self.process.returncode

    def end(self) -> None:
        """End it: kindly, and after `END_SECONDS` by force."""
        self.let_go()
        if self.wait(END_SECONDS) is None:
            self.process.kill()
            self.wait(5)


_active: list[Launched] = []


def launch(service_class: type[Service], options: LaunchOptions, init: dict[str, Any]) -> Any:
    """Start `service_class` in a process of its own.

    Raises:
        LaunchError: it does not run; says why.
    """
    end_reading()
    if options.num_workers < 1:
        raise LaunchError(f"num_workers is {options.num_workers}; at least 1 is needed")
    listener = _listen(service_class, options.url)
    with listener, tempfile.TemporaryDirectory(prefix="botswain-launch-") as folder:
        url = options.url._replace(port=listener.getsockname()[1])
        report_file = Path(folder) / "report" if options.wait_for_launch else None
        order = Order(
            service=reference_to(service_class),
            init=_pickled(service_class, init),
            url=str(url),
            listener=listener.fileno() if _INHERITS else None,
            num_workers=options.num_workers,
            pid_file=naming.pid_file(service_class.__name__, uuid4()),
            log_file=service_class.default_log_file(),
            log_to_stderr=options.block,
            report_file=str(report_file) if report_file is not None else None,
        )
        launched = _start(service_class, url, order, listener)
        _remember(launched)
        manager = None
        with _handing_on(launched) if options.block else contextlib.nullcontext():
            try:
                if report_file is not None:
                    _wait(service_class, url, launched, report_file, options)
                    manager = make_client(service_class, url, accepted(service_class, init))
                    manager._launched = launched
                if options.block:
                    _stay(launched)
            except BaseException:
                launched.end()
                raise
    return manager


_INHERITS = sys.platform != "win32"
"""Whether the listening socket can be handed to the new process."""


def _listen(service_class: type[Service], url: Url) -> socket.socket:
    host, port = url.host or "localhost", url.port if url.port is not None else 80
    try:
        return bind(host, port)
    except StartupError as error:
        probe = "127.0.0.1" if is_loopback(host) or host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
        status = status_at(f"http://{probe}:{port}", 1.0) if port else ServerStatus.DOWN
        known = f"; a service answers there: {status.value}" if status is not ServerStatus.DOWN else ""
        raise LaunchError(f"{service_class.__name__} {error}{known}") from None


def _pickled(service_class: type[Service], init: dict[str, Any]) -> bytes:
    parts = {}
    for name, value in init.items():
        try:
            parts[name] = pickle.dumps(value)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise LaunchError(
                f"{service_class.__name__}: parameter {name!r} is a {type(value).__name__}, which can't be handed to "
                f"another process ({type(error).__name__})"
            ) from None
    return pickle.dumps(parts)


def _start(service_class: type[Service], url: Url, order: Order, listener: socket.socket) -> Launched:
    # The last arguments are for people who read the process list.
    shown = str(url._replace(auth=None))
    command = [
        sys.executable,
        "-P",
        "-m",
        "botswain_services.launcher",
        "--order-on-stdin",
        service_class.__name__,
        shown,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    inherited: dict[str, Any] = {}
    if _INHERITS:
        inherited["pass_fds"] = (listener.fileno(),)
    else:
        listener.close()  # the new process binds by itself
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, **inherited)  # noqa: S603 - our own module
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it ended already; waiting for it says why
        write_order(process.stdin, order)
    return Launched(process)


def _wait(
    service_class: type[Service], url: Url, launched: Launched, report_file: Path, options: LaunchOptions
) -> None:
    deadline = time.monotonic() + options.timeout
    shown = f"Launching {service_class.__name__} at {url}"
    with _progress(shown, options.progress_bar, options.timeout) as tick:
        while True:
            ended = launched.process.returncode is not None
            report = read_report(report_file)
            if report is not None:
                return _judge(service_class, report)
            if ended:
                raise LaunchError(
                    f"{service_class.__name__} ended with exit code {launched.process.returncode} before it was ready"
                )
            if time.monotonic() > deadline:
                raise LaunchError(f"{service_class.__name__} was not ready within {options.timeout:g} s")
            tick()
            time.sleep(POLL_SECONDS)


def _judge(service_class: type[Service], report: Report) -> None:
    if report.error is not None:
        raise LaunchError(
            f"{service_class.__name__} could not start: {report.error}", worker_traceback=report.traceback
        )


@contextlib.contextmanager
def _progress(text: str, wanted: bool, timeout: float) -> Iterator[Any]:
    """A bar on stderr, where that is a terminal."""
    stream = sys.stderr
    if not wanted or not stream.isatty():
        yield lambda: None
        return
    started = time.monotonic()
    last = -1.0

    def tick() -> None:
        nonlocal last
        passed = time.monotonic() - started
        if passed - last >= 0.1:
            last = passed
            full = min(20, int(20 * passed / timeout)) if timeout else 20
            stream.write(f"\r{text} [{'#' * full}{'.' * (20 - full)}] {passed:.1f} s ")
            stream.flush()

    try:
        yield tick
    finally:
        stream.write(f"\r{text} {time.monotonic() - started:.1f} s{' ' * 26}\n")
        stream.flush()


def _stay(launched: Launched) -> None:
    """Wait for the process, and let signals in now and then."""
    while launched.wait(0.2) is None:
        pass


@contextlib.contextmanager
def _handing_on(launched: Launched) -> Iterator[None]:
    """Make SIGTERM and SIGINT end the process, which drains before this one goes on."""

    def hand_on(number: int, _frame: Any) -> None:
        # After Ctrl-C the terminal tells it too; a second signal would end it at once. Closing the pipe says the same once.
        launched.let_go()
        received.append(number)

    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, hand_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received and received[0] == signal.SIGINT:
        raise KeyboardInterrupt


def _remember(launched: Launched) -> None:
    if not _active:
        atexit.register(_end_all)
    _active[:] = [one for one in _active if one.process.returncode is None]
    _active.append(launched)


def _end_all() -> None:
    for one in _active:
        one.let_go()
    for one in _active:
        one.end()
    _active.clear()
