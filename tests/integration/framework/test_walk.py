"""docs/framework.md: its programs run, and print what the page says they print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "framework.md"
BLOCKS = re.findall(r"```python\n# (\w+\.py)\n(.*?)```(?:\s*```text\n(.*?)```)?", PAGE.read_text(), re.DOTALL)
PROGRAMS = [name for name, _, output in BLOCKS if output]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_page_prints_what_it_says(tmp_path, program):
    """From an empty folder with the page's files in it."""
    for name, source, _ in BLOCKS:
        (tmp_path / name).write_text(source)
    expected = next(output for name, _, output in BLOCKS if name == program)
    run = subprocess.run(
        [sys.executable, "-W", "error", program], cwd=tmp_path, capture_output=True, text=True, timeout=110
    )
    assert run.stdout == expected, run.stderr
    # Whoever looks for a service that had this port before may knock.
    told = [line for line in run.stderr.splitlines() if "Invalid HTTP request received" not in line]
    assert told == []


def test_the_page_has_programs():
    """The pattern finds them."""
    assert PROGRAMS == ["use.py", "tools.py", "door.py"]
