"""The service's settings. Those that concern a shipped server are handed to the file of MCP servers as variables."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from botswain_services import ServiceSettings
from pydantic import Field, SecretStr, field_validator

DISCORD_API = "https://discord.com/api/v10"


def shipped_config() -> Path:
    """The file that comes with the service: in the source tree, or under the environment it is installed in."""
    beside = Path(__file__).resolve().parents[2] / "config" / "mcp_servers.json"
    return beside if beside.exists() else Path(sys.prefix, "share", "config", "mcp_servers.json")


class ExecutionSettings(ServiceSettings):
    """What execution-service reads from its environment."""

    http_port: int = Field(default=8001, ge=0, le=65535, description="Port of probes, metrics and /tools.")
    grpc_port: int = Field(default=50052, ge=0, le=65535, description="Port of ExecutionService.")
    bind_host: str = Field(default="127.0.0.1", description="Address both listen on.")
    mcp_servers_config: Path = Field(
        default_factory=shipped_config, description="The file of MCP servers; the shipped one when not set."
    )
    discord_bot_token: SecretStr | None = Field(
        default=None, description="Bot token of the discord server; without it, its tools answer with an error."
    )
    discord_api_url: str = Field(default=DISCORD_API, description="Where Discord's REST API, or a stand-in, is.")
    filesystem_root: Path = Field(
        default=Path(".botswain/files"), description="The only folder the filesystem server reads and writes in."
    )
    fetch_allow_private: bool = Field(
        default=False, description="Let the fetch server ask private, loopback and link-local addresses."
    )

    @field_validator("discord_api_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is not an http:// or https:// URL")
        return value.rstrip("/")

    def variables(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What `${NAME}` stands for in the file of MCP servers: the environment, these settings, and PYTHON."""
        token = self.discord_bot_token.get_secret_value() if self.discord_bot_token else ""
        return {
            "PYTHON": sys.executable,
            **environment,
            "DISCORD_BOT_TOKEN": token,
            "DISCORD_API_URL": self.discord_api_url,
            "FILESYSTEM_ROOT": str(self.filesystem_root.absolute()),
            "FETCH_ALLOW_PRIVATE": str(self.fetch_allow_private).lower(),
        }
