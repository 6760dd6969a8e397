"""The tables people see."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from botswain_cli.logs.rendering import part_colour
from botswain_cli.state_file import Running
from botswain_cli.status import Row

PERMISSIONS = 1 << 6 | 1 << 10 | 1 << 11 | 1 << 16 | 1 << 38
"""What an invited bot asks for: add reactions, see channels, send, read the history, send in threads (topics/permissions)."""
PLAIN_WIDTH = 240
"""Columns where there is no terminal."""
_STATES = {"ready": "green", "starting": "yellow", "backing off": "yellow", "failed": "red"}
_SGR_NAMES = {"1;32": "bold green", "35": "magenta", "33": "yellow", "36": "cyan", "94": "bright_blue"}


def console() -> Console:
    """Rich's console on standard output: it honours NO_COLOR; without a terminal it writes plain text that doesn't wrap."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def running_table(running: Running) -> Table:
    """What runs where."""
    table = _table("part", "address", "state", "pid")
    for part in running.parts:
        addresses = [f"http://{part.addresses['http']}"]
        if "grpc" in part.addresses:
            addresses.append(f"grpc://{part.addresses['grpc']}")
        state = Text(part.state, style=_STATES.get(part.state, ""))
        table.add_row(_name(part.name), "\n".join(addresses), state, str(part.pid or "–"))
    return table


def how_to_speak(running: Running, application_id: str) -> list[str]:
    """What to do next, in a line or two."""
    if running.page:
        return [
            f"Open {running.page}, choose #general and write something: the bot answers there.",
            "Ctrl-C ends everything.",
        ]
    invite = f"https://discord.com/oauth2/authorize?client_id={application_id}&scope=bot&permissions={PERMISSIONS}"
    return [
        "The bot runs on Discord. Write in a channel it can see.",
        f"Not in your server yet? {invite}",
        "Ctrl-C ends everything.",
    ]


def announcement(running: Running, application_id: str) -> str:
    """What runs where and what to do next, with an empty line after it."""
    out = console()
    with out.capture() as captured:
        out.print(running_table(running))
        for line in how_to_speak(running, application_id):
            out.print(line, soft_wrap=True)
    return captured.get()


def status_table(rows: Sequence[Row]) -> Table:
    """How each part is."""
    table = _table("part", "address", "alive", "ready", "pid", "")
    for row in rows:
        alive, ready = _yes(row.answer.alive), _yes(row.answer.ready)
        table.add_row(_name(row.name), row.url, alive, ready, str(row.pid or "–"), Text(row.note))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column, overflow="fold", min_width=len(column), no_wrap=column in ("part", "state", "alive", "ready", "pid")
        )
    return table


def _name(name: str) -> Text:
    return Text(name, style=_SGR_NAMES.get(part_colour(name), ""))


def _yes(value: bool) -> Text:
    return Text("yes", style="green") if value else Text("no", style="bold red")
