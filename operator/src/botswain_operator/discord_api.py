"""What the operator asks Discord: is the token good, how many shards does it recommend, what is left of the IDENTIFYs."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from botswain_operator.errors import DiscordError, InvalidToken
from botswain_operator.observed import GatewayFacts

TIMEOUT_SECONDS = 10


def user_id_of(token: str) -> str:
    """The bot's user id, which the token's first part spells in base64; empty if it doesn't."""
    first = token.strip().split(".")[0]
    try:
        decoded = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return decoded if decoded.isdigit() else ""


async def ask_gateway(session: aiohttp.ClientSession, base_url: str, token: str) -> GatewayFacts:
    """`GET /gateway/bot` and `GET /users/@me`.

    Raises:
        InvalidToken: Discord answers 401.
        DiscordError: it can't be reached, answers with an error, or with something else than it documents.
    """
    gateway = await _get(session, base_url, "/gateway/bot", token)
    user = await _get(session, base_url, "/users/@me", token)
    try:
        limit = gateway["session_start_limit"]
        return GatewayFacts(
            recommended_shards=int(gateway["shards"]),
            identify_total=int(limit["total"]),
            identify_remaining=int(limit["remaining"]),
            reset_at=datetime.now(UTC).replace(microsecond=0) + timedelta(milliseconds=int(limit["reset_after"])),
            max_concurrency=int(limit["max_concurrency"]),
            user_id=str(user["id"]),
            username=str(user["username"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DiscordError(f"{base_url}/gateway/bot answers without {error}") from None


async def _get(session: aiohttp.ClientSession, base_url: str, path: str, token: str) -> Any:
    url = base_url.rstrip("/") + path
    headers = {"Authorization": f"Bot {token.strip()}", "User-Agent": "DiscordBot (https://botswain.dev, 0.1)"}
    try:
        async with session.get(url, headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)) as response:
            if response.status == 401:
                raise InvalidToken(
                    "Discord refuses the token (401). Reset it in the developer portal and put it into the Secret"
                )
            if response.status != 200:
                raise DiscordError(f"{url} answers {response.status}")
            return await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise DiscordError(f"{url}: {type(error).__name__}") from None
