"""What runs on Windows, run here without what Windows has not: uvloop, fork, inherited sockets, signal handlers of event loops.

The ways that only differ there by the system's own doing (its sockets, its pipes) can't be seen from here.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from botswain_services import ServerStatus
from launchables import Leaves
from test_launch import Running, wait_until

HERE = Path(__file__).parent

SCRIPT = """
import json, sys
from pathlib import Path
from botswain_services import LaunchError, ServerStatus, launching
from launchables import FailsToStart, Leaves

launching._INHERITS = False  # as sys.platform has it there
if __name__ == "__main__":
    notes, workers = sys.argv[1], int(sys.argv[2])
    with Leaves.launch(port=0, notes=notes, secret="abc", num_workers=workers, progress_bar=False) as manager:
        seen = [manager.length()["length"] for _ in range(5)]
        pid_file = Path(manager.pid_file().pid_file)
        kept = pid_file.exists()
    assert manager.status == ServerStatus.DOWN
    try:
        FailsToStart.launch(port=0, progress_bar=False, num_workers=workers)
    except LaunchError as error:
        failure = str(error)
    print(json.dumps({"seen": seen, "kept": kept, "left": pid_file.exists(), "failure": failure}))
"""


@pytest.fixture
def without(environment):
    """The environment of programs that do without."""
    environment.setenv("PYTHONPATH", os.pathsep.join([str(HERE / "without_posix"), str(HERE)]))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_service_starts_answers_and_ends(tmp_path, without, workers):
    """Launched processes bind by themselves; clean-up, pid files and failures are as everywhere."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    notes = tmp_path / "notes"
    command = [sys.executable, str(script), str(notes), str(workers)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert "the database at db:5432 does not answer" in result.pop("failure")
    assert result == {"seen": [3] * 5, "kept": True, "left": False}
    assert len(notes.read_text().splitlines()) == workers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_launcher_ends_kindly(tmp_path, without, number):
    """`Launcher` serves on the standard event loop and handles signals without its help."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "botswain_services.launcher", "-s", "launchables.Leaves", "-b", address]
    notes = tmp_path / "notes"
    with Running([*command, "--init-params", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdin.write(json.dumps({"notes": str(notes)}).encode())
        running.stdin.close()
        wait_until(lambda: Leaves.status_at_host(f"http://{address}") is ServerStatus.AVAILABLE)
        running.send_signal(number)
        assert running.wait(20) == 0
        assert b"Traceback" not in running.stderr.read()
    assert notes.read_text().startswith("cleaned")


def test_the_helper_takes_what_it_says(without):
    """Else these tests would show nothing."""
    code = "import os, select\nassert not hasattr(os, 'fork') and not hasattr(select, 'poll')\nimport uvloop"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.splitlines()[-1].startswith("ModuleNotFoundError"), run.stderr
