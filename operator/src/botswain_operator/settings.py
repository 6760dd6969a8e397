"""What the operator process reads from its environment; the chart sets it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from botswain_operator.errors import SettingsError


class Settings(BaseModel):
    """A field's name in upper case is its variable. Times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    watch_namespaces: tuple[str, ...] = Field(
        default=(), description="Namespaces to serve, separated by commas; none: all."
    )
    image_registry: str = Field(default="", description="Registry and path of images that a bot doesn't name.")
    image_tag: str = Field(default="latest", description="Tag of images that a bot doesn't name.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = Field(
        default=(), description="Pull secrets for bots that name none, separated by commas."
    )
    bind_host: str = Field(default="127.0.0.1", description="Where /health, /ready and /metrics listen.")
    http_port: int = Field(
        default=8004, ge=0, le=65535, description="Port of /health, /ready and /metrics; 0: a free one."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    lease_name: str = Field(
        default="botswain-operator", description="Lease that keeps two operators from acting at once."
    )
    lease_namespace: str = Field(default="default", description="Namespace of the lease.")
    lease_seconds: float = Field(default=15.0, ge=1, description="How long a lease holds without being renewed.")
    identity: str = Field(
        default_factory=socket.gethostname, description="This process's name in the lease: the pod's."
    )
    workers: int = Field(default=16, ge=1, le=256, description="Bots that are reconciled side by side.")
    resync_seconds: float = Field(
        default=600.0, gt=0, description="How often everything is listed anew and every bot looked at."
    )
    discord_check_seconds: float = Field(
        default=600.0, gt=0, description="How often Discord is asked about a bot's token and limits."
    )
    shards_url: str = Field(
        default="http://{bot}-discord.{namespace}.svc:8003/ready",
        description="Where a bot's discord-service processes tell of their shards.",
    )
    shard_check_seconds: float = Field(default=60.0, gt=0, description="How often each bot's shards are asked after.")
    discord_api_url: str = Field(
        default="https://discord.com/api/v10", description="Discord, for bots that name no other."
    )

    @field_validator("watch_namespaces", "image_pull_secrets", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from the environment.

    Raises:
        SettingsError: names each variable that is wrong, with its value.
    """
    environment = os.environ if environ is None else environ
    given = {name: environment[name.upper()] for name in Settings.model_fields if environment.get(name.upper())}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        lines = [
            f"{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']} (it is {problem['input']!r})"
            for problem in error.errors(include_url=False)
        ]
        raise SettingsError("\n".join(lines)) from None
