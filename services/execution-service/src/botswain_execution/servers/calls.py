"""What comes with a call besides its arguments, and how a server logs: a JSON object a line on stderr, which the host relays."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TRANSIENT = "botswain.dev/transient"
"""In the `_meta` of an error result: `true` when the same call may succeed in a moment."""
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class CallMeta:
    """`params._meta` of a call."""

    traceparent: str = ""
    idempotency_key: str = ""
    correlation_id: str = ""
    attempted_at: datetime | None = None
    """When an attempt under this key was begun of which nobody knows what came of it; None: there was none."""

    @property
    def log_fields(self) -> dict[str, str]:
        """`trace_id` and `correlation_id`, where they are known."""
        match = _TRACEPARENT.fullmatch(self.traceparent)
        fields = {"trace_id": match[1] if match else "", "correlation_id": self.correlation_id}
        return {key: value for key, value in fields.items() if value}


def call_meta(meta: Mapping[str, Any] | None) -> CallMeta:
    """Read `_meta`; what isn't a string counts as absent."""

    def text(key: str) -> str:
        value = (meta or {}).get(key)
        return value if isinstance(value, str) else ""

    return CallMeta(
        traceparent=text("traceparent"),
        idempotency_key=text("botswain.dev/idempotency-key"),
        correlation_id=text("botswain.dev/correlation-id"),
        attempted_at=_time(text("botswain.dev/attempted-at")),
    )


def _time(text: str) -> datetime | None:
    """RFC 3339; None: no time, or one without a zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


def log(event: str, *, level: str = "info", **fields: Any) -> None:
    """Write one line."""
    line = json.dumps({"level": level, "event": event, **fields}, ensure_ascii=False, default=str)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _JsonHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        fields = {"logger": record.name}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = logging.Formatter().formatException(record.exc_info)
        log(record.getMessage(), level=record.levelname.lower(), **fields)


def log_libraries(level: int = logging.WARNING) -> None:
    """Bring the lines of libraries into the same form. Call before `MCPServer` is made, which leaves a configured root alone."""
    logging.basicConfig(level=level, handlers=[_JsonHandler()])
