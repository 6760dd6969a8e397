"""How a log line looks to a person. Plain functions on strings: at some hundred lines a second rich would cost too much.

    14:03:07.120 discord       INFO   message_forwarded  channel_id=1234 took_ms=3.1  #5d41402a

The colour of the name tells the part. On a terminal, fields wrap under the event and long values are cut with `…`; elsewhere
every line is whole. Control characters never reach the terminal: messages of strangers are in these lines.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, chop_cells

from botswain_cli.logs.lines import LogLine

_COLOURS = {"botswain": "1;32", "simulator": "35", "execution": "33", "orchestrator": "36", "discord": "94"}
_OTHER_COLOURS = ("95", "96", "92", "93")
_LEVEL_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_LEVEL_NAMES = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR", "critical": "CRIT"}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_PLAIN_VALUE = re.compile(r"[^\s\"'={}\[\]\\]+")
MAX_VALUE = 200
"""Characters of a value on a terminal."""
MIN_ROOM = 20
NARROW = 70
"""Columns below which wrapped fields are indented by little."""


@dataclass(frozen=True, slots=True)
class Style:
    """How to render. `width` in columns; None: no wrapping, no cutting."""

    colour: bool = False
    width: int | None = None
    name_width: int = 12


def render(line: LogLine, style: Style) -> str:
    """The line, or lines, without a line end."""
    paint = _paint if style.colour else _no_paint
    name = paint(f"{line.part:<{style.name_width}}", part_colour(line.part))
    time = f"{line.time.astimezone():%H:%M:%S}.{line.time.microsecond // 1000:03d}" if line.time else " " * 12
    if not line.level:
        return f"{paint(time, '2')} {name} {paint('│', '2')} {clean(line.event)}"
    level = paint(f"{_LEVEL_NAMES[line.level]:<5}", _LEVEL_COLOURS[line.level])
    left = 12 + 1 + style.name_width + 1 + 5 + 1
    event = clean(line.event)
    strong = {"warning": "1", "error": "1;31", "critical": "1;31"}.get(line.level, "")
    pieces = [(event, paint(event, strong))]
    for name_, value in _shown_fields(line).items():
        key, shown = clean(name_), show_value(value, MAX_VALUE if style.width else None)
        pieces.append((f"{key}={shown}", paint(f"{key}=", "2") + shown))
    if line.correlation_id:
        short = f"#{clean(line.correlation_id)[:8]}"
        pieces.append((short, paint(short, "2")))
    text = f"{paint(time, '2')} {name} {level} " + _wrap(pieces, left, style.width)
    return "\n".join([text, *(paint(f"    {clean(row)}", "2;31") for row in line.traceback)])


def part_colour(part: str) -> str:
    """The colour of a part's name, as an SGR parameter: its own, or one that its name always gets."""
    return _COLOURS.get(part) or _OTHER_COLOURS[sum(part.encode()) % len(_OTHER_COLOURS)]


def show_value(value: Any, longest: int | None) -> str:
    """A field's value on one line: bare where that is clear, else as JSON."""
    if isinstance(value, str) and _PLAIN_VALUE.fullmatch(value):
        text = value
    elif isinstance(value, float):
        text = f"{value:g}" if abs(value) < 1e6 else repr(value)
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    text = clean(text)
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def _shown_fields(line: LogLine) -> dict[str, Any]:
    """Its fields, and the service that wrote it when that isn't the part itself (an MCP server speaks through its host)."""
    service = line.service.removesuffix("-service")
    if service and line.part not in service:
        return {"from": service, **line.fields}
    return dict(line.fields)


def _wrap(pieces: list[tuple[str, str]], left: int, width: int | None) -> str:
    """Join pieces (plain, painted) with spaces, in rows of at most `width` columns; the first begins at column `left`."""
    if width is None:
        return " ".join(painted for _, painted in pieces)
    indent = left if width >= NARROW else 4
    rows, row, column = [], "", left
    for plain, painted in pieces:
        for part, text in _cut(plain, painted, max(MIN_ROOM, width - indent)):
            gap = 1 if row else 0
            if column > indent and column + gap + cell_len(part) > width:
                rows.append(row)
                row, column, gap = "", indent, 0
            row += " " * gap + text
            column += gap + cell_len(part)
    return ("\n" + " " * indent).join([*rows, row])


def _cut(plain: str, painted: str, room: int) -> list[tuple[str, str]]:
    """A piece as it is, or, where it is wider than a row, in parts without colour."""
    if cell_len(plain) <= room:
        return [(plain, painted)]
    return [(part, part) for part in chop_cells(plain, room)]


def clean(text: str) -> str:
    """Text of strangers as a terminal may have it: without colours and cursor movements, control characters shown."""
    return _CONTROL.sub(_escaped, _ANSI.sub("", text))


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()


def _paint(text: str, sgr: str) -> str:
    return f"\x1b[{sgr}m{text}\x1b[0m" if sgr else text


def _no_paint(text: str, _sgr: str) -> str:
    return text
