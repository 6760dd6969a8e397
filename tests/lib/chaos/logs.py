"""The log lines of all processes, once they have ended: where a message was seen last, and how long a hand-over took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chaos.crews import HandOver
from chaos.verdicts import Asked

TRAIL = 30
"""Lines of a trail that are shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """A log line: which life of which process wrote it, when (seconds since 1970), and its fields."""

    file: str
    at: float
    fields: Mapping[str, Any]

    def __str__(self) -> str:
        rest = {key: value for key, value in self.fields.items() if key not in _BORING}
        time = datetime.fromtimestamp(self.at).strftime("%H:%M:%S.%f")[:-3]
        return f"{time} {self.file:<18} {self.fields.get('event')} {json.dumps(rest, ensure_ascii=False)[:300]}"


_BORING = (
    "timestamp",
    "event",
    "level",
    "service",
    "logger",
    "trace_id",
    "span_id",
    "event_id",
    "run_id",
    "correlation_id",
)


def read(folder: Path) -> list[Line]:
    """All JSON lines below a folder, in order of time."""
    lines = [line for path in folder.glob("*.log") for line in _read_one(path)]
    return sorted(lines, key=lambda line: line.at)


def _read_one(path: Path) -> Iterator[Line]:
    for text in path.read_text(errors="replace").splitlines():
        if not text.startswith("{"):
            continue
        try:
            fields = json.loads(text)
            yield Line(path.name.removesuffix(".log"), datetime.fromisoformat(fields["timestamp"]).timestamp(), fields)
        except (ValueError, KeyError):
            continue  # the last line of a process that was killed


def trail(asked: Asked, lines: Iterable[Line]) -> list[str]:
    """Every line about a message, in order of time; the ids it had come first."""
    lines = list(lines)
    event_id = f"discord:message:{asked.message_id}"
    mine = [line for line in lines if line.fields.get("event_id") == event_id]
    ids = {str(line.fields["correlation_id"]) for line in mine if line.fields.get("correlation_id")}
    found = [
        line for line in lines if line.fields.get("event_id") == event_id or line.fields.get("correlation_id") in ids
    ]
    head = f"message {asked.question.number} ({asked.question.kind}), channel {asked.channel_id}, {event_id}, correlation ids "
    return [head + (", ".join(sorted(ids)) or "none: no process has logged it"), *map(str, found[-TRAIL:])]


def hand_over_gap(hand_over: HandOver, lines: Sequence[Line]) -> float | None:
    """Milliseconds in which nobody read the shards: from the moment at which the old process stopped to the RESUMED of the last
    of them at another; None when one of those isn't in the logs.
    """
    file = hand_over.old.log.name.removesuffix(".log")
    stopped = next(
        (line.at for line in lines if line.file == file and line.fields.get("event") == "service_draining"), None
    )
    if stopped is None:
        return None
    connected = {
        line.fields["shard"]: line.at
        for line in reversed(lines)
        if line.at > stopped
        and line.file != file
        and line.fields.get("event") == "shard_connected"
        and line.fields.get("shard_count") == hand_over.shard_count
    }
    if not connected.keys() >= set(hand_over.shard_ids):
        return None
    return 1000 * (max(connected[shard] for shard in hand_over.shard_ids) - stopped)
