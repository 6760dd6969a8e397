"""What all tests share: programs from outside Python, and saying plainly which tests could not run without them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("project", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("project")

PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "node": ("node",), "npm": ("npm",)}
ROOT = Path(__file__).resolve().parents[1]


def find_program(name: str) -> str | None:
    """The path of an outside program by the name `needs` uses, or None."""
    if name not in PROGRAMS:
        raise pytest.UsageError(f"needs({name!r}): unknown program; tests/conftest.py knows {', '.join(PROGRAMS)}")
    return next((path for candidate in PROGRAMS[name] if (path := shutil.which(candidate))), None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a program that isn't here; under REQUIRE_PROGRAMS=1 (CI) let it fail instead."""
    missing = [name for mark in item.iter_markers("needs") for name in mark.args if find_program(name) is None]
    if not missing:
        return
    reason = f"not on this machine: {', '.join(missing)}"
    if os.environ.get("REQUIRE_PROGRAMS") == "1":
        pytest.fail(f"{reason}; REQUIRE_PROGRAMS=1 forbids to skip the test", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is. For tests marked `needs("chromium")`."""
    path = find_program("chromium")
    assert path is not None, "mark the test with @pytest.mark.needs('chromium')"
    return path


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT
