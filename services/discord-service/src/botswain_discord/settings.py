"""The settings of discord-service: environment variables, read once, at start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from botswain_services import ServiceSettings, SettingsError
from botswain_services.rpc import parse_target
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

DEFAULT_API_URL = "https://discord.com/api/v10"
DEFAULT_INTENTS = ("guilds", "guild_messages", "dm_messages", "message_content")


class DiscordSettings(ServiceSettings):
    """What discord-service reads."""

    discord_bot_token: SecretStr = Field(
        description="the bot's token, from the Bot page of Discord's Developer Portal."
    )
    discord_application_id: str = Field(
        description="the application's id, from the same portal; it names the bot everywhere."
    )
    discord_api_url: str = Field(default=DEFAULT_API_URL, description="Base of Discord's REST API, with its version.")
    discord_intents: Annotated[tuple[str, ...], NoDecode] = Field(
        default=DEFAULT_INTENTS, description="Gateway intents to ask for, by discord.py's names, separated by commas."
    )
    shard_ids: Annotated[tuple[int, ...] | None, NoDecode] = Field(
        default=None, description="Shards this process runs, separated by commas; none: all that Discord recommends."
    )
    shard_count: int | None = Field(default=None, ge=1, description="Shards of the whole bot. Set with SHARD_IDS.")
    gateway_service_url: str = Field(
        default="http://orchestrator-service:8000",
        description="The orchestrator: http(s)://host:port posts events, grpc(s)://host:port streams them; several IP "
        "addresses, separated by commas, are replicas.",
    )
    bind_host: str = Field(default="127.0.0.1", description="Address the health server listens on.")
    health_port: int = Field(default=8003, ge=0, le=65535, description="Port of the health server; 0: a free one.")
    outbox_limit: int = Field(
        default=10_000, ge=1, description="Events for the orchestrator that are kept in memory; more wait in a file."
    )
    outbox_dir: Path | None = Field(
        default=None, description="Folder of that file; none: the system's folder for temporary files."
    )
    outbox_file_limit: int = Field(
        default=1_073_741_824,
        ge=0,
        description="Its largest size in bytes; then reading from Discord pauses. 0: no file. Streams only.",
    )
    event_log_rate: int = Field(
        default=100, ge=0, description="Most log lines a second about single events; the rest is counted. 0: none."
    )

    @field_validator("discord_bot_token")
    @classmethod
    def _check_token(cls, token: SecretStr) -> SecretStr:
        value = token.get_secret_value().strip()
        if value.lower().startswith("bot "):
            raise ValueError("starts with 'Bot '; give the token alone")
        if not value or any(not 33 <= ord(character) <= 126 for character in value):
            raise ValueError("holds characters that no token has; copy it from the Developer Portal again")
        return SecretStr(value)

    @field_validator("discord_application_id")
    @classmethod
    def _check_application_id(cls, value: str) -> str:
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            raise ValueError(f"{value!r} is not an id such as 1441700000000000000")
        return value

    @field_validator("discord_api_url")
    @classmethod
    def _check_api_url(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ValueError(f"{url!r} is not of the form {DEFAULT_API_URL}")
        return url.rstrip("/")

    @field_validator("gateway_service_url")
    @classmethod
    def _check_gateway_service_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
            raise ValueError(f"{url!r} is none of http://host:port, https://…, grpc://… and grpcs://…")
        if parts.scheme in ("grpc", "grpcs"):
            try:
                parse_target(url, variable="GATEWAY_SERVICE_URL")
            except SettingsError as error:
                raise ValueError(str(error).partition(": ")[2]) from None
        elif "," in parts.netloc:
            raise ValueError(f"{url!r}: several addresses go with grpc://… and grpcs://… only")
        return url.rstrip("/")

    @field_validator("discord_intents", mode="before")
    @classmethod
    def _split_intents(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip().lower() for name in value.split(",") if name.strip())
        return value

    @field_validator("discord_intents")
    @classmethod
    def _check_intents(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from discord import Intents

        unknown = sorted(set(names) - set(Intents.VALID_FLAGS))
        if unknown:
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(sorted(Intents.VALID_FLAGS))}")
        if not names:
            raise ValueError("names no intent; leave the variable out for the default")
        return names

    @field_validator("shard_ids", mode="before")
    @classmethod
    def _split_shard_ids(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isascii() and part.isdigit() for part in parts):
            raise ValueError(f"{value!r} is not a list of shard numbers such as 0,1,2")
        return tuple(int(part) for part in parts)

    @model_validator(mode="after")
    def _check_shards(self) -> Self:
        ids, count = self.shard_ids, self.shard_count
        if ids is None and count is None:
            return self
        if ids is None or count is None:
            given, missing = ("SHARD_COUNT", "SHARD_IDS") if ids is None else ("SHARD_IDS", "SHARD_COUNT")
            raise ValueError(f"{given} is set and {missing} is not: set both, or neither")
        if not ids:
            raise ValueError("SHARD_IDS is empty: name at least one shard, or leave SHARD_IDS and SHARD_COUNT out")
        if len(set(ids)) != len(ids):
            raise ValueError(f"SHARD_IDS names a shard twice: {','.join(map(str, ids))}")
        if max(ids) >= count or min(ids) < 0:
            raise ValueError(f"SHARD_IDS {','.join(map(str, ids))}: with SHARD_COUNT {count} they are 0 to {count - 1}")
        return self
