"""Structured logs: one JSON object a line on stderr, or coloured lines for people.

Every line carries `service`, and within a request or an event whatever `bound()` holds (`correlation_id`) and the current
trace (`trace_id`, `span_id`). Lines of libraries that use stdlib logging come out in the same form.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor

from botswain_services import tracing
from botswain_services.logfile import BatchingFileHandler

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


@contextmanager
def bound(**values: Any) -> Iterator[None]:
    """Put `values` on every log line of this task, and of tasks started in it, while the block runs."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def _add_trace(_logger: Any, _method: str, event: EventDict) -> EventDict:
    ids = tracing.current_ids()
    if ids is not None:
        event.setdefault("trace_id", ids[0])
        event.setdefault("span_id", ids[1])
    return event


def _drop_colour_copy(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)
    return event


def _as_message(_logger: Any, _method: str, line: Any) -> tuple[tuple[Any], dict[str, Any]]:
    """Hand the finished line to stdlib logging, marked as such."""
    return (line,), {"extra": {"finished": True}}


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Lines of structlog come finished; those of stdlib loggers are brought into the same form."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if hasattr(record, "finished") else super().format(record)


class _AddService:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = self._service
        return event


def configure_logging(service: str, *, level: str = "INFO", log_format: Literal["json", "console"] = "json") -> None:
    """Send this process's logs to stderr. Call once, before anything logs.

    Args:
        service: the name that every line carries.
        level: least level that is logged.
        log_format: `json`, or `console` for people.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _drop_colour_copy,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _add_trace,
        _AddService(service),
    ]
    final: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format == "json":
        final += [_EXCEPTIONS, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        final.append(
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(foreign_pre_chain=shared, processors=final))
    # No line shows any of this, and to find it out takes as long as all the rest.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # documented in the standard library's notes on optimisation
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, least in _NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            *final[1:],
            _as_message,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
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
