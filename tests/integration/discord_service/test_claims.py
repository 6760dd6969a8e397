"""Processes that share a bot's shards: one reads, the others stand by, and the claim passes from one to the next."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botswain_proto.v1.coordination_pb2 import PermitIdentifyResponse
from structlog.testing import capture_logs

from .claiming import Coordination
from .conftest import Adapter, Discord, PublishOrchestrator, until

RunAdapter = Callable[..., Adapter]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Op 9 is followed by an IDENTIFY almost at once."""
    monkeypatch.setattr("botswain_discord.shards.INVALID_SESSION_WAIT", (0.1, 0.1))


def contents(orchestrator: PublishOrchestrator) -> list[str]:
    return [event.content for event in orchestrator.events]


def coordination(ledger: PublishOrchestrator) -> Coordination:
    assert ledger.coordination is not None
    return ledger.coordination


async def test_one_of_two_processes_reads_and_the_other_is_ready(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """The second says that it stands by, behind whom, and that nothing is missing; it opens no connection."""
    first = run_adapter(ledger.url)
    await first.connected()
    second = run_adapter(ledger.url)
    await until(lambda: second.service.reader.role == "standby", "the standby")
    body = await second.status(200)
    holder = coordination(ledger).grants[0][0]
    assert (body["role"], body["claim"]) == ("standby", {"position": 1, "holder": holder})
    body = await first.status(200)
    assert (body["role"], body["claim"]) == ("active", {"epoch": 1})
    discord.say("ahoy")
    await until(lambda: contents(ledger) == ["ahoy"], "the message")
    assert discord.counts["connections"] == 1
    assert {request.epoch for request in ledger.requests if request.events} == {1}


async def test_the_next_in_line_takes_over_when_the_first_stops(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """The claim is released, not left to expire."""
    coordination(ledger).ttl = 600.0
    first, second = run_adapter(ledger.url), run_adapter(ledger.url)
    await until(lambda: {first.service.reader.role, second.service.reader.role} == {"active", "standby"}, "the claims")
    if second.service.reader.role == "active":
        first, second = second, first
    await first.connected()
    await first.stop()
    await second.connected()
    discord.say("to the second")
    await until(lambda: contents(ledger) == ["to the second"], "the message")
    assert [epoch for _, epoch in coordination(ledger).grants] == [1, 2]


async def test_a_claim_outlives_a_restart_of_the_orchestrator(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Reading goes on meanwhile on the same connection, and afterwards under the same epoch."""
    coordination(ledger).ttl = 600.0
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    await ledger.stop()
    for each in coordination(ledger).line:
        each.expires_at = float("inf")
    discord.say("meanwhile")
    await adapter.status(503)
    assert adapter.service.bot.problem() is None
    await ledger.start()
    await until(lambda: contents(ledger) == ["meanwhile"], "the message")
    discord.say("after")
    await until(lambda: contents(ledger) == ["meanwhile", "after"], "the next")
    assert discord.counts["connections"] == 1
    assert len(coordination(ledger).grants) == 1


async def test_a_claim_that_ran_out_unclaimed_goes_on_under_a_new_epoch(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Nobody took the shards while the orchestrator was away: the connection stays, batches carry the new epoch."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    await ledger.stop()
    coordination(ledger).line.clear()
    await ledger.start()
    await until(lambda: len(coordination(ledger).grants) == 2, "the second grant")
    await until(lambda: adapter.service.reader.standing == {"epoch": 2}, "the new epoch")
    discord.say("after")
    await until(lambda: contents(ledger) == ["after"], "the message")
    assert ledger.requests[-1].epoch == 2
    assert discord.counts["connections"] == 1


async def test_a_revoked_process_stops_reading_and_stands_in_line_again(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Its sessions are kept (close code 4000), what it had read arrives, and another process takes over."""
    first = run_adapter(ledger.url)
    await first.connected()
    second = run_adapter(ledger.url)
    await until(lambda: second.service.reader.role == "standby", "the standby")
    discord.say("one")
    holder = coordination(ledger).grants[0][0]
    coordination(ledger).revoke(holder, "told to")
    await until(lambda: first.service.reader.role == "standby", "the first's step back")
    await second.connected()
    discord.say("two")
    await until(lambda: contents(ledger) == ["one", "two"], "both messages")
    assert discord.simulator.stats.client_closes == {4000: 1}


async def test_a_process_that_starts_before_the_orchestrator_waits_for_it(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Nothing is read while nobody can say who holds the shards; `/ready` says so, and reading begins when it can be said."""
    await ledger.stop()
    adapter = run_adapter(ledger.url)
    await until(
        lambda: adapter.service.reader.problem() == "waits for the orchestrator to grant the shards", "the wait"
    )
    body = await adapter.status(503)
    assert body["role"] == "starting"
    assert body["reasons"]["discord"] == "waits for the orchestrator to grant the shards"
    assert "UNAVAILABLE" in body["reasons"]["orchestrator"]
    assert discord.counts["connections"] == 0
    await ledger.start()
    await adapter.connected()
    discord.say("ahoy")
    await until(lambda: contents(ledger) == ["ahoy"], "the message")
    await adapter.status(200)


async def test_renewals_keep_a_claim(ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter) -> None:
    """A claim with a short TTL stays with its holder while a second waits for it."""
    coordination(ledger).ttl = 0.2
    first = run_adapter(ledger.url)
    await first.connected()
    second = run_adapter(ledger.url)
    await until(lambda: second.service.reader.role == "standby", "the standby")
    expiries: set[float] = set()
    await until(lambda: expiries.add(coordination(ledger).line[0].expires_at) or len(expiries) > 6, "renewals")
    assert len(coordination(ledger).grants) == 1
    assert first.service.reader.role == "active"


async def test_an_orchestrator_without_claims_is_served_without_one(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """It is said once, and events carry no epoch."""
    with capture_logs() as logs:
        adapter = run_adapter(orchestrator.url)
        await adapter.connected()
        discord.say("ahoy")
        await until(lambda: contents(orchestrator) == ["ahoy"], "the message")
    assert [line["event"] for line in logs].count("claims_unavailable") == 1
    assert {request.epoch for request in orchestrator.requests} == {0}
    assert (await adapter.status(200))["claim"] == {}


async def test_the_cursor_follows_dispatches_that_make_no_event(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """A RESUME from it replays nothing that was handled; bot user and guild names stand beside it."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    for number in range(3):
        discord.dispatch("TYPING_START", {"channel_id": discord.channel().id, "number": number})
    (session,) = discord.simulator.hub.sessions.values()
    cursors = coordination(ledger).cursors
    await until(lambda: (1, 0) in cursors and cursors[1, 0].seq == session.sequence, "the cursor")
    cursor = cursors[1, 0]
    assert cursor.session_id == session.id
    assert cursor.state["bot_user_id"] == discord.application.user.id
    assert cursor.state["guilds"][discord.guild.id] == discord.guild.name
    assert not ledger.events


async def test_a_fenced_process_stands_in_line_again(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Its events count, its cursor doesn't, and it reads on only under a new claim."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    coordination(ledger).line[0].epoch = coordination(ledger).last_epoch = 7
    discord.say("fenced")
    await until(lambda: contents(ledger) == ["fenced"], "the event")
    await until(lambda: adapter.service.reader.standing == {"epoch": 7}, "the claim under its new epoch")
    await adapter.connected()
    discord.say("after")
    await until(lambda: contents(ledger) == ["fenced", "after"], "the message")


async def test_a_permit_is_asked_for_before_a_connection_opens(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """Refused, the shard waits unconnected and readiness says why; permitted, it identifies."""
    refusal = PermitIdentifyResponse(reason="the last 100 are kept", retry_after={"nanos": 20_000_000})
    coordination(ledger).refusals = [refusal] * 100_000
    adapter = run_adapter(ledger.url)
    await until(lambda: len(coordination(ledger).permits) > 2, "the questions")
    body = await adapter.status(503)
    assert body["reasons"]["discord"] == "shard 0: waiting to identify (the last 100 are kept)"
    assert discord.counts["connections"] == 0
    coordination(ledger).refusals = []
    await adapter.connected()
    request = coordination(ledger).permits[0]
    assert (request.epoch, request.shard.id, request.shard.count) == (1, 0, 1)
    assert (request.budget_total, request.budget_remaining, request.max_concurrency) == (1000, 1000, 16)


async def test_while_no_orchestrator_answers_nothing_identifies(
    ledger: PublishOrchestrator, discord: Discord, run_adapter: RunAdapter
) -> None:
    """A session lost meanwhile is begun anew when it is back, and what was said since is fetched."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    discord.say("before")
    await until(lambda: contents(ledger) == ["before"], "the message")
    await ledger.stop()
    await discord.fault(kind="invalid_session")
    await until(lambda: "can't be asked" in str(adapter.service.bot.problem()), "the reason")
    discord.say("meanwhile")
    assert discord.counts["identifies"] == 1
    await ledger.start()
    await until(lambda: contents(ledger) == ["before", "meanwhile"], "the message")
    assert discord.counts["identifies"] == 2
