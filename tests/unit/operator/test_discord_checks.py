"""How old an answer of Discord may be before it is asked again."""

from __future__ import annotations

import asyncio

from botswain_operator.discord_checks import ROLLOUT_SECONDS, DiscordChecks
from operator_world.discord import TOKEN, serving

BOT = ("bots", "harbour")
EVERY = 600.0


async def test_budget_is_asked_for_soon_after_replicas_have_started() -> None:
    """IDENTIFYs that were about to be used when Discord was last asked make its answer old, also when the rollout is over."""
    answered = asyncio.Event()
    async with serving() as discord:
        checks = DiscordChecks(lambda _: answered.set(), every_seconds=EVERY)
        checks.about(BOT, TOKEN, discord.url, rolling=False)
        await answered.wait()
        assert checks.due_in(BOT, rolling=False) > ROLLOUT_SECONDS
        checks.begun(BOT, 2)
        assert checks.due_in(BOT, rolling=False) <= ROLLOUT_SECONDS
        await checks.close()
