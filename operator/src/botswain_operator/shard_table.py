"""The shard table of a bot's status: a row a replica, from what is planned for it and what its process says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botswain_operator import names
from botswain_operator.observed import Observed
from botswain_operator.rollout import Step
from botswain_operator.shard_reports import steady
from botswain_operator.sharding import shard_range
from botswain_operator.spec import Bot

Row = dict[str, Any]


def build_table(bot: Bot, steps: Sequence[Step], observed: Observed) -> list[Row]:
    """The rows, by the replicas' numbers."""
    before = {str(row.get("replica")): row for row in observed.last_table}
    rows = []
    for step in sorted(steps, key=lambda step: step.number):
        if step.number in observed.replicas or step.apply or step.state == "Waiting":
            name = names.replica_name(bot.name, step.number)
            row: Row = {
                "replica": name,
                "shards": shard_range(step.shard_ids),
                "shardCount": step.shard_count,
                "state": step.state,
            }
            rows.append({**row, **_measured(step, observed, before.get(name, {}))})
    return rows


def _measured(step: Step, observed: Observed, before: Mapping[str, Any]) -> Row:
    """Guilds of all the replica's shards and the latency of the slowest; while nobody was asked, what was told before."""
    told = {key: before[key] for key in ("guilds", "latencyMs") if before.get(key) is not None}
    if observed.shards is None:
        same = before.get("shards") == shard_range(step.shard_ids) and before.get("shardCount") == step.shard_count
        return told if same else {}
    found = [
        report for shard in step.shard_ids if (report := observed.shards.get((step.shard_count, shard))) is not None
    ]
    guilds = [report.guilds for report in found if report.guilds is not None]
    latencies = [report.latency_ms for report in found if report.latency_ms is not None]
    row: Row = {"guilds": sum(guilds)} if guilds else {}
    latency = steady(max(latencies, default=None), told.get("latencyMs"))
    return {**row, **({} if latency is None else {"latencyMs": latency})}
