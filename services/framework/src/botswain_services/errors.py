"""The framework's exceptions.

ServiceError
├── SettingsError            a setting is missing or wrong; the process exits with 2
├── StartupError             a part can't start (port taken, bad token); the process exits with 1
├── AuthenticationError      a token is absent, expired, or not for this service
└── InvalidEventError        an event can't be converted; names the field
"""


class ServiceError(Exception):
    """Root of everything this package raises on its own."""


class SettingsError(ServiceError):
    """A setting is missing or wrong. The message names the variable and how to mend it."""


class StartupError(ServiceError):
    """A service can't start, and starting it again as it is won't help. The message is for the person who started it."""


class AuthenticationError(ServiceError):
    """A bearer token is absent, malformed, expired, or meant for another service."""


class InvalidEventError(ServiceError, ValueError):
    """Data isn't an event. The message names the field."""
