"""How log lines look."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest
from botswain_cli.logs import LogLine, Style, parse, render
from botswain_cli.logs.rendering import show_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

LOCAL = datetime(2026, 11, 22, 14, 3, 7, 120_000).astimezone()


def line(**values: object) -> LogLine:
    return parse("discord", json.dumps({"event": "published", "timestamp": LOCAL.isoformat(), **values}))


def test_a_line_has_local_time_part_level_event_fields_and_short_correlation_id() -> None:
    """The order and the look of a plain line."""
    text = render(line(channel_id="42", correlation_id="5d41402a-1b2c"), Style())
    assert text == "14:03:07.120 discord      INFO  published channel_id=42 #5d41402a"


def test_without_colour_there_is_no_escape() -> None:
    """NO_COLOR and pipes get plain text."""
    assert "\x1b" not in render(line(level="error", a=1), Style(colour=False, width=40))


def test_each_part_has_a_colour_of_its_own() -> None:
    """The names of the four parts and of the command differ in colour."""
    colours = {
        re.findall(r"\x1b\[([\d;]+)m", render(LogLine(part=part, event="e", level="info"), Style(colour=True)))[2]
        for part in ("botswain", "simulator", "execution", "orchestrator", "discord")
    }
    assert len(colours) == 5


@pytest.mark.parametrize("width", [60, 80, 120])
def test_fields_wrap_within_the_width(width: int) -> None:
    """No row of a wrapped line is wider than the terminal, and nothing is missing."""
    fields = {f"field_{number}": "值" * 5 for number in range(12)}
    text = render(line(**fields), Style(width=width))
    assert all(cell_len(row) <= width for row in text.splitlines())
    assert all(f"{key}={value}" in text for key, value in fields.items())


def test_a_value_wider_than_the_terminal_goes_on_in_the_next_row() -> None:
    """It is cut into rows under the event, whole, and what follows comes after it."""
    reason = "x" * 150
    rows = render(line(reason=reason, next=1), Style(width=100)).splitlines()
    assert all(cell_len(row) <= 100 for row in rows)
    assert "".join(row[32:] if row.startswith(" ") else "" for row in rows).replace(" ", "") == f"reason={reason}next=1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "event",
        "level",
        "timestamp",
        "service",
        "logger",
        "correlation_id",
        "exception",
        "stack",
        "frames",
        "exceptions",
        "other",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(NAMES, JSON | st.lists(st.dictionaries(NAMES, JSON)), max_size=8),
    st.sampled_from([None, 20, 69, 100]),
)
def test_whatever_a_child_logs_can_be_shown(values: dict[str, object], width: int | None) -> None:
    """No JSON object, however odd, breaks the rendering or reaches the terminal as a control character."""
    rendered = render(parse("x", json.dumps({"event": "e", **values})), Style(width=width))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", rendered)


def test_elsewhere_than_on_a_terminal_lines_are_whole() -> None:
    """Without a width nothing wraps and nothing is cut."""
    text = render(line(long="x" * 5000), Style())
    assert "\n" not in text
    assert "x" * 5000 in text


def test_long_values_are_cut_on_a_terminal_and_say_so() -> None:
    """An ellipsis stands where text was cut."""
    assert show_value("x" * 300, 200) == "x" * 199 + "…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("", '""'),
        (True, "true"),
        (None, "null"),
        (1.25, "1.25"),
        ({"a": [1]}, '{"a": [1]}'),
        ("a=b", '"a=b"'),
        ("naïve", "naïve"),
    ],
)
def test_values_are_bare_where_clear_else_json(value: object, shown: str) -> None:
    """Values read without quotes unless they would be ambiguous."""
    assert show_value(value, None) == shown


@pytest.mark.parametrize("evil", ["\x1b[2Jgone", "\x1b]0;title\x07x", "a\rb", "\u202eabc", "\x9b31m"])
def test_control_characters_never_reach_the_terminal(evil: str) -> None:
    """Neither in text nor in fields, events or tracebacks."""
    for rendered in (
        render(LogLine(part="x", event=evil), Style()),
        render(LogLine(part="x", event=evil, level="info", fields={"f": evil, evil: 1}), Style()),
        render(LogLine(part="x", event="e", level="error", traceback=(evil,)), Style()),
    ):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", rendered)


def test_a_traceback_stands_indented_under_its_line() -> None:
    """Each row of it is on its own."""
    rows = render(
        LogLine(part="x", event="e", level="error", traceback=("  File a", "ValueError: b")), Style()
    ).splitlines()
    assert rows[1:] == ["      File a", "    ValueError: b"]


def test_text_stands_behind_a_bar() -> None:
    """Lines that aren't logs are told apart from logs."""
    assert render(LogLine(part="discord", event="start-up: no"), Style()).endswith("discord      │ start-up: no")


def test_a_line_of_another_service_says_whose_it_is() -> None:
    """An MCP server speaks through its host; a part's own lines don't repeat its name."""
    assert "from=discord-mcp" in render(parse("execution", '{"event": "e", "service": "discord-mcp"}'), Style())
    assert "from=" not in render(parse("execution", '{"event": "e", "service": "execution-service"}'), Style())
