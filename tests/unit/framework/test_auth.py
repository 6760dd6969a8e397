"""Tokens between services: who may be believed, and why not."""

import time

import jwt
import pytest
from botswain_services.auth import CLOCK_LEEWAY, TOKEN_LIFETIME, TokenIssuer, TokenVerifier
from botswain_services.errors import AuthenticationError

SECRET = "a-secret-of-at-least-thirty-two-bytes"


class Clock:
    """Time that tests move."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def issuer(audience: str = "orchestrator", secret: str = SECRET, **kwargs) -> TokenIssuer:
    return TokenIssuer(secret, issuer="discord", audience=audience, **kwargs)


def test_a_token_names_its_caller():
    """The verifier learns who called from the token alone."""
    identity = TokenVerifier(SECRET, audience="orchestrator").verify(issuer().header()["Authorization"])
    assert identity.issuer == "discord"
    assert identity.audience == "orchestrator"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "no bearer token"),
        ("", "no bearer token"),
        ("Bearer", "not of the form"),
        ("Basic abc", "not of the form"),
        ("Bearer nonsense", "not one of ours"),
    ],
)
def test_what_is_no_token_is_refused_with_the_reason(authorization, reason):
    """A header that carries no token says so."""
    with pytest.raises(AuthenticationError, match=reason):
        TokenVerifier(SECRET, audience="orchestrator").verify(authorization)


def test_a_token_for_another_service_is_refused():
    """Audience binds: a token for one service opens no other."""
    with pytest.raises(AuthenticationError, match="not meant for execution"):
        TokenVerifier(SECRET, audience="execution").verify(f"Bearer {issuer().token()}")


def test_a_token_of_another_secret_is_refused_and_not_repeated():
    """Neither the token nor a secret stands in the error."""
    token = issuer(secret="another-secret-of-thirty-two-bytes-or-so").token()
    with pytest.raises(AuthenticationError, match="not one of ours") as caught:
        TokenVerifier(SECRET, audience="orchestrator").verify(f"Bearer {token}")
    assert token not in str(caught.value)


def test_an_expired_token_is_refused():
    """A token's life ends, leeway included."""
    clock = Clock(1_000_000.0)
    token = issuer(clock=clock).token()
    with pytest.raises(AuthenticationError, match="expired"):
        TokenVerifier(SECRET, audience="orchestrator").verify(f"Bearer {token}")
    assert CLOCK_LEEWAY < TOKEN_LIFETIME


def test_tokens_without_a_caller_or_an_end_are_refused():
    """`iss` and `exp` are asked for, not just honoured."""
    token = jwt.encode({"aud": "orchestrator", "iss": "x"}, SECRET, algorithm="HS256")
    with pytest.raises(AuthenticationError, match="has no"):
        TokenVerifier(SECRET, audience="orchestrator").verify(f"Bearer {token}")


def test_unsigned_tokens_are_refused():
    """`alg: none` opens nothing."""
    token = jwt.encode({"aud": "orchestrator", "iss": "x", "exp": 9_999_999_999}, None, algorithm="none")
    with pytest.raises(AuthenticationError):
        TokenVerifier(SECRET, audience="orchestrator").verify(f"Bearer {token}")


def test_a_token_serves_until_half_of_its_life_is_over():
    """Callers always hold a token with at least half its life before it."""
    clock = Clock(1_000_000.0)
    tokens = issuer(clock=clock)
    first = tokens.token()
    clock.now += TOKEN_LIFETIME / 2 - 1
    assert tokens.token() == first
    clock.now += 2
    assert tokens.token() != first


def test_a_good_token_is_remembered_no_longer_than_it_lives(monkeypatch):
    """Within its life it is checked once; past it, anew."""
    now = Clock(time.time())
    verifier = TokenVerifier(SECRET, audience="orchestrator", clock=now)
    header = issuer(clock=now).header()["Authorization"]
    identity = verifier.verify(header)
    checked = []
    monkeypatch.setattr(jwt, "decode", lambda *_args, **_options: checked.append(1) or {"iss": "x", "exp": now.now})
    now.now += TOKEN_LIFETIME
    assert verifier.verify(header) == identity
    assert not checked
    now.now += CLOCK_LEEWAY + 1
    verifier.verify(header)
    assert checked
