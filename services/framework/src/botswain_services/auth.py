"""JWTs between the services of one bot: HS256 over SERVICE_AUTH_SECRET, short-lived, bound to the service they are meant for.

Claims: `iss` the caller, `aud` the callee, `iat`, `exp`. The same token serves HTTP (`Authorization: Bearer`) and gRPC
(`authorization` metadata). PyJWT, and the cryptography it brings, is imported with the first token.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botswain_services.errors import AuthenticationError

TOKEN_LIFETIME = 300.0
"""Seconds."""
CLOCK_LEEWAY = 10.0
"""Seconds two machines' clocks may differ."""
MOST_REMEMBERED = 256
"""Tokens a verifier remembers as good."""


_SHORTEST_KEY = 32
"""Bytes. The documented development secret is shorter; that it warns on every token helps nobody."""


@contextlib.contextmanager
def _short_key_allowed(secret: str) -> Iterator[None]:
    if len(secret) >= _SHORTEST_KEY:
        yield
        return
    import jwt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        yield


@dataclass(frozen=True, slots=True)
class Identity:
    """Who called."""

    issuer: str
    audience: str


class TokenIssuer:
    """Makes one caller's tokens for one callee, and a new one when half of the last one's life is over."""

    def __init__(
        self,
        secret: str,
        *,
        issuer: str,
        audience: str,
        lifetime: float = TOKEN_LIFETIME,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._issuer = issuer
        self._audience = audience
        self._lifetime = lifetime
        self._clock = clock
        self._token = ""
        self._renew_at = float("-inf")

    def token(self) -> str:
        """A token with at least half of its life before it."""
        now = self._clock()
        if now >= self._renew_at:
            claims = {"iss": self._issuer, "aud": self._audience, "iat": int(now), "exp": int(now + self._lifetime)}
            import jwt

            with _short_key_allowed(self._secret):
                self._token = jwt.encode(claims, self._secret, algorithm="HS256")
            self._renew_at = now + self._lifetime / 2
        return self._token

    def header(self) -> dict[str, str]:
        """The HTTP header that carries the token."""
        return {"Authorization": f"Bearer {self.token()}"}


class TokenVerifier:
    """Checks tokens meant for one service. A good one is checked once and remembered while it lives: callers repeat theirs."""

    def __init__(self, secret: str, *, audience: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._audience = audience
        self._clock = clock
        self._good: dict[str, tuple[Identity, float]] = {}
        """By header: who it is, and until when."""

    def verify(self, authorization: str | None) -> Identity:
        """Check the value of an `Authorization` header.

        Raises:
            AuthenticationError: says what is wrong with the token, never what it is.
        """
        if not authorization:
            raise AuthenticationError("no bearer token was sent")
        known = self._good.get(authorization)
        if known is not None and self._clock() < known[1]:
            return known[0]
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise AuthenticationError("the authorization is not of the form 'Bearer <token>'")
        import jwt

        try:
            with _short_key_allowed(self._secret):
                claims = jwt.decode(
                    token,
                    self._secret,
                    algorithms=["HS256"],
                    audience=self._audience,
                    leeway=CLOCK_LEEWAY,
                    options={"require": ["iss", "aud", "exp"]},
                )
        except jwt.ExpiredSignatureError:
            raise AuthenticationError("the token has expired") from None
        except jwt.InvalidAudienceError:
            raise AuthenticationError(f"the token is not meant for {self._audience}") from None
        except jwt.MissingRequiredClaimError as error:
            raise AuthenticationError(f"the token has no {error.claim!r} claim") from None
        except jwt.InvalidTokenError:
            raise AuthenticationError("the token is not one of ours") from None
        identity = Identity(issuer=str(claims["iss"]), audience=self._audience)
        if len(self._good) >= MOST_REMEMBERED:
            self._good.clear()
        self._good[authorization] = identity, float(claims["exp"]) + CLOCK_LEEWAY
        return identity
