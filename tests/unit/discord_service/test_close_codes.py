"""Close codes that end the service say in one line how to mend it."""

from __future__ import annotations

import pytest
from botswain_discord.close_codes import fatal_reason

INTENTS = ("guilds", "message_content", "members")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (4004, ["DISCORD_BOT_TOKEN", "Developer Portal"]),
        (4010, ["SHARD_IDS", "3 of 4"]),
        (4011, ["SHARD_COUNT", "larger"]),
        (4012, ["newer release"]),
        (4013, ["DISCORD_INTENTS", "guilds, message_content, members"]),
        (4014, ["DISCORD_INTENTS", "(message_content, members)", "Privileged Gateway Intents"]),
    ],
)
def test_fatal_codes_name_the_setting(code: int, words: list[str]) -> None:
    """One line, with the variable and what to do."""
    reason = fatal_reason(code, shard=(3, 4), intents=INTENTS)
    assert reason is not None
    assert all(word in reason for word in words)
    assert "\n" not in reason


@pytest.mark.parametrize("code", [None, 1000, 1001, 1006, 4000, 4001, 4003, 4007, 4008, 4009])
def test_other_codes_are_worth_another_try(code: int | None) -> None:
    """Nothing a person has to mend."""
    assert fatal_reason(code, shard=(0, 1), intents=INTENTS) is None
