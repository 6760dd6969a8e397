"""The command's exceptions. Each message is for the person at the terminal: what was wrong, and what to do.

CliError
├── AlreadyRunningError      another `botswain dev` holds this data directory
├── BadTokenError            Discord refuses DISCORD_BOT_TOKEN, or it can't be one
├── DiscordUnavailableError  Discord's API doesn't answer as it should
├── NotAnsweredError         an orchestrator doesn't answer, or not as it should
├── NothingRunsError         there is no running `botswain dev` to ask
├── PartFailedError          a part can't be kept running; carries which and why
└── PortsTakenError          other processes listen where parts are to
"""


class CliError(Exception):
    """Root of everything this package raises on its own."""


class AlreadyRunningError(CliError):
    """Another `botswain dev` holds this data directory."""


class BadTokenError(CliError):
    """Discord refuses DISCORD_BOT_TOKEN, or it can't be one. Never holds the token."""


class DiscordUnavailableError(CliError):
    """Discord's API doesn't answer as it should."""


class NotAnsweredError(CliError):
    """An orchestrator doesn't answer, refuses, or answers something else than it should."""


class NothingRunsError(CliError):
    """There is no running `botswain dev` to ask."""


class PartFailedError(CliError):
    """A part can't be kept running."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"{part} {reason}")
        self.part = part
        self.reason = reason


class PortsTakenError(CliError):
    """Other processes listen where parts are to."""
