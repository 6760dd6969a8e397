"""Log lines as data: the JSON objects that services write on stderr, and whatever else a process prints.

The names are those that `botswain_services.logs` writes; a few common others are understood, so that any child reads well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")
_LEVELS = {
    "trace": "debug",
    "notset": "debug",
    "warn": "warning",
    "fatal": "critical",
    "exception": "error",
}
LEVELS = ("debug", "info", "warning", "error", "critical")
_TIME, _LEVEL, _EVENT = ("timestamp", "time", "ts"), ("level", "severity", "levelname"), ("event", "message", "msg")
_OWN_LOGGERS = ("botswain_", "__main__", "root")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. `level` is one of LEVELS, or empty for text that isn't a log line; `time` is None when the line has none."""

    part: str
    event: str
    level: str = ""
    time: datetime | None = None
    service: str = ""
    correlation_id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    traceback: tuple[str, ...] = ()


def parse(part: str, line: str) -> LogLine:
    """Read a line of `part`; what isn't a JSON object with an event is text as it stands."""
    if not line.startswith("{"):
        return LogLine(part=part, event=line)
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return LogLine(part=part, event=line)
    event = _take(values, _EVENT)
    if not isinstance(event, str):
        return LogLine(part=part, event=line)
    level = str(_take(values, _LEVEL) or "info").lower()
    level = _LEVELS.get(level, level)
    logger = str(values.pop("logger", ""))
    if logger and not logger.startswith(_OWN_LOGGERS):
        values["logger"] = logger
    for hidden in ("trace_id", "span_id", "traceparent"):
        values.pop(hidden, None)
    return LogLine(
        part=part,
        event=event,
        level=level if level in LEVELS else "info",
        time=_time(_take(values, _TIME)),
        service=str(values.pop("service", "")),
        correlation_id=str(values.pop("correlation_id", "") or ""),
        traceback=tuple(_traceback(values.pop("exception", None)) + _text(values.pop("stack", None))),
        fields=values,
    )


def last_words(lines: Sequence[str]) -> str:
    """The line that says best why a process died: its last error, or else its last line that isn't a log line."""
    plain = ""
    for line in reversed(lines):
        parsed = parse("", line)
        if parsed.level in ("error", "critical"):
            return _in_a_sentence(parsed)
        if not parsed.level and parsed.event.strip():
            plain = plain or parsed.event.strip()
            if not line[0].isspace():
                return plain
    return plain


def _in_a_sentence(line: LogLine) -> str:
    cause = next((str(line.fields[name]) for name in ("error", "reason", "detail") if line.fields.get(name)), "")
    if not cause and line.traceback:
        cause = line.traceback[-1].strip()
    return f"{line.event}: {cause}" if cause else line.event


def _take(values: dict[str, Any], names: Sequence[str]) -> Any:
    found = None
    for name in names:
        if found is None and name in values:
            found = values.pop(name)
    return found


def _time(value: Any) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: Any) -> list[str]:
    return value.splitlines() if isinstance(value, str) else []


def _traceback(value: Any) -> list[str]:
    """Python's traceback layout, from structlog's list of dicts or from text. The last line is the exception."""
    if not isinstance(value, list):
        return _text(value)
    lines: list[str] = []
    link = ""
    for stack in reversed(_each(value, dict)):
        if link:
            lines.append(link)
        for frame in _each(stack.get("frames"), dict):
            lines.append(f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}')
            lines.extend([f"    {frame['line']}"] if frame.get("line") else [])
        for member in _each(stack.get("exceptions"), list):
            lines.extend(f"    {row}" for row in _traceback(member))
        summary = f"{stack.get('exc_type', 'Exception')}: {stack.get('exc_value', '')}".removesuffix(": ")
        lines.extend(summary.splitlines() or [summary])
        link = "  … the direct cause of:" if stack.get("is_cause") else "  … while that was handled:"
    return lines


def _each(value: Any, kind: type[T]) -> list[T]:
    return [item for item in value if isinstance(item, kind)] if isinstance(value, list) else []
