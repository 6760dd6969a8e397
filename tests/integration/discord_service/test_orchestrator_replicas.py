"""Several orchestrators with one ledger: discord-service is connected to one of them, and goes to another when it has to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from . import claiming
from .claiming import Coordination
from .conftest import Adapter, Discord, PublishOrchestrator, until

RunAdapter = Callable[..., Adapter]


@pytest.fixture
async def replicas(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[PublishOrchestrator]]:
    """Two that run, with claims, cursors and events in common; a claim whose call broke has a while to come back."""
    monkeypatch.setattr(claiming, "RECONNECT_WINDOW", 60.0)
    coordination = Coordination(ttl=600.0)
    both = [PublishOrchestrator(coordination) for _ in range(2)]
    both[1].requests = both[0].requests
    for each in both:
        await each.start()
    yield both
    for each in both:
        await each.stop()


def url_of(replicas: list[PublishOrchestrator]) -> str:
    return "grpc://" + ",".join(f"127.0.0.1:{each.port}" for each in replicas)


async def test_reading_goes_on_whichever_orchestrator_dies(
    replicas: list[PublishOrchestrator], discord: Discord, run_adapter: RunAdapter
) -> None:
    """Stream and claim move to the other, under the same epoch, there and back; Discord notices nothing."""
    adapter = run_adapter(url_of(replicas))
    await adapter.connected()
    ledger = replicas[0]
    coordination = ledger.coordination
    assert coordination is not None
    said: list[str] = []
    for _ in range(2):
        for dying in replicas:
            said.append(f"before {len(said)}")
            discord.say(said[-1])
            await until(lambda: len(ledger.events) == len(said), "the message")
            await dying.stop()
            said.append(f"after {len(said)}")
            discord.say(said[-1])
            await until(lambda: len(ledger.events) == len(said), "the message after a death")
            await adapter.status(200)
            await dying.start()
    assert [event.content for event in ledger.events] == said
    assert {request.epoch for request in ledger.requests if request.events} == {1}
    assert (len(coordination.grants), discord.counts["connections"]) == (1, 1)


async def test_a_process_starts_with_the_orchestrator_that_is_there(
    replicas: list[PublishOrchestrator], discord: Discord, run_adapter: RunAdapter
) -> None:
    """One of two addresses answers, the first or the second."""
    for down in replicas:
        await down.stop()
        adapter = run_adapter(url_of(replicas))
        await adapter.connected()
        await adapter.status(200)
        await adapter.stop()
        await down.start()
    assert discord.counts["identifies"] == 1
