"""A server's stderr in our log. Lines that are JSON objects keep their fields (ours do: level, event, trace_id, …); others become
the event's text. Secrets are masked, and the last lines are kept for the reason why a server ended."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from botswain_services.logs import get_logger
from pydantic_core import from_json

log = get_logger(__name__)

LONGEST_TEXT = 4000
"""Characters of a line that are logged."""
_LAST_LINES = 5
_OURS = frozenset({"service", "server", "pid", "logger", "timestamp", "level", "event"})
_RESERVED = frozenset(
    {"self", "method_name", "exc_info", "stack_info", "stacklevel", "extra"}
)  # mean something to the logger
_NOISE_SHOWN = 5


class StderrRelay:
    """Takes one process's stderr lines, and the noise on its stdout."""

    def __init__(self, server: str, redact: Callable[[str], str]) -> None:
        self.pid = 0
        self._server = server
        self._redact = redact
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._noise = 0

    def line(self, raw: bytes) -> None:
        """Log one line of stderr."""
        text = self._redact(raw.decode("utf-8", "replace").strip())[: LONGEST_TEXT * 4]
        if not text:
            return
        fields = _json_object(text)
        if fields is None:
            self._last.append(text[:LONGEST_TEXT])
            log.info("mcp_server_stderr", server=self._server, pid=self.pid, text=text[:LONGEST_TEXT])
            return
        event = str(fields.get("event") or fields.get("message") or fields.get("msg") or "mcp_server_log")
        self._last.append(event)
        level = _level(fields.get("level"))
        rest = {key: value for key, value in fields.items() if key.isidentifier() and key not in _OURS | _RESERVED}
        log.log(level, event, server=self._server, pid=self.pid, **rest)

    def noise(self, raw: bytes) -> None:
        """Say that a line on stdout wasn't MCP: the first few of them in full, then one in a thousand."""
        self._noise += 1
        if self._noise <= _NOISE_SHOWN or self._noise % 1000 == 0:
            text = self._redact(raw[:400].decode("utf-8", "replace"))
            log.warning("mcp_server_noise", server=self._server, pid=self.pid, text=text, lines=self._noise)

    @property
    def last_words(self) -> str:
        """What it said last, on one line; empty when it said nothing."""
        return self._last[-1][:500] if self._last else ""


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = from_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _level(name: Any) -> int:
    level = logging.getLevelName(str(name).upper())
    return level if isinstance(level, int) and level > 0 else logging.INFO
