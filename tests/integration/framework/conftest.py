"""Launched services: every test gets its own, and none outlives it."""

import contextlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for launchables


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """A state folder of the test's own, and none of the settings of the person who runs it."""
    for name in ("BOTSWAIN_ENV", "SERVICE_AUTH_SECRET", "DEFAULT_SERVICE_URLS", "API_GATEWAY_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVICE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "5")
    return monkeypatch


@pytest.fixture
def launch():
    """`launch(cls, **parameters)`: on a free port; ended with the test."""
    managers = []

    def start(service_class, **parameters):
        manager = service_class.launch(port=parameters.pop("port", 0), progress_bar=False, **parameters)
        managers.append(manager)
        return manager

    yield start
    for manager in managers:
        with contextlib.suppress(Exception):
            manager._launched.end()
