"""Keeps secrets out of what servers write on stderr and say in errors: the values handed to them, and what looks like a token."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|AUTH(?!OR)", re.IGNORECASE
)
_LEAST_LENGTH = 6
"""Shorter values stand in ordinary words."""
_TOKENS = re.compile(
    r"(?P<scheme>\b(?:Bearer|Bot|Basic)\s+)[\w.~+/=-]{16,}"
    r"|\b[\w-]{23,28}\.[\w-]{6}\.[\w-]{27,}\b"  # a Discord bot token
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JWT
)
MASK = "[redacted]"


def redactor(environment: Mapping[str, str]) -> Callable[[str], str]:
    """A function that masks the secret values of `environment`, and tokens, in a text."""
    secrets = sorted(
        {value for name, value in environment.items() if _SECRET_NAME.search(name) and len(value) >= _LEAST_LENGTH},
        key=len,
        reverse=True,
    )

    def redact(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, MASK)
        return _TOKENS.sub(lambda match: (match["scheme"] or "") + MASK, text)

    return redact
