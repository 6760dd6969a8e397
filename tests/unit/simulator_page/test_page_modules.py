"""The page's pure modules, under node's own test runner: the `*.test.mjs` files beside this one."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.needs("node")
@pytest.mark.parametrize("path", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name)
def test_the_pages_pure_modules_do_what_their_own_tests_say(path: Path) -> None:
    """Every test of this file passes under `node --test`."""
    run = subprocess.run(["node", "--test", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\n# fail 0" in run.stdout
