"""Ports that others hold, the state file, and `botswain status` against real listeners."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from botswain_cli import ports, state_file
from botswain_cli.errors import AlreadyRunningError, CliError, NothingRunsError, PortsTakenError
from botswain_cli.ports import Wanted
from botswain_cli.state_file import Running, RunningPart

STAND_IN = Path(__file__).with_name("stand_in.py")


@contextmanager
def stand_in(*options: str) -> Iterator[tuple[int, int]]:
    """A listening stand-in: its port and process id."""
    port = ports.find_free("127.0.0.1", 1)[0]
    process = subprocess.Popen(
        [sys.executable, str(STAND_IN), str(port), *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stderr is not None
    try:
        assert b"listening" in process.stderr.readline()
        yield port, process.pid
    finally:
        process.terminate()
        process.communicate()


def botswain(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "botswain_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def status(*arguments: str) -> subprocess.CompletedProcess[str]:
    return botswain("status", *arguments)


def running(pid: int, created: float, port: int = 1) -> Running:
    return Running(pid, created, "http://page/", (RunningPart("one", "ready", 5, {"http": f"127.0.0.1:{port}"}),))


def test_a_taken_port_names_its_holder_and_the_ways_out() -> None:
    """The error says which port, for which part, who has it, and how to choose another."""
    with stand_in() as (port, pid), pytest.raises(PortsTakenError) as caught:
        ports.check_free("127.0.0.1", [Wanted("orchestrator", port, "--orchestrator-port", "ORCHESTRATOR_PORT")])
    message = str(caught.value)
    assert f"port {port}, for orchestrator, is taken by python" in message
    assert f"(pid {pid})" in message
    assert "--orchestrator-port or ORCHESTRATOR_PORT" in message
    assert "--free-ports" in message


def test_every_taken_port_is_named_at_once() -> None:
    """A person mends all in one go; a free port isn't named."""
    free = ports.find_free("127.0.0.1", 1)[0]
    with stand_in() as (first, _), stand_in() as (second, _), pytest.raises(PortsTakenError) as caught:
        ports.check_free("127.0.0.1", [Wanted("part", port, "--x", "X") for port in (first, free, second)])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)
    assert str(free) not in str(caught.value)


def test_one_port_for_two_parts_is_refused() -> None:
    """Two options with the same port contradict each other."""
    port = ports.find_free("127.0.0.1", 1)[0]
    with pytest.raises(PortsTakenError, match=f"port {port} is wanted twice: --a for one, --b for two"):
        ports.check_free("127.0.0.1", [Wanted("one", port, "--a", "A"), Wanted("two", port, "--b", "B")])


def test_free_ports_are_different_and_free() -> None:
    """As many as asked for."""
    found = ports.find_free("127.0.0.1", 20)
    assert len(set(found)) == 20
    ports.check_free("127.0.0.1", [Wanted("part", port, "--x", "X") for port in found])


def test_what_is_written_can_be_read_while_its_writer_lives(tmp_path: Path) -> None:
    """The state file round-trips."""
    mine = running(os.getpid(), psutil.Process().create_time())
    state_file.write(tmp_path, mine)
    assert state_file.read(tmp_path) == mine


def test_a_state_file_of_a_dead_process_is_stale(tmp_path: Path) -> None:
    """A process id that another process has by now doesn't count: the start time differs."""
    state_file.write(tmp_path, running(os.getpid(), psutil.Process().create_time() - 100))
    with pytest.raises(NothingRunsError, match="left over"):
        state_file.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "parts": []}', '{"format": 1, "parts": [{"odd": 1}]}'])
def test_a_state_file_that_is_not_ours_is_named(tmp_path: Path, text: str) -> None:
    """What was written by hand or by another version is refused with its path."""
    (tmp_path / state_file.FILE).write_text(text)
    with pytest.raises(CliError, match=r"dev\.json is not what"):
        state_file.read(tmp_path)


def test_a_data_directory_serves_one_run(tmp_path: Path) -> None:
    """A second run is refused while the first lives, with its process id; afterwards it may have it."""
    code = """if True:
        import sys, pathlib
        from botswain_cli import state_file
        with state_file.locked(pathlib.Path(sys.argv[1])):
            print('held')
    """
    command = [sys.executable, "-c", code, str(tmp_path)]
    with state_file.locked(tmp_path):
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert f"(pid {os.getpid()}) already runs" in refused.stderr
        assert AlreadyRunningError.__name__ in refused.stderr
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "held\n"


def test_the_secret_of_a_run_is_its_owners_and_goes_with_it(tmp_path: Path) -> None:
    """Nobody else may read it, even where an older file was open to all; it is gone once the run has ended."""
    path = tmp_path / state_file.SECRET
    path.touch(0o644)
    with state_file.locked(tmp_path):
        state_file.write_secret(tmp_path, "s3cret")
        assert path.stat().st_mode & 0o777 == 0o600
        assert state_file.read_secret(tmp_path) == "s3cret"
    assert not path.exists()
    with pytest.raises(CliError, match=r"dev\.secret"):
        state_file.read_secret(tmp_path)


def test_the_ledger_of_what_is_no_orchestrator() -> None:
    """Another service's answer is said to be one, with the address; exit code 1 and no traceback."""
    with stand_in() as (port, _):
        done = botswain("ledger", "--url", str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"botswain: the answer of http://127.0.0.1:{port} isn't what this version")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["ledger", "deadletters"])
def test_an_orchestrator_that_is_not_there(command: str) -> None:
    """Exit code 1; where nothing listens, and what to do."""
    port = ports.find_free("127.0.0.1", 1)[0]
    done = botswain(command, "--url", str(port))
    assert done.returncode == 1
    assert f"http://127.0.0.1:{port}: nothing listens there" in done.stderr
    assert "--url" in done.stderr


def test_status_of_what_runs(tmp_path: Path) -> None:
    """The state file's parts are asked; all ready gives exit code 0 and a table."""
    with stand_in() as (port, _):
        state_file.write(tmp_path, running(os.getpid(), psutil.Process().create_time(), port))
        done = status("--data-dir", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"http://127.0.0.1:{port}" in done.stdout


def test_status_says_why_a_part_is_not_ready() -> None:
    """Exit code 1, and the reasons that /ready gives, in JSON too."""
    with stand_in("--not-ready") as (port, _):
        done = status("--json", str(port))
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert answer["ready"] is False
    part = answer["parts"][0]
    assert (part["alive"], part["ready"], part["reasons"]) == (True, False, {"database": "locked"})
    assert part["name"] == "stand-in"


def test_status_of_an_address_where_nothing_listens() -> None:
    """Not alive, said in words, exit code 1."""
    port = ports.find_free("127.0.0.1", 1)[0]
    done = status(str(port))
    assert done.returncode == 1
    assert "nothing listens there" in done.stdout


def test_status_where_nothing_was_started(tmp_path: Path) -> None:
    """Exit code 1, and what to do."""
    done = status("--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "Start `botswain dev`" in done.stderr
