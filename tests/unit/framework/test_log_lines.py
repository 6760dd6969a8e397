"""What a log line holds, and what it must not."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

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
