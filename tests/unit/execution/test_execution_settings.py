"""The settings of execution-service, and what of them reaches the file of servers."""

from __future__ import annotations

import sys

import pytest
from botswain_execution.settings import ExecutionSettings, shipped_config
from botswain_services import SettingsError, load_settings


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ExecutionSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    monkeypatch.setenv("SERVICE_AUTH_SECRET", "a secret that is long enough for HS256")


def test_defaults() -> None:
    """Without any variable but the secret the service has its documented ports and the shipped servers."""
    settings = load_settings(ExecutionSettings)
    assert (settings.http_port, settings.grpc_port, settings.bind_host) == (8001, 50052, "127.0.0.1")
    assert settings.mcp_servers_config == shipped_config()
    assert settings.discord_bot_token is None


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GRPC_PORT", "many", "GRPC_PORT: "),
        ("HTTP_PORT", "70000", "HTTP_PORT: "),
        ("DISCORD_API_URL", "discord.com", "DISCORD_API_URL: 'discord.com' is not an http:// or https:// URL"),
        ("FETCH_ALLOW_PRIVATE", "maybe", "FETCH_ALLOW_PRIVATE: "),
    ],
)
def test_wrong_values_name_their_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    """Each wrong setting is told by its name."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        load_settings(ExecutionSettings)
    assert str(error.value).startswith(words)


def test_variables_for_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """References see the settings with their defaults, the environment, and the Python that runs the service."""
    monkeypatch.setenv("DISCORD_BOT_TOKEN", "t0ken")
    monkeypatch.setenv("DISCORD_API_URL", "http://127.0.0.1:8090/api/v10/")
    variables = load_settings(ExecutionSettings).variables({"MINE": "1", "DISCORD_API_URL": "overridden"})
    assert variables["PYTHON"] == sys.executable
    assert variables["MINE"] == "1"
    assert variables["DISCORD_BOT_TOKEN"] == "t0ken"
    assert variables["DISCORD_API_URL"] == "http://127.0.0.1:8090/api/v10"
    assert variables["FETCH_ALLOW_PRIVATE"] == "false"
    assert variables["FILESYSTEM_ROOT"].endswith("/.botswain/files")
