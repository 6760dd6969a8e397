"""What policy checkers say of the manifests."""

from __future__ import annotations

import subprocess
import sys

import pytest
from operator_world.programs import ROOT


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_checkov_finds_what_is_meant_and_nothing_else() -> None:
    """Chart, bots' manifests and Dockerfile pass checkov, but for what is so on purpose, with its reason."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/checks/policies.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
