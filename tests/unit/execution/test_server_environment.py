"""What server processes are given, and what is kept out of the log."""

from __future__ import annotations

import pytest
from botswain_execution.environment import server_environment
from botswain_execution.redaction import redactor


def test_only_the_entry_and_the_basics_are_passed_on() -> None:
    """The host's secrets stay with the host; the entry's values win."""
    own = {
        "PATH": "/bin",
        "HOME": "/root",
        "DISCORD_BOT_TOKEN": "x",
        "SERVICE_AUTH_SECRET": "y",
        "SSL_CERT_FILE": "/ca",
    }
    environment = server_environment(own, {"HOME": "/tmp", "MINE": "1"})
    assert environment["HOME"] == "/tmp"
    assert environment["SSL_CERT_FILE"] == "/ca"
    assert environment.keys().isdisjoint({"DISCORD_BOT_TOKEN", "SERVICE_AUTH_SECRET"})


def test_path_is_there_even_when_the_host_has_none() -> None:
    """Programs are found without a PATH of the host's own."""
    assert "/bin" in server_environment({}, {})["PATH"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("the token is s3cr3t-value!", "the token is [redacted]!"),
        ("key=s3cr3t-value-longer", "key=[redacted]"),
        ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "Authorization: Bearer [redacted]"),
        ("Bot MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.GabcDE.abcdefghijklmnopqrstuvwxyz12", "Bot [redacted]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def", "[redacted]"),
        ("the mode is fast, and Bot is a word", "the mode is fast, and Bot is a word"),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    """Values of variables with a secret's name are masked, the longest first, and so is what looks like a token."""
    redact = redactor({"API_TOKEN": "s3cr3t-value", "PASSWORD": "s3cr3t-value-longer", "MODE": "fast", "AUTH": "a"})
    assert redact(text) == masked
