"""An API server that refuses, forgets and drops: the operator gets through all of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path

import pytest
from kube_emulator.faults import Fault
from kube_emulator.store import Body
from operator_world.world import NAMESPACE, SYSTEM, World, chart_roles, running


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (409, "Conflict"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ],
)
async def test_passing_refusals_are_tried_again(stage: World, code: int, reason: str) -> None:
    """Refusals that pass delay a bot, and no more."""
    for path in (
        "deployments/harbour-execution",
        "services/harbour-orchestrator",
        "discordbots/harbour/status",
        "serviceaccounts",
    ):
        stage.emulator.faults.add(
            Fault(path, code, reason, method="PATCH", times=2, retry_after=0 if code == 429 else None)
        )
    stage.bot()
    await stage.operator.start()
    await stage.until(stage.is_("Progressing", "False", "Complete"), "the bot is complete")
    assert stage.emulator.faults.hit >= 6


async def test_refused_manifest_is_told_and_tried_again_slowly(stage: World) -> None:
    """A 422 is shown on the bot with the API server's words, and goes away with its cause."""
    stage.emulator.faults.add(
        Fault(
            "services/harbour-execution", 422, "Invalid", "Service is invalid: no more ports", method="PATCH", times=3
        )
    )
    stage.bot()
    await stage.operator.start()
    await stage.until(
        lambda: "no more ports" in stage.condition("Progressing").get("message", ""), "the refusal is told"
    )
    await stage.until(stage.is_("Progressing", "False", "Complete"), "the bot is complete")


async def test_field_that_the_server_does_not_know_is_told(stage: World) -> None:
    """An apply with such a field is answered 500, which is no failure that passes: the words are shown at once."""
    words = (
        "failed to create typed patch object (bots/harbour-execution; apps/v1, Kind=Deployment): "
        ".spec.template.spec.affinty: field not declared in schema"
    )
    stage.emulator.faults.add(Fault("deployments/harbour-execution", 500, "", words, method="PATCH", times=2))
    stage.bot()
    await stage.operator.start()
    await stage.until(
        lambda: "affinty: field not declared" in stage.condition("Progressing").get("message", ""), "the field is named"
    )
    await stage.until(stage.is_("Progressing", "False", "Complete"), "the bot is complete")


async def test_failure_that_stays_is_told(stage: World) -> None:
    """What might pass is told when it hasn't after a few tries: a webhook that doesn't answer, say."""
    words = "failed calling webhook: connection refused"
    stage.emulator.faults.add(Fault("services/harbour-execution", 500, "InternalError", words, method="PATCH", times=4))
    stage.bot()
    await stage.operator.start()
    await stage.until(lambda: words in stage.condition("Progressing").get("message", ""), "the failure is told")
    assert stage.emulator.faults.hit > 3
    await stage.until(stage.is_("Progressing", "False", "Complete"), "the bot is complete")


async def test_watches_that_end_at_once_are_not_taken_up_in_a_rush(stage: World) -> None:
    """A server that ends each watch as soon as it begins is asked again after growing pauses."""
    stage.emulator.shortest_watches = True
    stage.bot()
    await stage.operator.start()
    await stage.until(stage.is_("Ready", "True"), "the bot is ready")
    stage.emulator.shortest_watches = False
    watches = [path for method, path in stage.emulator.requests if method == "GET" and path.endswith("/services")]
    assert len(watches) < 40
    stage.change(execution={"replicas": 2})
    await stage.until(lambda: stage.deployment("harbour-execution")["spec"]["replicas"] == 2, "changes are seen again")


async def test_many_namespaces_leave_connections_for_requests() -> None:
    """Watches of a dozen kinds in each of six namespaces are more connections than requests may have, and take none of them."""
    others = [f"team-{number}" for number in range(5)]
    served = ",".join([NAMESPACE, *others])
    roles = chart_roles(f"--set=operator.watchNamespaces={{{served}}}")
    async with running([], start=False, WATCH_NAMESPACES=served, LEASE_SECONDS="60") as world:
        for name in others:
            world.create("", "namespaces", {"metadata": {"name": name}}, "")
        for body in roles:
            kind = next(found for found in world.store.kinds.values() if found.kind == body["kind"])
            world.emulator.writer.create(kind, body["metadata"].get("namespace", ""), body, "helm")
        await world.operator.start()
        try:
            await world.ready()
            world.bot()
            await world.until(world.is_("Ready", "True"), "the bot is ready")
        finally:
            await world.operator.stop()
        assert not world.operator.defects()


async def test_operator_that_was_stopped_for_a_while_writes_nothing_more(roles: list[Body]) -> None:
    """A process that stands still in the middle of its work while its lease runs out ends when it goes on, without the rest."""
    async with running(roles, LEASE_SECONDS="2") as world:
        second = world.new_operator(IDENTITY="second")
        await second.start()
        try:
            first, came = world.operator.pid, itertools.count(1)

            def stop() -> None:
                """What goes before the Deployments is nine requests: with the last of them nothing is on its way."""
                if next(came) == 9:
                    os.kill(first, signal.SIGSTOP)

            before_pods = "/(serviceaccounts|secrets|persistentvolumeclaims|services|networkpolicies)/harbour"
            world.emulator.faults.add(Fault(before_pods, 0, method="PATCH", times=9, meanwhile=stop))
            world.bot()
            await world.until(world.is_("Progressing", "False", "Complete"), "the second takes over")
            await world.quiet_but_for_leases()
            before = len(world.emulator.writes())
            os.kill(first, signal.SIGCONT)
            async with asyncio.timeout(15):
                assert await world.operator.wait() == 1
            assert [found for found in world.emulator.writes()[before:] if "/leases" not in found[1]] == []
        finally:
            await second.stop()


async def test_lists_that_fail_at_the_start_are_tried_again(stage: World) -> None:
    """An API server that answers the first lists with errors only delays the start."""
    for plural in ("deployments", "secrets", "discordbots", "networkpolicies", "configmaps"):
        stage.emulator.faults.add(Fault(f"/{plural}", 503, "ServiceUnavailable", method="GET", times=2))
    stage.bot()
    await stage.operator.start()
    await stage.until(stage.is_("Ready", "True"), "the bot is ready")


async def test_dropped_watches_are_taken_up(world: World) -> None:
    """Watches that end are taken up where they ended, with nothing missed."""
    world.bot()
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    assert world.store.drop_watches() > 10
    world.change(execution={"replicas": 3})
    world.delete("", "services", "harbour-execution")
    await world.until(lambda: world.deployment("harbour-execution")["spec"]["replicas"] == 3, "the change is made")
    await world.until(lambda: world.find("", "services", "harbour-execution") is not None, "the Service is there again")


async def test_expired_watches_begin_with_a_new_list(world: World) -> None:
    """410 after a gap: what was changed and deleted meanwhile is found by listing anew."""
    world.bot()
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    world.emulator.faults.add(Fault("watch=true", 503, "ServiceUnavailable", method="GET", times=30))
    world.store.drop_watches()
    world.delete("", "services", "harbour-execution")
    world.delete("networking.k8s.io", "networkpolicies", "harbour-discord")
    world.store.compact()
    world.emulator.faults.active.clear()
    await world.until(lambda: world.find("", "services", "harbour-execution") is not None, "the Service is there again")
    await world.until(
        lambda: world.find("networking.k8s.io", "networkpolicies", "harbour-discord") is not None, "the policy too"
    )


async def test_field_of_another_manager_is_taken_over_and_told(world: World) -> None:
    """Another manager's value for a field that the operator decides gives way, and an event names the manager."""
    world.bot()
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: harbour-execution}\nspec: {selector: {app: mine}}\n"
    applied = await world.kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=rival", "-f", "-", stdin=manifest
    )
    assert applied.returncode == 0, applied.stderr
    selector = {"app.kubernetes.io/component": "execution", "botswain.dev/bot": "harbour"}
    await world.until(
        lambda: (
            (found := world.find("", "services", "harbour-execution")) is not None
            and found["spec"]["selector"] == selector
        ),
        "the selector is the operator's again",
    )
    await world.until(
        lambda: any("FieldTakenOver" in event and "rival" in event for event in world.events()),
        "an event names the rival",
    )


async def test_contest_over_a_child_is_not_fought_for_ever(world: World) -> None:
    """Against something that changes a child each time it is put back, the operator pauses and says so."""
    world.bot()
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    puts = 0

    def fight() -> bool:
        nonlocal puts
        found = world.find("", "services", "harbour-execution")
        if found is not None and "rival" not in found["spec"]["selector"]:
            puts += 1
            world.patch("", "services", "harbour-execution", {"spec": {"selector": {"rival": "yes"}}})
        return any("FieldContested" in event for event in world.events())

    await world.until(fight, "the operator gives in")
    await world.quiet()
    assert puts <= 12


async def test_change_that_crosses_a_status_write_is_seen(world: World) -> None:
    """A spec that is changed while the operator writes the status is acted on, although the write's answer is newer than it."""
    world.bot()
    await world.until(world.is_("Progressing", "False", "Complete"), "the bot is complete")
    await world.quiet()
    crossing = Fault(
        "discordbots/harbour/status", 0, method="PATCH", meanwhile=lambda: world.change(execution={"replicas": 3})
    )
    world.emulator.faults.add(crossing)
    world.change(execution={"replicas": 2})
    await world.until(
        lambda: world.deployment("harbour-execution")["spec"]["replicas"] == 3, "the second change is made"
    )
    assert crossing.times == 0, "it came while the status was written"
    await world.until(world.is_("Progressing", "False", "Complete"), "the status is about the second change")


async def test_two_operators_never_both_act(world: World) -> None:
    """The second waits, ready as a standby, and takes over when the first lets go."""
    second = world.new_operator(IDENTITY="second")
    await second.start()

    async def stands_by() -> bool:
        status, text = await second.get("/ready")
        return status == 200 and '"role": "standby"' in text

    try:
        await world.until_async(stands_by, "the second stands by")
        world.bot()
        await world.until(world.is_("Ready", "True"), "the first brings the bot up")
        _, metrics = await second.get("/metrics")
        assert "botswain_operator_reconciles_total{" not in metrics
        await world.operator.stop()
        world.change(execution={"replicas": 2})
        await world.until(
            lambda: world.deployment("harbour-execution")["spec"]["replicas"] == 2, "the second takes over"
        )
    finally:
        await second.stop()


async def test_lost_lease_ends_the_process(world: World) -> None:
    """An operator whose lease was taken stops acting and ends, so that it is started anew as a standby."""
    kind = world.store.kinds["coordination.k8s.io", "leases"]
    lease = world.store.get(kind, SYSTEM, "botswain-operator")
    spec = {**lease["spec"], "holderIdentity": "somebody-else", "leaseDurationSeconds": 60}
    world.store.put(kind, {**lease, "spec": spec})
    async with asyncio.timeout(15):
        assert await world.operator.wait() == 1
    assert any("somebody-else" in str(line["event"]) for line in world.operator.log if line["level"] == "raw")
    world.operator.log = [line for line in world.operator.log if line["level"] != "raw"]


async def test_kind_that_is_taken_away_ends_the_process_in_words(world: World) -> None:
    """Without its kind the operator has nothing to do: it ends, says why in a line, and is started anew to wait for it."""
    world.bot()
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    definitions = world.store.kinds["apiextensions.k8s.io", "customresourcedefinitions"]
    world.emulator.writer.delete(definitions, "", "discordbots.botswain.dev", None)
    world.store.drop_watches()
    async with asyncio.timeout(40):
        assert await world.operator.wait() == 1
    await world.operator.stop()
    said = [str(line["event"]) for line in world.operator.log if line["level"] == "raw"]
    assert len(said) == 1
    assert said[0].startswith("botswain-operator: WatchLost: DiscordBots can't be watched any more")
    world.operator.log = [line for line in world.operator.log if line["level"] not in ("raw", "error")]


async def test_kind_that_is_missing_is_waited_for(stage: World) -> None:
    """Without the CustomResourceDefinition the operator says what to apply, and starts when it is there."""
    definitions = stage.store.kinds["apiextensions.k8s.io", "customresourcedefinitions"]
    definition = stage.store.get(definitions, "", "discordbots.botswain.dev")
    stage.emulator.writer.delete(definitions, "", "discordbots.botswain.dev", None)
    await stage.operator.start()

    async def complains() -> bool:
        status, text = await stage.operator.get("/ready")
        return status == 503 and "charts/botswain/crds" in text

    await stage.until_async(complains, "it says what is missing")
    metadata = {"name": "discordbots.botswain.dev"}
    stage.emulator.writer.create(definitions, "", {**definition, "metadata": metadata}, "test")
    stage.bot()
    await stage.until(stage.is_("Ready", "True"), "the bot is ready")


async def test_lease_that_cannot_be_asked_for_is_told(stage: World) -> None:
    """An operator that gets no answer about its lease is no standby: it isn't ready, says why, and begins when it can."""
    stage.emulator.faults.add(Fault("/leases", 403, "Forbidden", "leases is forbidden", times=10**6))
    await stage.operator.start()

    async def complains() -> bool:
        status, text = await stage.operator.get("/ready")
        return status == 503 and "leases is forbidden" in text

    await stage.until_async(complains, "it says what keeps it from the lease")
    stage.emulator.faults.active.clear()
    await stage.ready()


async def test_user_without_a_name_will_do(stage: World, tmp_path: Path) -> None:
    """The image's user has no entry among the system's users, and the operator asks for none."""
    nameless = "import pwd\n\ndef nobody(uid):\n    raise KeyError(f'getpwuid(): uid not found: {uid}')\n"
    nameless += "\npwd.getpwuid = nobody\n"
    (tmp_path / "sitecustomize.py").write_text(nameless)
    stage.operator = stage.new_operator(PYTHONPATH=str(tmp_path))
    stage.bot()
    await stage.operator.start()
    await stage.until(stage.is_("Ready", "True"), "the bot is ready")
