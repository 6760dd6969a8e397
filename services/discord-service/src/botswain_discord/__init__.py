"""Botswain's inbound Discord adapter, which reads shards, normalises messages and forwards them to the orchestrator; and
`DiscordClient` and `DiscordService`, for bots of one's own.

What only such bots need is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from botswain_discord.errors import (
    CommandError,
    CommandRefusedError,
    DiscordRefusedError,
    DiscordServiceError,
    MalformedPayloadError,
)
from botswain_discord.gateway_client import GatewayClient
from botswain_discord.handler import DiscordGatewayHandler
from botswain_discord.service import DiscordAdapter
from botswain_discord.settings import DiscordSettings

if TYPE_CHECKING:
    from botswain_discord.discord_client import DiscordClient
    from botswain_discord.discord_service import DiscordService
    from botswain_discord.types import (
        DiscordCommand,
        DiscordCommandInput,
        DiscordCommandOutput,
        DiscordCommandSchema,
        DiscordCommandsOutput,
        DiscordCommandsSchema,
        DiscordEventHandler,
        DiscordEventType,
        DiscordStatusOutput,
        DiscordStatusSchema,
    )

__all__ = [
    "CommandError",
    "CommandRefusedError",
    "DiscordAdapter",
    "DiscordClient",
    "DiscordCommand",
    "DiscordCommandInput",
    "DiscordCommandOutput",
    "DiscordCommandSchema",
    "DiscordCommandsOutput",
    "DiscordCommandsSchema",
    "DiscordEventHandler",
    "DiscordEventType",
    "DiscordGatewayHandler",
    "DiscordRefusedError",
    "DiscordService",
    "DiscordServiceError",
    "DiscordSettings",
    "DiscordStatusOutput",
    "DiscordStatusSchema",
    "GatewayClient",
    "MalformedPayloadError",
]

_LATER = {
    "DiscordClient": "discord_client",
    "DiscordCommand": "types",
    "DiscordCommandInput": "types",
    "DiscordCommandOutput": "types",
    "DiscordCommandSchema": "types",
    "DiscordCommandsOutput": "types",
    "DiscordCommandsSchema": "types",
    "DiscordEventHandler": "types",
    "DiscordEventType": "types",
    "DiscordService": "discord_service",
    "DiscordStatusOutput": "types",
    "DiscordStatusSchema": "types",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"botswain_discord.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
