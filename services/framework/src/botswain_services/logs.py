"""Structured logs: one JSON object a line on stderr, or coloured lines for people.

Every line carries `service`, and within a request or an event whatever `bound()` holds (`correlation_id`) and the current
trace (`trace_id`, `span_id`). Lines of libraries that use stdlib logging come out in the same form.

A busy service writes two lines a request, so the way of a line is short: structlog, one processor that completes it, orjson,
and the handlers (`logfile`). stdlib's records are made for handlers of others only.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
import structlog
from structlog.types import EventDict, Processor

from botswain_services import tracing
from botswain_services.logfile import BatchingFileHandler, LineHandler, StderrHandler

get_logger = structlog.stdlib.get_logger
_NOISY = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn": logging.WARNING,  # the life cycle says itself what starts and ends
    "grpc": logging.WARNING,
}


if not structlog.is_configured():
    # Until `configure_logging()`: what is a warning goes to stderr, the rest nowhere, and nothing to stdout.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )

_EXCEPTIONS = structlog.processors.ExceptionRenderer(
    # Frames without their local variables: one of those may be a token.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
_RARE: dict[str, Processor] = {
    "positional_args": structlog.stdlib.PositionalArgumentsFormatter(),
    "stack_info": structlog.processors.StackInfoRenderer(),
}
"""What an event is brought into form by, when it has this key."""
_LEVEL_NAMES = {"warn": "warning", "exception": "error", "fatal": "critical"}


@contextmanager
def bound(**values: Any) -> Iterator[None]:
    """Put `values` on every log line of this task, and of tasks started in it, while the block runs."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


class _Complete:
    """Adds to an event what every line carries."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        structlog.contextvars.merge_contextvars(logger, method, event)
        for key, processor in _RARE.items():
            if key in event:
                processor(logger, method, event)
        record: logging.LogRecord | None = event.get("_record")
        event["level"] = _LEVEL_NAMES.get(method, method)
        event["logger"] = logger.name if record is None else record.name
        event["timestamp"] = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        ids = tracing.current_ids()
        if ids is not None:
            event.setdefault("trace_id", ids[0])
            event.setdefault("span_id", ids[1])
        event["service"] = self._service
        return event


def _drop_colour_copy(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)
    return event


def _as_json(logger: Any, method: str, event: EventDict) -> str:
    if "exc_info" in event:
        event = _EXCEPTIONS(logger, method, event)
    try:
        return orjson.dumps(event, default=repr).decode()
    except TypeError:  # half of a surrogate pair, a huge number, a key that is no text
        return json.dumps(event, default=repr, ensure_ascii=False, skipkeys=True)


class _LineLogger:
    """What structlog hands finished lines to: the handlers of the root logger. For the rest it is the stdlib's logger."""

    def __init__(self, name: str | None = None) -> None:
        self._plain = logging.getLogger(name)
        self.name = self._plain.name
        self.isEnabledFor = self._plain.isEnabledFor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def _hand_out(self, level: int, line: str) -> None:
        for handler in logging.root.handlers:
            if level >= handler.level:
                if isinstance(handler, LineHandler):
                    handler.take(level, line)
                else:
                    handler.handle(logging.LogRecord(self.name, level, "", 0, line, None, None))

    def debug(self, line: str) -> None:
        self._hand_out(logging.DEBUG, line)

    def info(self, line: str) -> None:
        self._hand_out(logging.INFO, line)

    def warning(self, line: str) -> None:
        self._hand_out(logging.WARNING, line)

    def error(self, line: str) -> None:
        self._hand_out(logging.ERROR, line)

    def critical(self, line: str) -> None:
        self._hand_out(logging.CRITICAL, line)

    warn, exception, fatal = warning, error, critical


def configure_logging(service: str, *, level: str = "INFO", log_format: Literal["json", "console"] = "json") -> None:
    """Send this process's logs to stderr. Call once, before anything logs.

    Args:
        service: the name that every line carries.
        level: least level that is logged.
        log_format: `json`, or `console` for people.
    """
    complete = _Complete(service)
    render: Processor = _as_json
    if log_format == "console":
        render = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    handler = StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _drop_colour_copy, complete],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    # No line shows any of this, and to find it out takes as long as all the rest.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # documented in the standard library's notes on optimisation
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, least in _NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, complete, render],
        logger_factory=_LineLogger,
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


MAX_LOG_BYTES = 50 * 1024 * 1024
"""A log file that is larger when a service starts is put aside as `<name>.1`, in place of the one before."""


def add_log_file(path: str, *, keep_stderr: bool) -> None:
    """Send this process's logs to a file too, after `configure_logging`. It is readable by its owner only.

    Args:
        path: where; folders are made. Lines are appended; a file that is moved away is made anew.
        keep_stderr: keep all lines on stderr; False: warnings and what is worse.
    """
    file = Path(path)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.exists() and file.stat().st_size > MAX_LOG_BYTES:
        file.replace(f"{path}.1")
    root = logging.getLogger()
    handler = BatchingFileHandler(path)
    for existing in root.handlers:
        handler.setFormatter(existing.formatter)
        if not keep_stderr:
            existing.setLevel(logging.WARNING)
    root.addHandler(handler)
