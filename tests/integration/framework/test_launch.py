"""Launching: in a process of its own, with several workers, and all the ways it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from botswain_services import LaunchError, ServerStatus
from botswain_services.urls import parse_url
from launchables import Bare, Calculator, FailsToBuild, FailsToStart, Leaves, NeverReady

HERE = Path(__file__).parent


def wait_until(condition, seconds=60.0):
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_a_service_starts_answers_and_ends(launch, tmp_path):
    """From launch to shutdown: pid file there and gone, clean-up run, no process left."""
    manager = launch(Leaves, notes=str(tmp_path / "notes"))
    pid_file = Path(manager.pid_file().pid_file)
    process = psutil.Process(int(pid_file.read_text()))
    assert manager.shutdown().shutdown
    assert manager.status == ServerStatus.Down
    assert not pid_file.exists()
    assert not process.is_running()
    assert (tmp_path / "notes").read_text() == f"cleaned {process.pid}\n"


def test_secrets_reach_the_service_and_nothing_else(launch, tmp_path):
    """Constructor arguments are in no command line, no environment and no log."""
    secret = "hunter2-" * 3
    manager = launch(Leaves, notes=str(tmp_path / "notes"), secret=secret)
    assert manager.length() == {"length": len(secret)}
    process = manager._launched.process
    shown = " ".join(psutil.Process(process.pid).cmdline()) + str(psutil.Process(process.pid).environ())
    assert secret not in shown
    manager.shutdown()
    assert secret not in Path(Leaves.default_log_file()).read_text()


def test_large_parameters_arrive_whole(launch, tmp_path):
    """More than fits into a pipe at once."""
    manager = launch(Leaves, notes=str(tmp_path / "notes"), secret="x" * 1_000_000)
    assert manager.length() == {"length": 1_000_000}


def test_a_taken_port_fails_at_once_and_says_by_whom():
    """The error names the port and the process that has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"{port}.*in use.*by process {os.getpid()}"):
            Calculator.launch(host="127.0.0.1", port=port, progress_bar=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_fails_to_start_gives_its_own_error(workers):
    """Not an exit code: the reason, and where it happened."""
    with pytest.raises(LaunchError, match="the database at db:5432 does not answer"):
        FailsToStart.launch(port=0, num_workers=workers, progress_bar=False)
    with pytest.raises(LaunchError, match="KeyError: 'model'") as caught:
        FailsToBuild.launch(port=0, num_workers=workers, progress_bar=False)
    assert "launchables.py" in caught.value.worker_traceback


def test_a_start_that_takes_too_long_is_ended():
    """The deadline ends the process too."""
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(LaunchError, match="not ready within"):
        NeverReady.launch(port=0, timeout=1.5, progress_bar=False)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_what_cannot_be_handed_over_is_named():
    """A lock can't go to another process; the error says which parameter it was."""
    import threading

    with pytest.raises(LaunchError, match="'notes' is a lock"):
        Leaves.launch(port=0, notes=threading.Lock(), progress_bar=False)


def test_a_class_in_a_function_is_refused():
    """Another process could not find it."""

    class Local(Calculator):
        pass

    with pytest.raises(LaunchError, match="inside a function"):
        Local.launch(port=0, progress_bar=False)


def test_not_waiting_returns_at_once():
    """`wait_for_launch=False` gives None; `connect` waits for the start."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert Bare.launch(host="127.0.0.1", port=port, wait_for_launch=False) is None
    manager = Bare.connect(f"http://127.0.0.1:{port}")
    assert manager.hello() == {"hello": "world"}
    manager.shutdown()


def test_workers_share_the_load_and_end_together(launch, tmp_path):
    """Several processes answer; `/shutdown` through any ends all, and each cleans up."""
    manager = launch(Leaves, notes=str(tmp_path / "notes"), num_workers=2)
    family = psutil.Process(manager._launched.process.pid).children(recursive=True)
    manager.shutdown()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert gone
    assert len((tmp_path / "notes").read_text().splitlines()) == 2


def test_a_worker_that_dies_is_replaced(launch):
    """A killed worker costs its requests, not the service."""
    manager = launch(Calculator, num_workers=2)
    victim = manager.whoami()["pid"]
    os.kill(victim, signal.SIGKILL)
    main = psutil.Process(manager._launched.process.pid)
    wait_until(lambda: not psutil.pid_exists(victim))

    def workers():
        return [
            child
            for child in main.children()
            if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in str(child.cmdline())
        ]

    wait_until(lambda: len(workers()) == 2)
    assert manager.add(a=1).total == 2


SCRIPT = """
import sys
from botswain_services import Service

class FromMain(Service):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.add_endpoint("hello", lambda: {"hello": "main"})

if __name__ == "__main__":
    manager = FromMain.launch(port=0, progress_bar=False, block="block" in sys.argv, num_workers=int(sys.argv[1]))
    print(manager.hello(), manager.pid_file().pid_file, manager.url, flush=True)
    if "wait" in sys.argv:
        sys.stdin.read()
"""


class Running(subprocess.Popen):
    """A process that doesn't outlive its `with` block."""

    def __exit__(self, *exc):
        self.kill()
        super().__exit__(*exc)


def script(tmp_path, *arguments, source=SCRIPT):
    """A script in a process group of its own."""
    file = tmp_path / "script.py"
    file.write_text(source)
    return Running(
        [sys.executable, str(file), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_class_of_the_main_script_can_be_launched(tmp_path, workers):
    """The service ends with the script that launched it."""
    with script(tmp_path, workers) as running:
        out, err = running.communicate(timeout=60)
    assert "{'hello': 'main'}" in out, err
    assert not Path(out.split()[2]).exists()


def test_a_killed_launcher_takes_its_service_along(tmp_path):
    """No orphan holds the port."""
    with script(tmp_path, "1", "wait") as running:
        line = running.stdout.readline()
        pid_file = Path(line.split()[2])
        running.kill()
        running.communicate()
    wait_until(lambda: not pid_file.exists())


BLOCKING = """
from pathlib import Path
from botswain_services import Service

class Blocking(Service):
    async def startup(self):
        Path(NOTES).write_text("started")
    async def shutdown_cleanup(self):
        Path(NOTES).write_text("cleaned")

NOTES = {notes!r}
if __name__ == "__main__":
    Blocking.launch(port=0, block=True, num_workers={workers}, progress_bar=False)
    print("returned", flush=True)
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("number", "to_all"), [(signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGINT, True)], ids=str
)
def test_signals_end_a_blocking_launch_kindly(tmp_path, number, to_all, workers):
    """The service cleans up before the launching process ends; nothing is left behind. Ctrl-C reaches every process by itself."""
    notes = tmp_path / "notes"
    with script(tmp_path, source=BLOCKING.format(notes=str(notes), workers=workers)) as running:
        log = tmp_path / "state" / "logs" / "Blocking_logs.txt"
        wait_until(lambda: log.exists() and log.read_text().count("service_ready") == workers)
        family = psutil.Process(running.pid).children(recursive=True)
        if to_all:
            os.killpg(running.pid, number)
        else:
            running.send_signal(number)
        out, err = running.communicate(timeout=30)
    assert notes.read_text() == "cleaned", err
    assert not list((tmp_path / "state" / "pids").glob("*"))
    assert not psutil.wait_procs(family, timeout=5)[1]
    assert ("returned" in out) == (number == signal.SIGTERM)


def test_the_launcher_command_serves_a_class(tmp_path):
    """`python -m botswain_services.launcher` takes constructor arguments from stdin."""
    notes = tmp_path / "notes"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "botswain_services.launcher",
        "-s",
        "launchables.Leaves",
        "-b",
        f"127.0.0.1:{port}",
    ]
    with Running(
        [*command, "--init-params", "-", "-p", str(tmp_path / "pid")],
        stdin=subprocess.PIPE,
        cwd=HERE,
        stderr=subprocess.PIPE,
    ) as running:
        running.stdin.write(f'{{"notes": "{notes}", "secret": "abc"}}'.encode())
        running.stdin.close()
        wait_until(lambda: Leaves.status_at_host(f"http://127.0.0.1:{port}") is ServerStatus.AVAILABLE)
        assert int((tmp_path / "pid").read_text()) == running.pid
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
    assert notes.read_text().startswith("cleaned")
    assert not (tmp_path / "pid").exists()


def test_launching_twice_at_one_place_fails(launch):
    """The second says what answers there."""
    manager = launch(Bare)
    with pytest.raises(LaunchError, match="a service answers there: Available"):
        Bare.launch(url=str(parse_url(manager.url)), progress_bar=False)


def test_workers_end_with_a_killed_supervisor(launch):
    """No worker is left with the port."""
    manager = launch(Calculator, num_workers=2)
    main = psutil.Process(manager._launched.process.pid)
    workers = [child for child in main.children() if "spawn_main" in str(child.cmdline())]
    assert len(workers) == 2
    main.kill()
    assert not psutil.wait_procs(workers, timeout=20)[1]


PROGRESS = """
import sys
from botswain_services import Service

class Seen(Service):
    pass

Seen.launch(port=0, progress_bar=sys.argv[1] == "yes").shutdown()
"""


@pytest.mark.parametrize(("wanted", "terminal"), [("yes", True), ("no", True), ("yes", False)])
def test_a_progress_bar_is_for_terminals(tmp_path, wanted, terminal):
    """Shown where somebody looks and wants it; a file of a program's output stays free of it."""
    import pty

    file = tmp_path / "script.py"
    file.write_text(PROGRESS)
    ours, theirs = pty.openpty() if terminal else os.pipe()
    with Running([sys.executable, str(file), wanted], stderr=theirs) as running:
        os.close(theirs)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # how a terminal says that nobody writes any more
            pass
        assert running.wait(30) == 0, seen
    os.close(ours)
    assert (b"Launching Seen at http://localhost:" in seen) == (wanted == "yes" and terminal), seen
