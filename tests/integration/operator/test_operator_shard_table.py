"""The shard table: which replica holds which shards, with what discord-service says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from kube_emulator.store import Body
from operator_world.world import World, running


@pytest.fixture
async def world(roles: list[Body]) -> AsyncIterator[World]:
    """An operator that asks after the shards often."""
    async with running(roles, SHARD_CHECK_SECONDS="0.2") as found:
        yield found
    assert not found.operator.defects()


def shard(number: int, guilds: int, latency: float | None, *, count: int = 4, state: str = "connected") -> Body:
    return {"id": number, "count": count, "state": state, "guilds": guilds, "latency_ms": latency}


def says(world: World, *shards: Body, status: int = 200) -> None:
    """What the bot's processes answer from now on."""
    world.discord.shard_answers["harbour"] = (status, {"status": "ready", "role": "active", "shards": list(shards)})


def rows(world: World, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(row.get(field) for field in fields) for row in world.status().get("shardTable", [])]


async def test_table_tells_guilds_and_latency(world: World) -> None:
    """Each replica's row has the guilds of its shards and the latency of its slowest; the status the guilds of them all."""
    says(world, shard(0, 10, 40.4), shard(1, 5, 60.2), shard(2, 7, 41.0), shard(3, 0, None))
    world.bot(sharding={"shards": 4, "replicas": 2})
    expected = [("harbour-discord-0", "0-1", 4, "Ready", 15, 60), ("harbour-discord-1", "2-3", 4, "Ready", 7, 41)]
    fields = ("replica", "shards", "shardCount", "state", "guilds", "latencyMs")
    await world.until(lambda: rows(world, *fields) == expected, "the table is complete")
    assert world.status()["guilds"] == 22
    says(world, shard(0, 11, 44.0), shard(1, 5, 70.0), shard(2, 7, 300.0), shard(3, 1, 30.0))
    await world.until(lambda: rows(world, "guilds", "latencyMs") == [(16, 60), (8, 300)], "news are told")


async def test_latency_that_wavers_is_no_news(world: World) -> None:
    """Each heartbeat gives another latency; the status isn't written for that, nor at a restart."""
    says(world, shard(0, 1, 100, count=1))
    world.bot()
    await world.until(lambda: rows(world, "latencyMs") == [(100,)], "the latency is told")
    await world.quiet()
    before = len(world.emulator.writes())
    says(world, shard(0, 1, 130, count=1))
    await world.restart()
    says(world, shard(0, 1, 80, count=1))
    await world.quiet()
    writes = [found for found in world.emulator.writes()[before:] if "/leases" not in found[1]]
    assert writes == []
    assert rows(world, "latencyMs") == [(100,)]


@pytest.mark.parametrize("body", [{"shards": "none"}, ["x"], {"shards": [{"id": -1, "count": 1}]}])
async def test_odd_answers_are_left_out(world: World, body: object) -> None:
    """What can't be understood, or can't be had any more, takes its columns from the table and nothing else."""
    says(world, shard(0, 3, 50, count=1))
    world.bot()
    await world.until(lambda: rows(world, "guilds", "latencyMs") == [(3, 50)], "the table is complete")
    world.discord.shard_answers["harbour"] = (200, body)
    await world.until(lambda: rows(world, "guilds", "latencyMs") == [(None, None)], "what is old is dropped")
    assert world.condition("Ready")["status"] == "True"
    says(world, shard(0, 4, 50, count=1), status=503)
    await world.until(lambda: rows(world, "guilds", "latencyMs") == [(4, 50)], "it is told again")


async def test_standby_tells_nothing(world: World) -> None:
    """A process that stands by holds no shards, and a paused bot has no process to ask."""
    says(world)
    world.bot()
    await world.until(world.is_("Progressing", "False", "Complete"), "the bot is complete")
    assert rows(world, "state", "guilds") == [("Ready", None)]
    world.change(paused=True)
    await world.until(
        lambda: rows(world, "state", "guilds") == [("Stopped", None)], "the table tells that it is stopped"
    )


async def test_table_tells_those_that_were_ready_from_those_that_start(world: World) -> None:
    """A replica that isn't ready any more, as while the orchestrator is away, isn't one that starts."""
    world.bot(sharding={"shards": 4, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the bot is complete")
    world.emulator.workloads.fate = lambda body: (
        "unready" if body["metadata"]["name"] == "harbour-discord-1" else "ready"
    )
    world.emulator.workloads.settle_all()
    expected = [("harbour-discord-0", "Ready"), ("harbour-discord-1", "NotReady")]
    await world.until(lambda: rows(world, "replica", "state") == expected, "the table says so")
    assert world.condition("Progressing")["message"] == "waiting for replicas to become ready"
