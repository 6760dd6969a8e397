"""What a log line holds, and what it must not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

PROGRAM = """
from botswain_services.logs import configure_logging, get_logger

configure_logging("demo", log_format=FORMAT)

def call(token):
    raise ValueError("it broke")

try:
    call("abc" + "123")
except ValueError:
    get_logger("x").exception("call_failed")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_logged_without_local_variables(log_format: Literal["json", "console"]) -> None:
    """The traceback names the error and the functions; what their variables held is not in it."""
    program = PROGRAM.replace("FORMAT", repr(log_format))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "it broke" in done.stderr
    assert "call" in done.stderr
    assert "abc123" not in done.stderr


def lines_of(body: str, *, level: str = "INFO") -> list[dict[str, Any]]:
    """What a program with configured logs writes to stderr."""
    head = (
        "import logging\nfrom botswain_services.logs import add_log_file, bound, configure_logging, get_logger\n"
        f"configure_logging('demo', level={level!r})\nlog = get_logger('botswain_x')\n"
    )
    done = subprocess.run([sys.executable, "-c", head + body], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_every_line_says_when_where_and_what() -> None:
    """Timestamp, level, logger and service stand in each, and what the task bound; also in lines of the standard logging."""
    own, theirs = lines_of(
        "with bound(correlation_id='c-1'):\n"
        "    log.info('sent', count=2)\n"
        "    logging.getLogger('lib').warning('odd %s', 'thing', extra={'size': 3})\n"
    )
    assert own.pop("timestamp").endswith("Z")
    assert theirs.pop("timestamp")
    common = {"service": "demo", "correlation_id": "c-1"}
    assert own == {"event": "sent", "count": 2, "level": "info", "logger": "botswain_x", **common}
    assert theirs == {"event": "odd thing", "size": 3, "level": "warning", "logger": "lib", **common}


def test_levels_hold_for_each_logger() -> None:
    """What is below the level is left out; a logger may have a level of its own."""
    lines = lines_of(
        "log.debug('a')\nlog.info('b %s', 'c')\nlog.log(40, 'd')\n"
        "logging.getLogger('botswain_x').setLevel('ERROR')\nlog.warning('e')\nlog.critical('f')"
    )
    assert [(line["event"], line["level"]) for line in lines] == [("b c", "info"), ("d", "error"), ("f", "critical")]


@pytest.mark.parametrize(
    "value", ["'\\ud800'", "10**30", "{1: 2, (3, 4): 5}", "object()", "{'x'}", "b'y'", "float('nan')"]
)
def test_a_line_is_written_whatever_is_logged(value: str) -> None:
    """What JSON has no form for is shown somehow, and never raises."""
    program = (
        "from botswain_services.logs import configure_logging, get_logger\n"
        f"configure_logging('demo')\nget_logger('x').info('odd', value={value})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(done.stderr.decode("utf-8", "replace"))["event"] == "odd"


def test_a_handler_of_somebody_elses_gets_the_lines_too() -> None:
    """As records, whatever logger they came from."""
    lines = lines_of(
        "class Other(logging.Handler):\n"
        "    def emit(self, record):\n"
        "        print(f'{record.name} {record.levelname} {record.getMessage()[:16]}')\n"
        "logging.getLogger().addHandler(Other())\n"
        "import contextlib, io, sys\n"
        "seen = io.StringIO()\n"
        "with contextlib.redirect_stdout(seen):\n"
        "    log.warning('here')\n"
        "log.info('seen', text=seen.getvalue())"
    )
    assert lines[-1]["text"] == 'botswain_x WARNING {"event":"here",\n'


def test_a_full_disk_is_no_reason_to_fail(tmp_path: Path) -> None:
    """A log file that can't be written costs its lines, not the work that logs."""
    lines = lines_of(f"add_log_file({str(tmp_path / 'logs' / 'x.txt')!r}, keep_stderr=True)\n"
                     f"import shutil\nshutil.rmtree({str(tmp_path / 'logs')!r})\n"
                     "log.error('first')\nlog.error('second')")  # fmt: skip
    assert [line["event"] for line in lines] == ["first", "second"]


def test_a_file_gets_all_lines_and_stderr_the_bad_ones(tmp_path: Path) -> None:
    """In their order, and all of them at the process's end."""
    file = tmp_path / "logs" / "x.txt"
    lines = lines_of(
        f"add_log_file({str(file)!r}, keep_stderr=False)\n"
        "for n in range(2000):\n    log.info('line', n=n)\n"
        "log.warning('bad')"
    )
    assert [line["event"] for line in lines] == ["bad"]
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line.get("n") for line in written] == [*range(2000), None]
    assert file.stat().st_mode & 0o777 == 0o600
