"""The adapter's exceptions.

DiscordServiceError
├── MalformedPayloadError    a dispatch can't become an event; carries the ids it does have
└── DiscordRefusedError      Discord refused this bot in a way that trying again doesn't mend; the process exits with 1
"""

from __future__ import annotations

from collections.abc import Mapping

from botswain_services import ServiceError, StartupError


class DiscordServiceError(ServiceError):
    """Root of everything this package raises on its own."""


class MalformedPayloadError(DiscordServiceError, ValueError):
    """A payload lacks what an event can't do without.

    Attributes:
        ids: what the payload does tell of itself, for the log.
    """

    def __init__(self, reason: str, ids: Mapping[str, str]) -> None:
        super().__init__(reason)
        self.ids = dict(ids)


class DiscordRefusedError(DiscordServiceError, StartupError):
    """Discord refused the token, the intents or the shard. The message says how to mend it."""
