"""Settings: read once, and every mistake named."""

import pytest
from botswain_services import ServiceSettings, SettingsError, load_settings
from pydantic import Field, SecretStr

SECRET = "a-secret-of-at-least-thirty-two-bytes"


class Example(ServiceSettings):
    """Two settings of a service of its own."""

    api_token: SecretStr = Field(description="Token of the API.")
    http_port: int = Field(default=8000, ge=1, le=65535)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Nothing of the person who runs the tests."""
    for name in ("BOTSWAIN_ENV", "SERVICE_AUTH_SECRET", "API_TOKEN", "HTTP_PORT", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_values_come_from_the_environment(environment):
    """A field's upper-case name is its variable."""
    environment.setenv("SERVICE_AUTH_SECRET", SECRET)
    environment.setenv("API_TOKEN", "t")
    environment.setenv("HTTP_PORT", "9000")
    settings = load_settings(Example)
    assert (settings.http_port, settings.api_token.get_secret_value()) == (9000, "t")


def test_every_missing_or_wrong_variable_is_named(environment):
    """One start shows all mistakes, a line each, with what the variable is for."""
    environment.setenv("SERVICE_AUTH_SECRET", SECRET)
    environment.setenv("HTTP_PORT", "99999")
    environment.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(SettingsError) as caught:
        load_settings(Example)
    message = str(caught.value)
    assert "API_TOKEN is required: Token of the API." in message
    assert "HTTP_PORT: " in message
    assert "LOG_LEVEL: " in message


def test_errors_never_repeat_a_value(environment):
    """A wrong value may be a secret that went into the wrong variable."""
    environment.setenv("SERVICE_AUTH_SECRET", SECRET)
    environment.setenv("API_TOKEN", "t")
    environment.setenv("HTTP_PORT", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings(Example)
    assert "hunter2" not in str(caught.value)


def test_the_default_secret_is_refused_outside_development(environment):
    """Nobody deploys with the documented secret by accident."""
    environment.setenv("API_TOKEN", "t")
    with pytest.raises(SettingsError, match="SERVICE_AUTH_SECRET still has its development default"):
        load_settings(Example)
    environment.setenv("BOTSWAIN_ENV", "development")
    assert load_settings(Example).botswain_env == "development"


def test_an_empty_variable_counts_as_absent(environment):
    """`VAR=` in a manifest means: the default."""
    environment.setenv("SERVICE_AUTH_SECRET", SECRET)
    environment.setenv("API_TOKEN", "t")
    environment.setenv("HTTP_PORT", "")
    assert load_settings(Example).http_port == 8000


def test_a_settings_object_shows_no_secret(environment):
    """Logging the settings is harmless."""
    environment.setenv("SERVICE_AUTH_SECRET", SECRET)
    environment.setenv("API_TOKEN", "t0ken")
    settings = load_settings(Example)
    assert SECRET not in repr(settings)
    assert "t0ken" not in repr(settings)
