"""The framework's exceptions.

ServiceError
├── SettingsError            a setting is missing or wrong; the process exits with 2
├── StartupError             a part can't start (port taken, bad token); the process exits with 1
│   └── LaunchError          `launch()` failed; carries what the launched process said
├── EndpointError            an endpoint can't be registered as it is
├── ClientError              a client can't be generated or used as it is
├── ServiceCallError         a call failed: what another service answered, or that it didn't
├── AuthenticationError      a token is absent, expired, or not for this service
└── InvalidEventError        an event can't be converted; names the field
"""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException


class ServiceError(Exception):
    """Root of everything this package raises on its own."""


class SettingsError(ServiceError):
    """A setting is missing or wrong. The message names the variable and how to mend it."""


class StartupError(ServiceError):
    """A service can't start, and starting it again as it is won't help. The message is for the person who started it."""


class LaunchError(StartupError, RuntimeError):
    """`launch()` did not end in a running service. `worker_traceback` is the launched process's own, where it gave one."""

    def __init__(self, message: str, *, worker_traceback: str = "") -> None:
        super().__init__(message)
        self.worker_traceback = worker_traceback
        if worker_traceback:
            self.add_note(worker_traceback)


class EndpointError(ServiceError, ValueError):
    """An endpoint can't be registered: its path is taken or holds characters that no URL path has."""


class ClientError(ServiceError, ValueError):
    """A client can't be generated for a service, or was called in a way none of its endpoints takes."""


class ServiceCallError(ServiceError, HTTPException):
    """A call to a service failed.

    Attributes:
        status_code: what the service answered; 503 when it could not be reached, 504 when it did not answer in time.
        body: the answer's body as text; empty when there was no answer.
        request_id: finds the call in both sides' logs.
        errors: of a 422, what was wrong: dicts with `loc` (path of the field), `msg` and `type`.
    """

    def __init__(
        self,
        status_code: int,
        detail: Any,
        *,
        method: str = "",
        url: str = "",
        body: str = "",
        request_id: str | None = None,
    ) -> None:
        HTTPException.__init__(self, status_code, detail)
        self.method = method
        self.url = url
        self.body = body
        self.request_id = request_id
        self.errors: list[dict[str, Any]] = detail if isinstance(detail, list) else []

    def __str__(self) -> str:
        call = f"{self.method} {self.url}: " if self.url else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{call}{self.status_code}: {self._reason()}{request}"

    def _reason(self) -> str:
        try:
            return "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in self.errors) or str(
                self.detail
            )
        except (KeyError, TypeError):
            return str(self.detail)


class AuthenticationError(ServiceError):
    """A bearer token is absent, malformed, expired, or meant for another service."""


class InvalidEventError(ServiceError, ValueError):
    """Data isn't an event. The message names the field."""
