"""A bot's life: made, running, changed, mended, deleted."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from kube_emulator.faults import Fault
from operator_world.discord import USER_ID
from operator_world.world import NAMESPACE, World, env


async def test_bot_comes_up_with_everything_it_runs_on(world: World) -> None:
    """One DiscordBot becomes account, secret, volume, Services, policies and Deployments, and says that it is ready."""
    world.bot(sharding={"shards": 3, "replicas": 2})
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    assert world.replicas() == {"harbour-discord-0": "0,1", "harbour-discord-1": "2"}
    assert {"harbour-execution", "harbour-orchestrator"} < set(world.names("apps", "deployments"))
    assert world.names("", "services") == ["harbour-discord", "harbour-execution", "harbour-orchestrator"]
    assert world.names("networking.k8s.io", "networkpolicies") == [
        "harbour-discord",
        "harbour-execution",
        "harbour-orchestrator",
    ]
    assert world.names("", "persistentvolumeclaims") == ["harbour-data"]
    assert world.names("", "serviceaccounts") == ["harbour"]
    assert env(world.deployment("harbour-discord-0"))["DISCORD_APPLICATION_ID"] == USER_ID


async def test_status_tells_shards_bot_and_budget(world: World) -> None:
    """The status has the shard table, the bot's user, the budget, and all six conditions of the newest generation."""
    world.discord.remaining = 900
    world.bot(sharding={"shards": 2, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    status = world.status()
    assert status["shardTable"] == [
        {"replica": "harbour-discord-0", "shards": "0", "shardCount": 2, "state": "Ready"},
        {"replica": "harbour-discord-1", "shards": "1", "shardCount": 2, "state": "Ready"},
    ]
    assert status["bot"] == {"id": USER_ID, "username": "harbour-master"}
    assert (status["budget"]["total"], status["budget"]["remaining"]) == (1000, 900)
    assert (status["replicas"], status["readyReplicas"], status["replicaSummary"]) == (2, 2, "2/2")
    found = {item["type"]: item["status"] for item in status["conditions"]}
    assert found == {
        "Ready": "True",
        "Progressing": "False",
        "TokenValid": "True",
        "ShardsAssigned": "True",
        "IdentifyBudgetOk": "True",
        "DatabaseReachable": "True",
    }


async def test_restart_writes_nothing(world: World) -> None:
    """An operator that starts where everything is as it should be only reads, but for its lease."""
    world.bot(sharding={"shards": 2, "replicas": 2}, agent={"systemPrompt": "Be kind."})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    await world.quiet()
    await world.operator.stop()
    before = len(world.emulator.requests)
    world.operator = world.new_operator()
    await world.operator.start()
    await world.ready()
    asked = world.discord.asked
    await world.until(lambda: world.discord.asked >= asked, "Discord was asked")
    await world.quiet()
    writes = [found for found in world.emulator.requests[before:] if found[0] != "GET" and "/leases" not in found[1]]
    assert writes == []


async def test_drift_is_repaired(world: World) -> None:
    """What someone changes by hand is put back, whichever kind it is."""
    changes: list[tuple[str, str, str, dict[str, object]]] = [
        ("apps", "deployments", "harbour-discord-0", {"spec": {"replicas": 0}}),
        (
            "apps",
            "deployments",
            "harbour-orchestrator",
            {"spec": {"template": {"spec": {"serviceAccountName": "other"}}}},
        ),
        ("", "services", "harbour-execution", {"spec": {"selector": {"app": "other"}}}),
        ("networking.k8s.io", "networkpolicies", "harbour-discord", {"spec": {"egress": []}}),
        ("", "serviceaccounts", "harbour", {"automountServiceAccountToken": True}),
        ("", "services", "harbour-orchestrator", {"metadata": {"labels": {"botswain.dev/bot": None}}}),
    ]
    world.bot()
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    for group, plural, name, patch in changes:
        before = _content(world.find(group, plural, name))
        world.patch(group, plural, name, patch)
        assert _content(world.find(group, plural, name)) != before
        await world.until(lambda: _content(world.find(group, plural, name)) == before, f"{name} is as it was")  # noqa: B023


def _content(body: dict[str, Any] | None) -> dict[str, Any]:
    """What the operator decides about an object."""
    found = {key: value for key, value in (body or {}).items() if key not in ("metadata", "status")}
    return {**found, "labels": (body or {"metadata": {}})["metadata"].get("labels")}


async def test_deleted_child_comes_back(world: World) -> None:
    """What someone deletes by hand is made again, whichever kind it is."""
    world.bot()
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    for group, plural, name in (
        ("apps", "deployments", "harbour-discord-0"),
        ("apps", "deployments", "harbour-execution"),
        ("", "services", "harbour-orchestrator"),
        ("", "secrets", "harbour-service-auth"),
        ("networking.k8s.io", "networkpolicies", "harbour-execution"),
    ):
        world.delete(group, plural, name)
        await world.until(lambda: world.find(group, plural, name) is not None, f"{name} is there again")  # noqa: B023


async def test_fields_of_others_stay(world: World) -> None:
    """A label, an annotation or a variable that someone else adds is not taken away."""
    world.bot()
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    world.patch(
        "apps", "deployments", "harbour-execution", {"metadata": {"annotations": {"team.example/owner": "ada"}}}
    )
    world.change(execution={"replicas": 2})
    await world.until(lambda: world.deployment("harbour-execution")["spec"]["replicas"] == 2, "two replicas")
    assert world.deployment("harbour-execution")["metadata"]["annotations"]["team.example/owner"] == "ada"


async def test_delete_works_while_the_operator_is_down(world: World) -> None:
    """No finalizer holds a bot back, and everything it owned goes with it."""
    world.bot(sharding={"shards": 2, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    await world.operator.stop()
    world.delete("botswain.dev", "discordbots", "harbour")
    await world.until(lambda: world.names("apps", "deployments") == [], "the Deployments are gone")
    for group, plural in (
        ("", "services"),
        ("", "persistentvolumeclaims"),
        ("networking.k8s.io", "networkpolicies"),
        ("", "serviceaccounts"),
    ):
        assert world.names(group, plural) == []
    assert world.names("", "secrets") == ["token"]


async def test_retained_volume_outlives_the_bot(world: World) -> None:
    """With `database.sqlite.retain` the volume has no owner."""
    world.bot(database={"sqlite": {"retain": True}})
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    world.delete("botswain.dev", "discordbots", "harbour")
    await world.until(lambda: world.names("apps", "deployments") == [], "the Deployments are gone")
    assert world.names("", "persistentvolumeclaims") == ["harbour-data"]


async def test_paused_bot_keeps_its_data_and_runs_nothing(world: World) -> None:
    """`paused` scales everything to zero, says so, and undoes itself."""
    world.bot()
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    world.change(paused=True)
    await world.until(world.is_("Ready", "False", "Paused"), "the bot says that it is paused")
    assert {world.deployment(name)["spec"]["replicas"] for name in world.names("apps", "deployments")} == {0}
    assert world.names("", "persistentvolumeclaims") == ["harbour-data"]
    world.change(paused=False)
    await world.until(world.is_("Ready", "True"), "the bot is ready again")


async def test_bad_bot_does_not_hold_up_another(world: World) -> None:
    """A bot that the API server refuses a part of says why; the bot beside it comes up."""
    world.bot("bad", pods={"labels": {"botswain.dev/bot": "x"}}, database={"sqlite": {"size": "2Gi"}})
    await world.until(world.is_("Ready", "True", bot="bad"), "the bot is ready")
    world.change("bad", database={"sqlite": {"size": "1Gi"}})
    world.bot("good")
    await world.until(world.is_("Ready", "True", bot="good"), "the other bot is ready")
    await world.until(world.is_("Progressing", "False", "ApplyFailed", bot="bad"), "the bad one says what failed")
    message = world.condition("Progressing", "bad")["message"]
    assert "PersistentVolumeClaim bad-data" in message
    assert "can not be less than" in message
    assert any("ApplyFailed" in event for event in world.events("bad"))


async def test_what_is_no_http_is_answered_and_no_error(world: World) -> None:
    """Something that speaks to the operator's port in another protocol gets a 400, and leaves no error in the log."""
    world.bot()  # kopf complains of requests that are cut off when it is ended while it starts
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    reader, writer = await asyncio.open_connection("127.0.0.1", world.operator.port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    await writer.wait_closed()
    assert (await world.operator.get("/health"))[0] == 200


async def test_kubectl_shows_columns_and_scales(world: World) -> None:
    """`kubectl get dbot` shows how bots stand; `kubectl scale` and `kubectl wait` work on them."""
    world.bot(sharding={"shards": 4, "replicas": 1})
    waited, _ = await asyncio.gather(
        world.kubectl("wait", "--for=condition=Ready", "dbot/harbour", "--timeout=15s"), asyncio.sleep(0)
    )
    assert waited.returncode == 0, waited.stderr
    shown = await world.kubectl("get", "dbot", "--namespace", NAMESPACE)
    header, row = shown.stdout.splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "SHARDS", "REPLICAS", "TOKEN", "BOT", "MODEL", "AGE"]
    assert row.split()[:8] == ["harbour", "True", "Serving", "4", "1/1", "True", "harbour-master", "scripted"]
    scaled = await world.kubectl("scale", "dbot/harbour", "--replicas=2")
    assert scaled.returncode == 0, scaled.stderr
    await world.until(
        lambda: world.replicas() == {"harbour-discord-1": "0,1", "harbour-discord-2": "2,3"}, "two replicas"
    )


async def test_metrics_tell_what_a_person_on_call_asks(world: World) -> None:
    """Reconciles by result, errors by kind, how long both took and waited, the queue, and that this one leads."""
    world.emulator.faults.add(Fault("/services/harbour", 503, "ServiceUnavailable", method="PATCH"))
    world.bot()
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    _, text = await world.operator.get("/metrics")
    for line in (
        'reconciles_total{result="done"} [1-9]',
        'reconciles_total{result="failed"} [1-9]',
        'errors_total{error="Unavailable"} [1-9]',
        'writes_total{kind="Deployment",verb="apply"} [1-9]',
        "reconcile_seconds_count [1-9]",
        "queue_seconds_count [1-9]",
        "queue_length [0-9]",
        "bots 1",
        "leader 1",
    ):
        name, _, value = line.rpartition(" ")
        assert re.search(rf"^botswain_operator_{re.escape(name)} {value}", text, re.MULTILINE), line
