"""The orchestrator's settings."""

from __future__ import annotations

import pytest
from botswain_orchestrator.agent.names import KNOWN_FORMS, parse_model_name
from botswain_orchestrator.settings import OrchestratorSettings
from botswain_services import SettingsError, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OrchestratorSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("BOTSWAIN_ENV", "development")


def test_the_defaults() -> None:
    """Without variables: the documented ports, a SQLite file, the scripted model."""
    settings = load_settings(OrchestratorSettings)
    assert (settings.http_port, settings.grpc_port, settings.bind_host) == (8000, 50051, "127.0.0.1")
    assert settings.database_url == "sqlite:///data/botswain.db"
    assert settings.execution_service_url == "grpc://execution-service:50052"
    assert settings.model == "scripted"


def test_approvers_are_ids_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces don't matter; a name is refused."""
    monkeypatch.setenv("APPROVER_IDS", "1441700000000000000, 1441700000000000001")
    assert load_settings(OrchestratorSettings).approver_ids == ("1441700000000000000", "1441700000000000001")
    monkeypatch.setenv("APPROVER_IDS", "ada")
    with pytest.raises(SettingsError, match="APPROVER_IDS: 'ada' is not a user id such as 1441700000000000000"):
        load_settings(OrchestratorSettings)


@pytest.mark.parametrize("url", ["postgresql://user:pw@db/x", "postgres://db/x", "postgresql+psycopg://db:5433/x"])
def test_postgresql_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each of the forms in use; and no representation of the settings shows the password."""
    monkeypatch.setenv("DATABASE_URL", url)
    settings = load_settings(OrchestratorSettings)
    assert settings.database_url == url
    assert "pw" not in repr(settings)


def test_a_server_without_a_database_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error shows the form, not the value."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2@db")
    with pytest.raises(
        SettingsError, match="DATABASE_URL: names no database: postgresql://user:password@host"
    ) as caught:
        load_settings(OrchestratorSettings)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "botswain.db", "sqlite:///"])
def test_a_database_that_would_lose_events_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a file will do."""
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="sqlite:///relative"):
        load_settings(OrchestratorSettings)


@pytest.mark.parametrize("name", ["gpt-5", "openai:", "openai: ", "scripted:x", "claude:opus", ""])
def test_an_unknown_model_lists_the_known_forms(name: str) -> None:
    """The error shows every form that is known."""
    with pytest.raises(ValueError) as caught:
        parse_model_name(name)
    assert all(form in str(caught.value) for form in KNOWN_FORMS)


def test_an_unknown_model_is_a_settings_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops the start, and names the variable."""
    monkeypatch.setenv("MODEL", "gpt-5")
    with pytest.raises(SettingsError, match="MODEL: 'gpt-5' is not a model"):
        load_settings(OrchestratorSettings)


def test_models_are_split_at_the_first_colon() -> None:
    """Ollama's names have colons of their own."""
    assert parse_model_name("ollama:llama3.2:3b") == ("ollama", "llama3.2:3b")


def test_an_execution_url_of_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable and the form."""
    monkeypatch.setenv("EXECUTION_SERVICE_URL", "http://localhost:1")
    with pytest.raises(SettingsError, match=r"EXECUTION_SERVICE_URL: .*grpc://host:port"):
        load_settings(OrchestratorSettings)


def test_openai_without_a_key_or_a_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two is needed, and the error says so."""
    monkeypatch.setenv("MODEL", "openai:gpt-5-mini")
    with pytest.raises(SettingsError, match=r"MODEL_API_KEY is required .* MODEL_BASE_URL"):
        load_settings(OrchestratorSettings)
    monkeypatch.setenv("MODEL_BASE_URL", "http://127.0.0.1:1/v1")
    assert load_settings(OrchestratorSettings).model == "openai:gpt-5-mini"
