"""What discord-service says of its shards in `/ready`: read, and told from what was said before, by plain functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from botswain_operator.errors import ReportError

ShardKey = tuple[int, int]
"""Shard count and shard id."""

CONNECTED = "connected"
STEADY_SHARE = 0.5
STEADY_MS = 20
"""A latency that is off by less than half, or by less than 20 ms, is no news: each heartbeat gives another one."""


@dataclass(frozen=True, slots=True)
class ShardReport:
    """One shard, as the process that holds it sees it."""

    state: str
    guilds: int | None
    latency_ms: int | None


Reports = Mapping[ShardKey, ShardReport]


class _Shard(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: int = Field(ge=0)
    count: int = Field(ge=1)
    state: str = ""
    guilds: int | None = Field(default=None, ge=0, lt=2**31)
    latency_ms: float | None = Field(default=None, ge=0, lt=2**31, allow_inf_nan=False)


class _Ready(BaseModel):
    model_config = ConfigDict(extra="ignore")

    shards: list[_Shard] = []


def read_reports(body: Any) -> dict[ShardKey, ShardReport]:
    """The shards in one process's answer; none while it stands by.

    Raises:
        ReportError: it isn't such an answer.
    """
    try:
        found = _Ready.model_validate(body)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ReportError(f"/ready says something odd in {where or 'its body'}") from None
    return {
        (shard.count, shard.id): ShardReport(
            shard.state, shard.guilds, None if shard.latency_ms is None else round(shard.latency_ms)
        )
        for shard in found.shards
    }


def merged(answers: Iterable[Reports]) -> dict[ShardKey, ShardReport]:
    """All processes' shards. While one is handed over two may tell of it: the one that is connected counts."""
    found: dict[ShardKey, ShardReport] = {}
    for reports in answers:
        for key, report in reports.items():
            if key not in found or report.state == CONNECTED:
                found[key] = report
    return found


def guilds_of(reports: Reports) -> int | None:
    """Guilds that the bot is in; None if nobody tells. While two shard sets run, both tell of the same ones."""
    sets: dict[int, int] = {}
    for (count, _), report in reports.items():
        if report.guilds is not None:
            sets[count] = sets.get(count, 0) + report.guilds
    return max(sets.values(), default=None)


def steady(latency: int | None, before: int | None) -> int | None:
    """The latency to tell: the one told before, unless the new one is news."""
    if latency is None or before is None:
        return latency
    return before if abs(latency - before) <= max(STEADY_MS, before * STEADY_SHARE) else latency


def are_news(reports: Reports, before: Reports) -> bool:
    """Whether anything differs that the status would tell."""
    if reports.keys() != before.keys():
        return True
    return any(
        report.guilds != before[key].guilds
        or steady(report.latency_ms, before[key].latency_ms) != before[key].latency_ms
        for key, report in reports.items()
    )
