"""What Discord refuses for good ends the service with a reason that names the setting."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botswain_discord import DiscordRefusedError

from .conftest import Adapter, Discord, PublishOrchestrator

RunAdapter = Callable[..., Adapter]


@pytest.mark.parametrize(
    ("code", "variable"),
    [(4010, "SHARD_IDS"), (4011, "SHARD_COUNT"), (4012, "newer release"), (4013, "DISCORD_INTENTS")],
)
async def test_a_fatal_close_code_ends_the_service(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator, code: int, variable: str
) -> None:
    """There is no second connection."""
    await discord.fault(kind="close", when="identify", code=code)
    failure = await run_adapter(orchestrator.url).failure()
    assert isinstance(failure, DiscordRefusedError)
    assert variable in str(failure)
    assert discord.counts["connections"] == 1


async def test_one_refused_shard_ends_the_others_too(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """A service that runs half of its shards would look as if it worked."""
    await discord.fault(kind="close", when="identify", code=4011, shard=1)
    adapter = run_adapter(orchestrator.url, SHARD_IDS="0,1", SHARD_COUNT="2")
    assert "1 of 2" in str(await adapter.failure())
    assert not discord.simulator.hub.sessions


async def test_an_application_id_of_another_bot_is_refused(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Both ids are named."""
    failure = await run_adapter(orchestrator.url, DISCORD_APPLICATION_ID="42").failure()
    assert isinstance(failure, DiscordRefusedError)
    assert "DISCORD_APPLICATION_ID is 42" in str(failure)
    assert discord.application.id in str(failure)


@pytest.mark.parametrize("path", ["/elsewhere", ""])
async def test_an_address_that_is_not_discords_is_refused(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator, path: str
) -> None:
    """Something answers there, but not as Discord's API does."""
    failure = await run_adapter(orchestrator.url, DISCORD_API_URL=discord.simulator.url + path).failure()
    assert isinstance(failure, DiscordRefusedError)
    assert str(failure).startswith("DISCORD_API_URL: ")
