"""The operator's exceptions.

OperatorError
├── SettingsError       a setting of the process is missing or wrong
├── SpecError           a DiscordBot holds something that the schema should have refused
├── LeaseLost           another operator acts
├── WatchLost           the API server gives no watch of DiscordBots any more: the kind or a right was taken away
├── DiscordError        Discord was asked and gave no usable answer
│   └── InvalidToken    Discord refused the token
├── DatabaseUrlError    the Secret of a database URL holds something else
├── ReportError         discord-service was asked about its shards and gave no usable answer
└── ApiError            the API server refused a request (status, reason and message are its own)
    ├── NotFound        404
    ├── Conflict        409: someone else was first, or owns a field
    ├── Gone            410: the resource version is too old; list anew
    ├── Invalid         400, 422 and some 500: the object is wrong; trying again won't help
    ├── Forbidden       401, 403: the operator may not do this
    └── Unavailable     429, 5xx, or no connection: try again later
"""

from __future__ import annotations


class OperatorError(Exception):
    """Root of everything the operator raises on purpose."""


class SettingsError(OperatorError):
    """A setting of the process is missing or wrong."""


class SpecError(OperatorError):
    """A DiscordBot's spec can't be read."""


class LeaseLost(OperatorError):  # noqa: N818 - says what happened, as the rest of the tree
    """The lease could not be renewed in time, or someone else holds it."""


class WatchLost(OperatorError):  # noqa: N818
    """The API server gives no watch of DiscordBots any more: the kind or a right was taken away."""


class DiscordError(OperatorError):
    """Discord was asked and gave no usable answer."""


class InvalidToken(DiscordError):  # noqa: N818
    """Discord refused the token."""


class DatabaseUrlError(OperatorError):
    """The Secret of a database URL holds something else."""


class ReportError(OperatorError):
    """discord-service was asked about its shards and gave no usable answer."""


class ApiError(OperatorError):
    """The API server refused a request."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        """Seconds the server asked to wait, if it did."""


class NotFound(ApiError):  # noqa: N818
    """404."""


class Conflict(ApiError):  # noqa: N818
    """409: someone else was first, or owns a field."""


class Gone(ApiError):  # noqa: N818
    """410: the resource version is too old; list anew."""


class Invalid(ApiError):  # noqa: N818
    """400 or 422: the object is wrong; trying again won't help."""


class Forbidden(ApiError):  # noqa: N818
    """401 or 403: the operator may not do this."""


class Unavailable(ApiError):  # noqa: N818
    """429, 5xx or no connection: try again later."""


def api_error(status: int, reason: str, message: str, retry_after: float | None = None) -> ApiError:
    """The exception for an HTTP status."""
    kind: type[ApiError] = ApiError
    if status == 404:
        kind = NotFound
    elif status == 409:
        kind = Conflict
    elif status == 410:
        kind = Gone
    elif status in (400, 422) or "typed patch object" in message:
        # An apply with a field that the kind doesn't have is answered 500.
        kind = Invalid
    elif status in (401, 403):
        kind = Forbidden
    elif status == 429 or status >= 500:
        kind = Unavailable
    return kind(message, status=status, reason=reason, retry_after=retry_after)
