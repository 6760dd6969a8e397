"""Settings of discord-service: defaults, and complaints that name the variable."""

from __future__ import annotations

import pytest
from botswain_discord.settings import DiscordSettings
from botswain_services import SettingsError, load_settings

REQUIRED = {"DISCORD_BOT_TOKEN": "abc.def", "DISCORD_APPLICATION_ID": "900", "BOTSWAIN_ENV": "development"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]  # a closure's type says nothing more
    """Load settings from exactly these variables."""
    for name in DiscordSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def load_from(**variables: str) -> DiscordSettings:
        for name, value in {**REQUIRED, **variables}.items():
            monkeypatch.setenv(name, value)
        return load_settings(DiscordSettings)

    return load_from


def test_the_defaults_are_the_documented_ones(load) -> None:  # type: ignore[no-untyped-def]
    """With the two required variables the rest has its default."""
    settings = load()
    assert settings.gateway_service_url == "http://orchestrator-service:8000"
    assert settings.service_auth_secret.get_secret_value() == "dev-secret-change-me"
    assert (settings.health_port, settings.log_level, settings.log_format) == (8003, "INFO", "json")
    assert settings.discord_api_url == "https://discord.com/api/v10"
    assert settings.discord_intents == ("guilds", "guild_messages", "dm_messages", "message_content")
    assert (settings.shard_ids, settings.shard_count) == (None, None)


def test_a_missing_required_variable_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both, a line each, with what they are."""
    for name in REQUIRED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOTSWAIN_ENV", "development")
    with pytest.raises(SettingsError) as caught:
        load_settings(DiscordSettings)
    assert [line.split(" ")[0] for line in str(caught.value).splitlines()] == [
        "DISCORD_BOT_TOKEN",
        "DISCORD_APPLICATION_ID",
    ]


def test_shards_are_read_from_a_list(load) -> None:  # type: ignore[no-untyped-def]
    """Numbers separated by commas, spaces allowed."""
    settings = load(SHARD_IDS="1, 3", SHARD_COUNT="4")
    assert (settings.shard_ids, settings.shard_count) == ((1, 3), 4)


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"SHARD_IDS": "0"}, "SHARD_COUNT is not"),
        ({"SHARD_COUNT": "2"}, "SHARD_IDS is not"),
        ({"SHARD_IDS": "", "SHARD_COUNT": "2"}, "SHARD_IDS is not"),
        ({"SHARD_IDS": ",", "SHARD_COUNT": "2"}, "SHARD_IDS: ',' is not a list"),
        ({"SHARD_IDS": "[]", "SHARD_COUNT": "2"}, r"SHARD_IDS: '\[\]' is not a list"),
        ({"SHARD_IDS": "0,0", "SHARD_COUNT": "2"}, "names a shard twice"),
        ({"SHARD_IDS": "0,2", "SHARD_COUNT": "2"}, "they are 0 to 1"),
        ({"SHARD_IDS": "-1", "SHARD_COUNT": "2"}, "SHARD_IDS: '-1' is not a list"),
        ({"SHARD_IDS": "0", "SHARD_COUNT": "0"}, "SHARD_COUNT: "),
        ({"DISCORD_INTENTS": "guilds,telepathy"}, "DISCORD_INTENTS: unknown: telepathy; known: .*guild_messages"),
        ({"DISCORD_INTENTS": ","}, "DISCORD_INTENTS: names no intent"),
        ({"DISCORD_BOT_TOKEN": "Bot abc"}, "DISCORD_BOT_TOKEN: starts with 'Bot '"),
        ({"DISCORD_BOT_TOKEN": "ab c"}, "DISCORD_BOT_TOKEN: holds characters"),
        ({"DISCORD_APPLICATION_ID": "me"}, "DISCORD_APPLICATION_ID: 'me' is not an id"),
        ({"DISCORD_API_URL": "discord.com"}, "DISCORD_API_URL: 'discord.com' is not"),
        ({"GATEWAY_SERVICE_URL": "orchestrator:8000"}, "GATEWAY_SERVICE_URL: 'orchestrator:8000' is none of"),
        (
            {"GATEWAY_SERVICE_URL": "grpc://orchestrator"},
            "GATEWAY_SERVICE_URL: 'grpc://orchestrator' is not of the form",
        ),
        ({"GATEWAY_SERVICE_URL": "grpc://a:1,b:1"}, "GATEWAY_SERVICE_URL: .*several addresses must be IP addresses"),
        (
            {"GATEWAY_SERVICE_URL": "http://10.0.0.1:1,10.0.0.2:1"},
            "GATEWAY_SERVICE_URL: .*several addresses go with grpc",
        ),
        ({"HEALTH_PORT": "99999"}, "HEALTH_PORT: "),
        ({"OUTBOX_LIMIT": "0"}, "OUTBOX_LIMIT: "),
    ],
)
def test_wrong_values_are_named(load, variables: dict[str, str], complaint: str) -> None:  # type: ignore[no-untyped-def]
    """The error says which variable, what is wrong with it, and how it should look."""
    with pytest.raises(SettingsError, match=complaint):
        load(**variables)


def test_no_complaint_shows_the_token(load) -> None:  # type: ignore[no-untyped-def]
    """Neither a wrong token nor one beside another mistake is repeated."""
    for variables in ({"DISCORD_BOT_TOKEN": "secret stuff"}, {"DISCORD_BOT_TOKEN": "secret", "HEALTH_PORT": "x"}):
        with pytest.raises(SettingsError) as caught:
            load(**variables)
        assert "secret" not in str(caught.value)
