"""A server's stderr in our log."""

from __future__ import annotations

from botswain_execution.redaction import redactor
from botswain_execution.relay import StderrRelay
from structlog.testing import capture_logs


def relay() -> StderrRelay:
    made = StderrRelay("git", redactor({"TOKEN": "s3cr3t-value"}))
    made.pid = 7
    return made


def test_json_lines_keep_their_fields_and_level() -> None:
    """What one of our servers logs comes out with its own event, level and ids, and with the server's name."""
    with capture_logs() as logs:
        relay().line(
            b'{"level": "warning", "event": "slow", "trace_id": "abc", "ms": 5, "server": "forged", "exc_info": true}'
        )
    assert logs == [{"event": "slow", "log_level": "warning", "server": "git", "pid": 7, "trace_id": "abc", "ms": 5}]


def test_other_lines_become_text_without_secrets() -> None:
    """Any other line is logged as it is, with secrets masked; empty lines aren't."""
    made = relay()
    with capture_logs() as logs:
        made.line(b"started with s3cr3t-value \xff")
        made.line(b"  ")
    assert [(line["event"], line["text"]) for line in logs] == [("mcp_server_stderr", "started with [redacted] �")]
    assert made.last_words == "started with [redacted] �"


def test_much_noise_on_stdout_is_shown_in_part() -> None:
    """The first lines of noise are shown, then one in a thousand."""
    made = relay()
    with capture_logs() as logs:
        for _ in range(2000):
            made.noise(b"chatter")
    assert [line["lines"] for line in logs] == [1, 2, 3, 4, 5, 1000, 2000]
