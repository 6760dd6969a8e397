"""The one question `botswain dev` asks Discord itself: which application a bot token belongs to."""

from __future__ import annotations

from botswain_cli.errors import BadTokenError, DiscordUnavailableError

TIMEOUT = 15.0


def check_token(token: str) -> str:
    """The token without the space around it that copying leaves.

    Raises:
        BadTokenError: it can't be one.
    """
    token = token.strip()
    if any(character.isspace() or not character.isprintable() or ord(character) > 126 for character in token):
        raise BadTokenError(
            "DISCORD_BOT_TOKEN holds spaces or characters that no token has. Copy it anew from "
            "https://discord.com/developers/applications, your application, Bot, Reset Token."
        )
    return token


def application_id(token: str, api_url: str) -> str:
    """The id of the application that `token` belongs to, from `GET /applications/@me`.

    Args:
        api_url: with the version, e.g. https://discord.com/api/v10.

    Raises:
        BadTokenError: Discord refuses the token.
        DiscordUnavailableError: no answer, or one that isn't Discord's.
    """
    import httpx

    url = f"{api_url.rstrip('/')}/applications/@me"
    headers = {"Authorization": f"Bot {token}", "User-Agent": "DiscordBot (https://botswain.dev, 0.1.0)"}
    try:
        response = httpx.get(url, headers=headers, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = str(error) or type(error).__name__
        raise DiscordUnavailableError(f"can't ask {url} whose token DISCORD_BOT_TOKEN is: {why}") from error
    if response.status_code == 401:
        raise BadTokenError(
            f"Discord ({api_url}) refuses DISCORD_BOT_TOKEN: 401 Unauthorized. Copy the token anew from "
            "https://discord.com/developers/applications, your application, Bot, Reset Token."
        )
    try:
        found = response.json()["id"] if response.status_code == 200 else None
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, str) or not found.isdecimal():
        raise DiscordUnavailableError(
            f"{url} answered {response.status_code} and no application. Try again, or set DISCORD_APPLICATION_ID yourself."
        )
    return found
