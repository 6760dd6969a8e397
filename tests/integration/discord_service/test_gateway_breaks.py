"""Connections break and parts go away; nothing is lost, and readiness tells the truth meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botswain_discord import identify, shards
from botswain_operator.shard_reports import read_reports
from botswain_simulator import Simulator
from structlog.testing import capture_logs

from .conftest import Adapter, Discord, HttpOrchestrator, PublishOrchestrator, until

RunAdapter = Callable[..., Adapter]


def contents(orchestrator: PublishOrchestrator) -> list[str]:
    return [event.content for event in orchestrator.events]


@pytest.mark.parametrize(
    "spec", [{"kind": "drop"}, {"kind": "reconnect"}, {"kind": "close", "code": 4000}, {"kind": "close", "code": 4008}]
)
async def test_a_broken_connection_is_resumed(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator, spec: dict[str, object]
) -> None:
    """What is written meanwhile is replayed, and no IDENTIFY is spent."""
    await run_adapter(orchestrator.url).connected()
    discord.say("before")
    await until(lambda: contents(orchestrator) == ["before"], "the first message")
    await discord.fault(**spec)
    discord.say("meanwhile")
    await until(lambda: discord.counts["resumes"] == 1, "the resume")
    discord.say("after")
    await until(lambda: contents(orchestrator) == ["before", "meanwhile", "after"], "all messages in order")
    assert discord.counts["identifies"] == 1


async def test_a_lost_session_is_started_anew(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discord's op 9 can't be resumed: IDENTIFY, and go on."""
    monkeypatch.setattr(shards, "INVALID_SESSION_WAIT", (0.0, 0.0))
    monkeypatch.setattr(identify, "SPACING", 0.0)
    adapter = run_adapter(orchestrator.url)
    await adapter.connected()
    await discord.fault(kind="invalid_session")
    await until(lambda: discord.counts["identifies"] == 2, "the second IDENTIFY")
    await adapter.connected()
    discord.say("after")
    await until(lambda: contents(orchestrator) == ["after"], "the message")


async def test_a_full_outbox_pauses_reading_and_loses_nothing(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Discord holds what isn't read; the connection stays, and order holds."""
    orchestrator.answering = False
    adapter = run_adapter(orchestrator.url, OUTBOX_LIMIT="5", OUTBOX_FILE_LIMIT="0")
    await adapter.connected()
    with capture_logs() as logs:
        for number in range(200):
            discord.say(str(number))
        await until(lambda: any(line["event"] == "reading_paused" for line in logs), "the pause")
    assert adapter.service.gateway.outbox.depth == 5
    _, body = await adapter.ready()
    assert body["shards"][0]["state"] == "reading paused"
    assert body["outbox"] == {"depth": 5, "limit": 5, "on_disk": 0}
    orchestrator.answering = True
    await orchestrator.stop()
    await orchestrator.start()
    await until(lambda: len(orchestrator.events) == 200, "every message")
    assert contents(orchestrator) == [str(number) for number in range(200)]
    assert discord.counts["connections"] == 1


async def test_the_orchestrator_may_go_away_and_come_back(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Messages of several channels meanwhile arrive afterwards, once and in order; `/ready` says what is missing."""
    adapter = run_adapter(orchestrator.url)
    await adapter.connected()
    channels = [discord.channel(name) for name in ("general", "random", "bots")]
    for number in range(60):
        discord.say(f"{number}", channel=channels[number % 3])
        if number == 20:
            await until(lambda: orchestrator.events, "the first events")
            await orchestrator.stop()
    body = await adapter.status(503)
    assert list(body["reasons"]) == ["orchestrator"]
    await orchestrator.start()
    await until(lambda: len(orchestrator.events) == 60, "every message")
    for start, channel in enumerate(channels):
        got = [event.content for event in orchestrator.events if event.source_channel_id == channel.id]
        assert got == [str(number) for number in range(start, 60, 3)]
    await until(lambda: adapter.service.gateway.outbox.depth == 0, "the acknowledgements")
    await adapter.status(200)


async def test_messages_arrive_by_http_too(
    run_adapter: RunAdapter, discord: Discord, http_orchestrator: HttpOrchestrator
) -> None:
    """The plain transport, whole way: in order, source named."""
    adapter = run_adapter(http_orchestrator.url)
    await adapter.connected()
    for number in range(20):
        discord.say(str(number))
    await until(lambda: len(http_orchestrator.bodies) == 20, "every message")
    assert [body.message for body in http_orchestrator.bodies] == [str(number) for number in range(20)]
    assert {body.metadata["source"] for body in http_orchestrator.bodies} == {"discord"}
    assert (await adapter.ready())[0] == 200


async def test_readiness_shows_role_shards_and_outbox(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """A ready service: each shard connected, with its guilds, and its latency once a heartbeat was answered."""
    adapter = run_adapter(orchestrator.url)
    await adapter.connected()
    await until(lambda: adapter.service.bot.shards[0].latency is not None, "the first heartbeat's answer")
    body = await adapter.status(200)
    assert (body["status"], body["role"]) == ("ready", "active")
    (shard,) = body["shards"]
    assert (shard["id"], shard["count"], shard["state"]) == (0, 1, "connected")
    assert shard["guilds"] == 1
    assert shard["latency_ms"] >= 0
    assert read_reports(body)[1, 0].guilds == 1, "the operator understands it"
    assert body["outbox"]["limit"] == 10_000


async def test_discord_may_come_after_the_service(run_adapter: RunAdapter, orchestrator: PublishOrchestrator) -> None:
    """Until it does, the service is alive, not ready, and says why."""
    async with Simulator(port=0) as simulator:
        port = simulator.port
    adapter = run_adapter(orchestrator.url, DISCORD_API_URL=f"http://127.0.0.1:{port}/api/v10")
    with capture_logs() as logs:
        await until(lambda: any(line["event"] == "discord_unreachable" for line in logs), "the first failure")
    status, body = await adapter.ready()
    assert status == 503
    assert "logging in failed" in body["reasons"]["discord"]
    async with Simulator(port=port):
        await adapter.connected()
