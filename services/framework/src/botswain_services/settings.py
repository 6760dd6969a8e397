"""Settings from environment variables: one class a service, validated once, at start.

A field's name in upper case is its variable. Secrets are `SecretStr`, so that neither a log nor an error shows them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from botswain_services.errors import SettingsError

DEVELOPMENT_SECRET = "dev-secret-change-me"  # noqa: S105 - the documented default, refused outside development

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class FrameworkSettings(BaseSettings):
    """What clients and launchers read as well: addresses and folders, no secret."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    default_service_urls: dict[str, str] = Field(
        default={},
        description='JSON, class name to URL, e.g. {"EchoService": "http://localhost:8010"}; `Service`: all others.',
    )
    mcp_mount_path: str = Field(default="/mcp-server", description="Where a service mounts its MCP server.")
    mcp_http_app_path: str = Field(default="/mcp", description="The MCP endpoint below MCP_MOUNT_PATH.")
    service_state_dir: Path = Field(
        default=Path("~/.local/state/botswain"), description="Folder of pid files and of launched services' logs."
    )


class ServiceSettings(FrameworkSettings):
    """What every service of the platform reads."""

    botswain_env: Literal["development", "production"] = Field(
        default="production", description="`development` allows the default SERVICE_AUTH_SECRET."
    )
    service_auth_secret: SecretStr = Field(
        default=SecretStr(DEVELOPMENT_SECRET), description="Secret shared by the platform's services; signs their JWTs."
    )
    log_level: LogLevel = Field(default="INFO", description="Least level that is logged.")
    log_format: Literal["json", "console"] = Field(default="json", description="`json`: one object a line.")
    otel_exporter_otlp_endpoint: str | None = Field(
        default=None,
        description="Where spans go (OTLP over gRPC); none: spans are made, for their ids, and not exported.",
    )
    shutdown_grace_seconds: float = Field(
        default=25.0, gt=0, le=3600, description="Longest time to finish what is under way after SIGTERM, in seconds."
    )
    grpc_reflection: bool = Field(default=False, description="Serve gRPC reflection.")
    max_body_bytes: int = Field(default=16 * 1024 * 1024, ge=0, description="Largest body of a request; more is a 413.")
    request_timeout_seconds: float = Field(
        default=30.0, gt=0, description="Longest wait for a client's headers, and for its body to move on, in seconds."
    )
    api_gateway_url: str | None = Field(
        default=None, description="Gateway that this service registers itself with at start; none: with none."
    )
    advertised_url: str | None = Field(
        default=None, description="URL at which the gateway reaches this service; none: the one it is bound to."
    )

    @model_validator(mode="after")
    def _refuse_default_secret_in_production(self) -> Self:
        secret = self.service_auth_secret.get_secret_value()
        if self.botswain_env != "development" and secret == DEVELOPMENT_SECRET:
            raise ValueError(
                "SERVICE_AUTH_SECRET still has its development default. Set it to a random value, the same for all "
                "services of a bot, or set BOTSWAIN_ENV=development."
            )
        return self


S = TypeVar("S", bound=BaseSettings)


def load_settings(settings_class: type[S], **values: Any) -> S:
    """Read `settings_class` from the environment; `values` come before it.

    Raises:
        SettingsError: names every variable that is missing or wrong, a line each. Values are not repeated: one may be a secret.
    """
    try:
        return settings_class(**values)
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False, include_input=False):
            variable = "_".join(str(part) for part in problem["loc"]).upper()
            if problem["type"] == "missing":
                field = settings_class.model_fields.get(str(problem["loc"][0]))
                about = f": {field.description}" if field and field.description else ""
                lines.append(f"{variable} is required{about}")
            else:
                message = problem["msg"].removeprefix("Value error, ")
                lines.append(f"{variable}: {message}" if variable else message)
        raise SettingsError("\n".join(lines)) from None


L = TypeVar("L", bound=ServiceSettings)


def local_settings(settings_class: type[L], *, loopback: bool) -> L:
    """Settings of a service that was given none: the environment's.

    Where the environment holds neither BOTSWAIN_ENV nor a secret, a loopback address counts as development.

    Raises:
        SettingsError: a variable is wrong, or the address is reachable from elsewhere and there is no secret.
    """
    if loopback and not os.environ.get("BOTSWAIN_ENV") and not os.environ.get("SERVICE_AUTH_SECRET"):
        return load_settings(settings_class, botswain_env="development")
    return load_settings(settings_class)
