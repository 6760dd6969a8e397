"""The adapter's exceptions.

DiscordServiceError
├── MalformedPayloadError    a dispatch can't become an event; carries the ids it does have
├── DiscordRefusedError      Discord refused this bot in a way that trying again doesn't mend; the process exits with 1
├── CommandError             a bot's command can't be registered as it is
└── CommandRefusedError      a bot's command may not run now; says why
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


class CommandError(DiscordServiceError, ValueError):
    """A command can't be registered as it is."""


class CommandRefusedError(DiscordServiceError):
    """A command may not run now, or not so. The message is for who called it.

    Attributes:
        status_code: the same in HTTP's words: 404 unknown, 403 disabled or not permitted, 422 wrong options, 429 cooldown.
    """

    def __init__(self, status_code: int, reason: str) -> None:
        super().__init__(reason)
        self.status_code = status_code
