"""Who may call what: the scopes of endpoints.

- `public`: anybody. For what only reads.
- `service`: who shows a JWT that is meant for this service.
- `admin`: the same, and for what changes the service itself (shutdown, registrations). In development an anonymous caller
  on this machine is let in too, so that the first steps need no secret. "On this machine" is checked against more than the
  peer address: a browser on this machine acts for every page it shows, and a proxy for everybody it serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from botswain_services.auth import Identity, TokenVerifier
from botswain_services.errors import AuthenticationError
from botswain_services.urls import host_of, is_loopback

Scope = Literal["public", "service", "admin"]
SCOPES: tuple[str, ...] = ("public", "service", "admin")
ANONYMOUS = "anonymous"


class Access:
    """Checks the callers of one service."""

    def __init__(self, verifier: TokenVerifier, *, development: bool, public_secret: bool) -> None:
        self._verifier = verifier
        self._development = development
        self._public_secret = public_secret
        """The secret is the documented default: a token proves nothing about who made it."""

    async def require_service(self, request: Request) -> Identity:
        """FastAPI dependency: who calls, or 401."""
        return self._verified(request.headers.get("authorization"))

    async def require_admin(self, request: Request) -> Identity:
        """FastAPI dependency: who calls, an anonymous caller of this machine in development, or 401."""
        authorization = request.headers.get("authorization")
        client = request.client.host if request.client else None
        local = self._development and is_local(client, request.headers)
        if authorization is None and local:
            return Identity(issuer=ANONYMOUS, audience="")
        identity = self._verified(authorization)
        if self._public_secret and not local:
            raise HTTPException(403, "with the development secret this is for callers on the same machine")
        return identity

    def allows(self, scope: str, *, authorization: str | None, client: str | None, headers: Mapping[str, str]) -> bool:
        """Whether a caller may use `scope`; for callers that come by another way than a FastAPI route."""
        if scope == "public":
            return True
        if scope == "admin" and (authorization is None or self._public_secret):
            return self._development and is_local(client, headers)
        try:
            self._verifier.verify(authorization)
        except AuthenticationError:
            return False
        return True

    def _verified(self, authorization: str | None) -> Identity:
        try:
            return self._verifier.verify(authorization)
        except AuthenticationError as error:
            raise HTTPException(401, str(error), headers={"WWW-Authenticate": "Bearer"}) from None


def is_local(client: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from this machine, by itself and for nobody else.

    The peer and everybody a proxy names must be on this machine; so must the host that was asked for (else a web page's
    rebound name would do), and a browser's request must come from a page of the same host.
    """
    if not is_loopback(client):
        return False
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "127.0.0.1").split(",")]
    if not all(is_loopback(hop) or is_loopback(host_of(hop)) for hop in hops):
        return False
    asked = headers.get("x-forwarded-host", headers.get("host", ""))
    if not is_loopback(host_of(asked)):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == asked
