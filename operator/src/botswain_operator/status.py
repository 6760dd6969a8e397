"""How a bot stands, as its `status` says it: a pure function of spec, plan and what was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from botswain_operator import names
from botswain_operator.observed import Observed, Workload
from botswain_operator.resources import Plan
from botswain_operator.rollout import Step, reserve
from botswain_operator.shard_reports import guilds_of
from botswain_operator.shard_table import build_table
from botswain_operator.sharding import shard_range
from botswain_operator.spec import Bot

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, without its times."""

    type: str
    status: Truth
    reason: str
    message: str


def build_status(bot: Bot, plan: Plan, observed: Observed, problems: Sequence[str] = ()) -> dict[str, Any]:
    """The status, but for the times of its conditions.

    Args:
        problems: what the API server refused in this reconcile, in words.
    """
    ready = sum(1 for step in plan.rollout.steps if step.state in ("Ready", "Outdated") or _is_ready(step, observed))
    wanted = plan.shard_set.replicas if plan.shard_set else 0
    status: dict[str, Any] = {
        "observedGeneration": bot.generation,
        "replicas": len(observed.replicas),
        "readyReplicas": ready,
        "replicaSummary": f"{ready}/{wanted}",
        "selector": ",".join(
            f"{key}={value}" for key, value in sorted(names.selector(bot.name, names.DISCORD).items())
        ),
        "shardTable": build_table(bot, plan.rollout.steps, observed),
        "conditions": [
            {"type": found.type, "status": found.status, "reason": found.reason, "message": found.message}
            for found in conditions(bot, plan, observed, problems)
        ],
    }
    guilds = observed.last_guilds if observed.shards is None else guilds_of(observed.shards)
    if guilds is not None:
        status["guilds"] = guilds
    if plan.shard_set:
        status["shards"] = plan.shard_set.count
    if facts := observed.gateway:
        status["bot"] = {"id": facts.user_id, "username": facts.username}
        status["budget"] = {
            "total": facts.identify_total,
            "remaining": facts.identify_remaining,
            "maxConcurrency": facts.max_concurrency,
        }
        if facts.identify_remaining < facts.identify_total:
            # To the minute: Discord says how long it takes, and each answer would give another second.
            status["budget"]["resetAt"] = (facts.reset_at + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:00Z")
    return status


def _is_ready(step: Step, observed: Observed) -> bool:
    found = observed.replicas.get(step.number)
    return bool(found and found.workload.wanted and found.workload.ready >= 1)


def conditions(bot: Bot, plan: Plan, observed: Observed, problems: Sequence[str] = ()) -> list[Condition]:
    """The six conditions, `Ready` first."""
    shards = _shards_assigned(plan, observed)
    token = _token_valid(observed)
    database = _database_reachable(bot, observed)
    return [
        _ready(bot, observed, problems, [token, database, shards]),
        _progressing(bot, plan, observed, problems),
        token,
        shards,
        _budget_ok(plan, observed),
        database,
    ]


def _ready(bot: Bot, observed: Observed, problems: Sequence[str], parts: Sequence[Condition]) -> Condition:
    if bot.spec.paused:
        return Condition("Ready", "False", "Paused", "spec.paused is true: nothing runs, all data is kept")
    serving = _serving(observed.orchestrator) and _serving(observed.execution) and _all_shards_served(observed)
    if serving:
        return Condition("Ready", "True", "Serving", "all shards, the orchestrator and execution are ready")
    if observed.missing_secrets:
        return Condition("Ready", "False", "SecretMissing", "; ".join(observed.missing_secrets))
    if problems:
        return Condition("Ready", "False", "ApplyFailed", "; ".join(problems))
    for part in parts:
        if part.status == "False" and part.type != "ShardsAssigned":
            return Condition("Ready", "False", part.reason, part.message)
    lacking = [
        name
        for name, served in (
            ("orchestrator", _serving(observed.orchestrator)),
            ("execution", _serving(observed.execution)),
            ("shards", _all_shards_served(observed)),
        )
        if not served
    ]
    return Condition("Ready", "False", "NotReady", f"not ready yet: {', '.join(lacking)}")


def _serving(workload: Workload | None) -> bool:
    return bool(workload and workload.wanted and workload.ready)


def _all_shards_served(observed: Observed) -> bool:
    """Whether the ready replicas of one shard set hold all its shards."""
    served: dict[int, set[int]] = {}
    for found in observed.replicas.values():
        if _serving(found.workload):
            served.setdefault(found.shard_count, set()).update(found.shard_ids)
    return any(len(ids) == count for count, ids in served.items())


def _progressing(bot: Bot, plan: Plan, observed: Observed, problems: Sequence[str]) -> Condition:
    rollout = plan.rollout
    if bot.spec.paused:
        return Condition("Progressing", "False", "Paused", "spec.paused is true")
    if problems:
        return Condition("Progressing", "False", "ApplyFailed", "; ".join(problems))
    stalled = list(rollout.stalled)
    others = (observed.orchestrator, observed.execution)
    stalled += [f"{found.name}: {found.stalled}" for found in others if found and found.stalled]
    if stalled:
        return Condition("Progressing", "False", "Stalled", "; ".join(stalled))
    if observed.token.state in ("invalid", "missing"):
        return Condition("Progressing", "False", "TokenNotValid", "no shard is started until the token is mended")
    if rollout.budget_short:
        return Condition("Progressing", "False", "IdentifyBudget", rollout.budget_short)
    if not rollout.complete:
        return Condition("Progressing", "True", "RollingOut", f"waiting for {rollout.waiting}")
    if not all(found and found.complete for found in others):
        return Condition("Progressing", "True", "RollingOut", "waiting for orchestrator and execution")
    return Condition("Progressing", "False", "Complete", "everything runs as the spec says")


def _token_valid(observed: Observed) -> Condition:
    token = observed.token
    truth, reason, message = {
        "valid": ("True", "Accepted", "Discord accepts the token"),
        "invalid": (
            "False",
            "Refused",
            "Discord refuses the token. Reset it in the developer portal and put it into the Secret",
        ),
        "missing": ("False", "SecretMissing", "the Secret with the token is missing"),
        "pending": ("Unknown", "Checking", "Discord is being asked"),
    }.get(token.state, ("Unknown", "Unreachable", "Discord could not be asked"))
    return Condition("TokenValid", truth, reason, token.message or message)  # type: ignore[arg-type] # the literals above


def _shards_assigned(plan: Plan, observed: Observed) -> Condition:
    if plan.shard_set is None:
        return Condition("ShardsAssigned", "False", "ShardsUnknown", f"waiting for {plan.rollout.waiting}")
    count = plan.shard_set.count
    mine = [
        found for found in observed.replicas.values() if found.set_key == plan.shard_set.key and found.workload.wanted
    ]
    held = {shard for found in mine for shard in found.shard_ids}
    if len(held) == count:
        return Condition("ShardsAssigned", "True", "Assigned", f"each of {count} shards has a replica")
    lacking = shard_range(set(range(count)) - held)
    return Condition("ShardsAssigned", "False", "Waiting", f"without a replica: shards {lacking} of {count}")


def _budget_ok(plan: Plan, observed: Observed) -> Condition:
    facts = observed.gateway
    if facts is None:
        return Condition("IdentifyBudgetOk", "Unknown", "NotChecked", "Discord's limits are not known yet")
    left = f"{facts.identify_remaining} of {facts.identify_total} IDENTIFYs are left"
    if plan.rollout.budget_short:
        return Condition("IdentifyBudgetOk", "False", "Short", plan.rollout.budget_short)
    if facts.identify_remaining < reserve(facts):
        message = f"{left} until {facts.reset_at:%Y-%m-%d %H:%M} UTC, less than the reserve of {reserve(facts)}"
        return Condition("IdentifyBudgetOk", "False", "Low", message)
    return Condition("IdentifyBudgetOk", "True", "Enough", f"at least {reserve(facts)} IDENTIFYs are left")


def _database_reachable(bot: Bot, observed: Observed) -> Condition:
    if problems := [missing for missing in observed.missing_secrets if missing.startswith("database URL")]:
        return Condition("DatabaseReachable", "False", "SecretMissing", "; ".join(problems))
    if _serving(observed.orchestrator):
        return Condition(
            "DatabaseReachable",
            "True",
            "OrchestratorReady",
            "the orchestrator is ready, which takes its database",
        )
    reason = "Paused" if bot.spec.paused else "OrchestratorNotReady"
    return Condition("DatabaseReachable", "Unknown", reason, "the orchestrator, which would know, is not ready")


def with_times(status: dict[str, Any], before: Mapping[str, Any], generation: int, now: datetime) -> dict[str, Any]:
    """The status with the times of its conditions: a condition keeps the time of its last change of `status`."""
    earlier = {found["type"]: found for found in before.get("conditions") or []}
    dated = []
    for condition in status["conditions"]:
        known = earlier.get(condition["type"])
        same = known is not None and known.get("status") == condition["status"] and known.get("lastTransitionTime")
        dated.append(
            {
                **condition,
                "observedGeneration": generation,
                "lastTransitionTime": known["lastTransitionTime"]
                if same and known
                else now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        )
    return {**status, "conditions": dated}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Condition]:
    """The conditions whose status or reason changed: what is worth an event."""
    earlier = {found["type"]: (found.get("status"), found.get("reason")) for found in before.get("conditions") or []}
    return [
        Condition(found["type"], found["status"], found["reason"], found["message"])
        for found in after["conditions"]
        if earlier.get(found["type"]) != (found["status"], found["reason"])
    ]
