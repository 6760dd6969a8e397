"""Botswain's inbound Discord adapter: reads shards, normalises messages, forwards them to the orchestrator."""

from botswain_discord.errors import DiscordRefusedError, DiscordServiceError, MalformedPayloadError
from botswain_discord.gateway_client import GatewayClient
from botswain_discord.handler import DiscordGatewayHandler
from botswain_discord.service import DiscordAdapter
from botswain_discord.settings import DiscordSettings

__all__ = [
    "DiscordAdapter",
    "DiscordGatewayHandler",
    "DiscordRefusedError",
    "DiscordServiceError",
    "DiscordSettings",
    "GatewayClient",
    "MalformedPayloadError",
]
