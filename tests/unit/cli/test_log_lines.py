"""Reading the children's log lines."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
from botswain_cli.logs import last_words, parse


def test_a_service_line_is_taken_apart() -> None:
    """Time, level, event, service and correlation id have names of their own; the rest are fields, ids of spans are left out."""
    line = parse(
        "discord",
        json.dumps(
            {
                "event": "message_published",
                "level": "info",
                "timestamp": "2026-11-22T10:00:00.123456Z",
                "service": "discord-service",
                "logger": "botswain_discord.gateway",
                "correlation_id": "5d41402a-1111",
                "trace_id": "a" * 32,
                "span_id": "b" * 16,
                "channel_id": "42",
                "took_ms": 1.5,
            }
        ),
    )
    assert (line.event, line.level, line.service) == ("message_published", "info", "discord-service")
    assert line.time == datetime(2026, 11, 22, 10, 0, 0, 123456, UTC)
    assert line.correlation_id == "5d41402a-1111"
    assert line.fields == {"channel_id": "42", "took_ms": 1.5}


@pytest.mark.parametrize("text", ["start-up: port taken", "{not json", "[1]", '{"no": "event"}', "", '"text"'])
def test_what_is_no_log_line_passes_as_it_stands(text: str) -> None:
    """Text that isn't a JSON object with an event stays as it is, without a level."""
    line = parse("discord", text)
    assert (line.event, line.level) == (text, "")


def test_loggers_of_libraries_are_shown() -> None:
    """A line of a library names the library; our own loggers go without saying."""
    assert parse("x", '{"event": "e", "logger": "uvicorn.error"}').fields == {"logger": "uvicorn.error"}


@pytest.mark.parametrize("stamp", ["not a time", 1e99, None, {"a": 1}])
def test_an_odd_time_is_no_time(stamp: object) -> None:
    """A time that can't be read is left out, not fatal."""
    assert parse("x", json.dumps({"event": "e", "timestamp": stamp})).time is None


@pytest.mark.parametrize(
    ("level", "known"), [("WARN", "warning"), ("fatal", "critical"), ("odd", "info"), (30, "info")]
)
def test_levels_of_others_are_understood(level: object, known: str) -> None:
    """Other loggers' level names map to ours."""
    assert parse("x", json.dumps({"event": "e", "level": level})).level == known


def test_a_structured_traceback_reads_like_pythons(capsys: pytest.CaptureFixture[str]) -> None:
    """What the service kit logs for a chained exception becomes file, line, source and the exceptions, the last one last."""
    import structlog
    from botswain_services.logs import configure_logging, get_logger

    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        configure_logging("a-service")
        try:
            try:
                raise KeyError("first")
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError:
            get_logger("botswain_x").exception("it_broke")
    finally:
        root.handlers, root.level = before
        structlog.reset_defaults()
    line = parse("x", capsys.readouterr().err.strip())
    text = "\n".join(line.traceback)
    assert line.traceback[-1] == "ValueError: second"
    assert text.index("KeyError: 'first'") < text.index("direct cause") < text.index("ValueError: second")
    assert "test_log_lines.py" in text
    assert "exception" not in line.fields


def test_the_members_of_an_exception_group_are_shown() -> None:
    """Each member stands indented above the group."""
    member = [{"exc_type": "ValueError", "exc_value": "inner", "frames": []}]
    group = [{"exc_type": "ExceptionGroup", "exc_value": "outer (1)", "frames": [], "exceptions": [member]}]
    line = parse("x", json.dumps({"event": "e", "exception": group}))
    assert line.traceback == ("    ValueError: inner", "ExceptionGroup: outer (1)")


def test_last_words_prefer_the_last_error() -> None:
    """A death is explained by the last line of level error, with its cause."""
    lines = [
        json.dumps({"event": "startup_failed", "level": "error", "error": "database is locked"}),
        json.dumps({"event": "service_stopped", "level": "info"}),
    ]
    assert last_words(lines) == "startup_failed: database is locked"


def test_last_words_of_a_traceback_are_the_exception() -> None:
    """Of a plain traceback the unindented last line says it."""
    assert (
        last_words(["Traceback (most recent call last):", '  File "x.py"', "ValueError: boom", ""])
        == "ValueError: boom"
    )


def test_last_words_of_the_service_kit_come_after_the_logs() -> None:
    """The plain line a service prints when it can't start beats earlier errors."""
    assert last_words([json.dumps({"event": "e", "level": "error"}), "start-up: port taken"]) == "start-up: port taken"


def test_a_silent_death_has_no_last_words() -> None:
    """Information alone explains nothing."""
    assert last_words([json.dumps({"event": "service_ready", "level": "info"})]) == ""
