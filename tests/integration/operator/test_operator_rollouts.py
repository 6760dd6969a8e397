"""Rollouts: which replica is changed when, re-sharding, and what stops one."""

from __future__ import annotations

import asyncio

from kube_emulator.store import Body
from operator_world.world import World, env


def image(world: World, name: str) -> str:
    """The image of a Deployment."""
    found: str = world.deployment(name)["spec"]["template"]["spec"]["containers"][0]["image"]
    return found


def images(world: World) -> list[str]:
    """The tag of each discord-service Deployment."""
    return [image(world, name).rpartition(":")[2] for name in sorted(world.replicas())]


def runs(body: Body, tag: str) -> bool:
    """Whether a Deployment is a discord-service replica of this image."""
    container = body["spec"]["template"]["spec"]["containers"][0]
    return bool(container["name"] == "discord" and container["image"].endswith(f":{tag}"))


async def test_image_rolls_replica_by_replica(world: World) -> None:
    """A replica is changed only when the one before it is ready again."""
    world.bot(sharding={"shards": 3, "replicas": 3})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    ready: set[str] = set()
    world.emulator.workloads.fate = lambda body: (
        "starting" if runs(body, "2") and body["metadata"]["name"] not in ready else "ready"
    )
    world.change(images={"tag": "2"})
    for number in range(3):
        expected = ["2"] * (number + 1) + ["1"] * (2 - number)
        await world.until(lambda: images(world) == expected, f"replica {number} is changed")  # noqa: B023
        await world.quiet()
        assert images(world) == expected
        assert world.condition("Ready")["status"] == "True", "the others go on serving"
        ready.add(f"harbour-discord-{number}")
        world.emulator.workloads.settle_all()
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")


async def test_reshard_runs_both_sets_until_the_new_one_is_complete(world: World) -> None:
    """The new shard set comes up beside the old one, replica by replica; the old one goes when all of the new is ready."""
    world.bot(sharding={"shards": 2, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    old = {"harbour-discord-0": "0", "harbour-discord-1": "1"}
    held = {"harbour-discord-3"}
    world.emulator.workloads.fate = lambda body: "starting" if body["metadata"]["name"] in held else "ready"
    world.change(sharding={"shards": 4, "replicas": 2})
    both = {**old, "harbour-discord-2": "0,1", "harbour-discord-3": "2,3"}
    await world.until(lambda: world.replicas() == both, "both sets are there")
    await world.quiet()
    assert world.replicas() == both
    assert world.condition("Ready")["status"] == "True"
    states = {row["replica"]: row["state"] for row in world.status()["shardTable"]}
    assert states == {
        "harbour-discord-0": "Retiring",
        "harbour-discord-1": "Retiring",
        "harbour-discord-2": "Ready",
        "harbour-discord-3": "Starting",
    }
    held.clear()
    world.emulator.workloads.settle_all()
    await world.until(
        lambda: world.replicas() == {"harbour-discord-2": "0,1", "harbour-discord-3": "2,3"}, "the old set is gone"
    )
    assert env(world.deployment("harbour-discord-2"))["SHARD_COUNT"] == "4"
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    assert world.status()["shards"] == 4


async def test_auto_follows_discord(world: World) -> None:
    """`auto` takes Discord's recommendation, and holds to what runs while Discord can't be asked."""
    world.discord.shards = 3
    world.bot(sharding={"shards": "auto", "replicas": 2})
    await world.until(
        lambda: world.replicas() == {"harbour-discord-0": "0,1", "harbour-discord-1": "2"}, "three shards"
    )
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    world.discord.status = 503
    await world.restart()
    await world.until(
        lambda: world.condition("TokenValid")["status"] == "Unknown", "it says that Discord can't be asked"
    )
    assert world.replicas() == {"harbour-discord-0": "0,1", "harbour-discord-1": "2"}
    assert world.condition("Ready")["status"] == "True"


async def test_stalled_rollout_stops_says_so_and_heals(world: World) -> None:
    """A replica that doesn't become ready ends the rollout there; a corrected spec mends it first."""
    world.bot(sharding={"shards": 2, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    world.emulator.workloads.fate = lambda body: "stalled" if runs(body, "broken") else "ready"
    world.change(images={"tag": "broken"})
    await world.until(world.is_("Progressing", "False", "Stalled"), "it says that it is stuck")
    await world.quiet()
    assert images(world) == ["broken", "1"]
    assert "harbour-discord-0" in world.condition("Progressing")["message"]
    assert any(event.startswith("Stalled: ") for event in world.events())
    world.change(images={"tag": "3"})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    assert images(world) == ["3", "3"]


async def test_budget_holds_a_rollout_back(world: World) -> None:
    """Replicas start only while the IDENTIFYs of their shards fit the budget less its reserve."""
    world.discord.remaining = 102
    world.bot(sharding={"shards": 6, "replicas": 3})
    await world.until(world.is_("IdentifyBudgetOk", "False", "Short"), "it says that the budget is short")
    await world.quiet()
    assert list(world.replicas()) == ["harbour-discord-0"]
    assert "100 of 1000 are left" in world.condition("Progressing")["message"]


async def test_new_replicas_start_as_many_at_a_time_as_discord_lets_identify(world: World) -> None:
    """At most `max_concurrency` new replicas are starting at once."""
    world.discord.max_concurrency = 2
    ready: set[str] = set()
    world.emulator.workloads.fate = lambda body: (
        "ready" if "discord" not in body["metadata"]["name"] or body["metadata"]["name"] in ready else "starting"
    )
    world.bot(sharding={"shards": 4, "replicas": 4})
    await world.until(lambda: len(world.replicas()) == 2, "two replicas are starting")
    await world.quiet()
    assert len(world.replicas()) == 2
    ready.add("harbour-discord-0")
    world.emulator.workloads.settle_all()
    await world.until(lambda: len(world.replicas()) == 3, "a third follows when one is ready")


async def test_changes_while_the_operator_is_down_are_caught_up(world: World) -> None:
    """What was changed meanwhile, in specs and in children, is seen at the start."""
    world.bot(sharding={"shards": 2, "replicas": 1})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    await world.operator.stop()
    world.change(images={"tag": "2"})
    world.delete("", "services", "harbour-execution")
    world.patch("apps", "deployments", "harbour-orchestrator", {"spec": {"replicas": 5}})
    world.operator = world.new_operator()
    await world.operator.start()
    await world.until(lambda: images(world) == ["2"], "the image is the new one")
    await world.until(lambda: world.find("", "services", "harbour-execution") is not None, "the Service is there again")
    await world.until(lambda: world.deployment("harbour-orchestrator")["spec"]["replicas"] == 1, "one orchestrator")


async def test_kill_in_the_middle_of_a_rollout_loses_nothing(world: World) -> None:
    """An operator that is killed halfway is succeeded by one that goes on from what it sees."""
    world.bot(sharding={"shards": 3, "replicas": 3})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    world.emulator.workloads.fate = lambda body: "starting" if runs(body, "2") else "ready"
    world.change(images={"tag": "2"})
    await world.until(lambda: images(world) == ["2", "1", "1"], "the first replica is changed")
    await world.operator.stop(9)
    world.operator = world.new_operator(IDENTITY="second")
    await world.operator.start()
    await world.ready()
    await asyncio.sleep(0)
    assert images(world) == ["2", "1", "1"]
    world.emulator.workloads.fate = lambda _: "ready"
    world.emulator.workloads.settle_all()
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    assert images(world) == ["2", "2", "2"]
