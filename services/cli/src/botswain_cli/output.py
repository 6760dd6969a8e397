"""Where lines go: the parts' and the command's own logs to stderr, rendered for people or raw for programs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal, TextIO

from botswain_cli.logs import LogLine, Style, parse, render

LogFormat = Literal["auto", "console", "json"]
OWN_NAME = "botswain"


class LogWriter:
    """Writes log lines to `stream`; calls `on_gone` once nobody reads any more.

    With `raw` the parts' lines go out as they came, and the command's own as JSON; else they are rendered. Colour needs a
    terminal (FORCE_COLOR does without) and no NO_COLOR in the environment; see https://no-color.org.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        raw: bool,
        environ: Mapping[str, str] | None = None,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._stream = stream
        self._raw = raw
        self._terminal = stream.isatty() and environ.get("TERM") != "dumb"
        self._colour = wants_colour(self._terminal, environ)
        self._on_gone = on_gone
        self._gone = False

    def line(self, part: str, _stream: str, line: str) -> None:
        """A line that a part wrote."""
        if self._raw:
            self._write(line)
        elif line.strip():
            self._write(render(parse(part, line), self._style()))

    def says(self, level: str, sentence: str) -> None:
        """Something the command did itself."""
        now = datetime.now(UTC)
        if self._raw:
            own = {"timestamp": now.isoformat(), "level": level, "event": sentence, "service": OWN_NAME}
            self._write(json.dumps(own, ensure_ascii=False))
        else:
            self._write(render(LogLine(part=OWN_NAME, event=sentence, level=level, time=now), self._style()))

    def _style(self) -> Style:
        width = shutil.get_terminal_size().columns if self._terminal else None
        return Style(colour=self._colour, width=width)

    def _write(self, text: str) -> None:
        if not self._gone and not write_line(self._stream, text):
            self._gone = True
            self._on_gone()


def write_line(stream: TextIO, text: str) -> bool:
    """Whether anybody still read it. When not, the stream leads nowhere from then on: Python flushes it once more at its exit."""
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True


def wants_colour(terminal: bool, environ: Mapping[str, str]) -> bool:
    """Whether to colour: NO_COLOR says no, FORCE_COLOR yes, else only on a terminal."""
    if environ.get("NO_COLOR"):
        return False
    return terminal or bool(environ.get("FORCE_COLOR"))
