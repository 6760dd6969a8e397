"""The settings of a bot of one's own; those it shares with discord-service have the same names and rules."""

from __future__ import annotations

from urllib.parse import urlsplit

from botswain_services import ServiceSettings
from pydantic import Field, SecretStr, field_validator

from botswain_discord.errors import DiscordRefusedError
from botswain_discord.settings import DEFAULT_API_URL


class BotSettings(ServiceSettings):
    """What `DiscordClient` and `DiscordService` read."""

    discord_bot_token: SecretStr | None = Field(
        default=None, description="The bot's token, when none is given in code."
    )
    discord_api_url: str = Field(default=DEFAULT_API_URL, description="Base of Discord's REST API, with its version.")

    @field_validator("discord_api_url")
    @classmethod
    def _check_api_url(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ValueError(f"{url!r} is not of the form {DEFAULT_API_URL}")
        return url.rstrip("/")


def checked_token(given: str | None, settings: BotSettings) -> str:
    """The token to log in with.

    Raises:
        DiscordRefusedError: there is none, or it can't be one; the value is not repeated.
    """
    secret = settings.discord_bot_token
    token = (given or (secret.get_secret_value() if secret is not None else "")).strip()
    if not token:
        raise DiscordRefusedError("no bot token: give token=…, or set DISCORD_BOT_TOKEN")
    if token.lower().startswith("bot "):
        raise DiscordRefusedError("the bot token starts with 'Bot '; give the token alone")
    if any(not 33 <= ord(character) <= 126 for character in token):
        raise DiscordRefusedError(
            "the bot token holds characters that no token has; copy it from the Developer Portal again"
        )
    return token
