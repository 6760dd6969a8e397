"""`build_resources`: everything that should be there for one bot, from its spec and what was observed. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from botswain_operator import names
from botswain_operator.manifests import Manifest, seal
from botswain_operator.observed import Observed
from botswain_operator.resources import config, network, workloads
from botswain_operator.resources.defaults import Defaults
from botswain_operator.rollout import Rollout, plan_rollout
from botswain_operator.sharding import ShardSet, place, settled, wanted_counts
from botswain_operator.spec import Bot


@dataclass(frozen=True, slots=True)
class Plan:
    """What one reconcile applies and leaves."""

    manifests: tuple[Manifest, ...]
    """To apply, in this order."""
    kept: frozenset[str]
    """Names of Deployments that are neither applied nor deleted now."""
    shard_set: ShardSet | None
    """The wanted shard set; None while nobody knows the number of shards."""
    rollout: Rollout


def build_resources(bot: Bot, observed: Observed, defaults: Defaults | None = None) -> Plan:
    """The plan for `bot`. A child of the bot that is neither in `manifests` nor in `kept` is to be deleted."""
    defaults = defaults or Defaults()
    orchestrator = workloads.orchestrator_deployment(bot, defaults, observed)
    shard_set, rollout, replicas = _discord(bot, observed, defaults, _held_by(seal(orchestrator), observed))
    manifests = [*_foundation(bot, observed), *network.network_policies(bot, defaults, observed)]
    # Like discord-service, execution isn't brought to a token that Discord hasn't accepted.
    held = observed.execution is not None and observed.token.state not in ("valid", "unknown") and not bot.spec.paused
    if not held:
        manifests.append(workloads.execution_deployment(bot, defaults, observed))
    manifests += [orchestrator, *replicas]
    if scaler := workloads.autoscaler(bot):
        manifests.append(scaler)
    manifests += [workloads.disruption_budget(bot, part) for part in _guarded(bot, shard_set)]
    if bot.spec.telemetry.service_monitor and observed.has_service_monitors:
        manifests.append(config.service_monitor(bot))
    going = {names.replica_name(bot.name, number) for number in rollout.retire}
    applied = {manifest["metadata"]["name"] for manifest in replicas}
    there = {replica.workload.name for replica in observed.replicas.values()}
    if held:
        there.add(workloads.service_host(bot, names.EXECUTION))
    return Plan(
        manifests=tuple(manifest if manifest is orchestrator else seal(manifest) for manifest in manifests),
        kept=frozenset(there - going - applied),
        shard_set=shard_set,
        rollout=rollout,
    )


def _foundation(bot: Bot, observed: Observed) -> list[Manifest]:
    manifests = [config.service_account(bot), config.auth_secret(bot, observed)]
    if config_map := config.config_map(bot):
        manifests.append(config_map)
    sqlite = bot.spec.sqlite
    if sqlite and not sqlite.ephemeral:
        manifests.append(config.volume_claim(bot, sqlite))
    return manifests + [config.service(bot, part) for part in (names.DISCORD, names.ORCHESTRATOR, names.EXECUTION)]


def _held_by(orchestrator: Manifest, observed: Observed) -> str:
    """What running replicas wait for before they are changed: without an orchestrator none could become ready."""
    there = observed.orchestrator
    if there is None:
        return ""
    replaced = there.annotations.get(names.HASH) == orchestrator["metadata"]["annotations"][names.HASH] and there.rolled
    return "" if replaced and there.ready else "the new orchestrator to be ready"


def _discord(
    bot: Bot, observed: Observed, defaults: Defaults, held: str
) -> tuple[ShardSet | None, Rollout, list[Manifest]]:
    recommended = settled(observed.gateway.recommended_shards if observed.gateway else None, observed.last_shards)
    counts = wanted_counts(bot.spec.sharding, recommended)
    if counts is None:
        return None, Rollout(waiting="Discord's recommended number of shards"), []
    offsets = {found.set_key: found.offset for found in observed.replicas.values()}
    shard_set = place(*counts, existing=offsets, taken=observed.replicas)
    numbers = range(shard_set.offset, shard_set.offset + shard_set.replicas)
    wanted = {number: workloads.discord_deployment(bot, defaults, observed, shard_set, number) for number in numbers}
    hashes = {number: manifest["metadata"]["annotations"][names.TEMPLATE_HASH] for number, manifest in wanted.items()}
    rollout = plan_rollout(shard_set, hashes, observed, paused=bot.spec.paused, held=held)
    replicas = []
    for step in rollout.steps:
        if step.apply:
            manifest = wanted[step.number]
            manifest["spec"]["replicas"] = step.scale
            replicas.append(manifest)
    return shard_set, rollout, replicas


def _guarded(bot: Bot, shard_set: ShardSet | None) -> list[str]:
    """The parts with more than one pod; a budget for a single one would hold nothing back."""
    spec = bot.spec
    if spec.paused:
        return []
    parts = []
    if shard_set and shard_set.replicas > 1:
        parts.append(names.DISCORD)
    if spec.orchestrator.replicas > 1 or (
        spec.orchestrator.autoscaling and spec.orchestrator.autoscaling.max_replicas > 1
    ):
        parts.append(names.ORCHESTRATOR)
    if spec.execution.replicas > 1:
        parts.append(names.EXECUTION)
    return parts
