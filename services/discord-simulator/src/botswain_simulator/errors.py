"""The simulator's own errors. What a bot is told over REST is `rest.errors.ApiError`; close codes are
`gateway.codes.CloseCode`.
"""


class SimulatorError(Exception):
    """Root of the tree."""


class WorldError(SimulatorError):
    """An operation on the world that cannot be done: the message says what, where and how to mend it."""


class UnknownObjectError(WorldError):
    """A user, guild, channel, message, … that the world does not hold."""


class StartError(SimulatorError):
    """The simulator cannot start: a taken port, an unreadable world file."""


class SettingsError(SimulatorError):
    """A setting with a value that makes no sense."""
