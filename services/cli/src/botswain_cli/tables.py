"""The tables people see."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from botswain_cli.deadletters import Listing
from botswain_cli.ledger import Holding
from botswain_cli.logs.rendering import clean, part_colour
from botswain_cli.state_file import Running
from botswain_cli.status import Row

PERMISSIONS = 1 << 6 | 1 << 10 | 1 << 11 | 1 << 16 | 1 << 38
"""What an invited bot asks for: add reactions, see channels, send, read the history, send in threads (topics/permissions)."""
PLAIN_WIDTH = 240
"""Columns where there is no terminal."""
_NARROW = ("part", "state", "alive", "ready", "pid", "id", "attempts", "given up", "count", "oldest", "newest")
"""Columns whose values stay on one line."""
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


def ledger_table(holdings: Sequence[Holding]) -> Table:
    """What the ledger holds."""
    now = datetime.now(UTC)
    table = _table("", "count", "oldest", "newest")
    table.columns[1].justify = "right"
    for one in holdings:
        name = Text(clean(one.name), style="bold red" if one.name == "dead letters" and one.count else "")
        table.add_row(name, f"{one.count:,}", ago(one.oldest, now), ago(one.newest, now))
    return table


def show_deadletters(listing: Listing) -> None:
    """Print the table of dead letters and what can be done."""
    out = console()
    if not listing.total:
        out.print("There are no dead letters: every message that was recorded has been answered, or still waits.")
        return
    out.print(deadletters_table(listing))
    more = listing.total - len(listing.letters)
    if more > 0:
        out.print(f"… and {more:,} more; --limit lists more of them.", soft_wrap=True)
    out.print("`botswain deadletters requeue ID...` has some tried again, `--all` all of them.", soft_wrap=True)


def deadletters_table(listing: Listing) -> Table:
    """Dead letters, oldest first."""
    now = datetime.now(UTC)
    table = _table("id", "event", "lane", "attempts", "given up", "reason")
    for one in listing.letters:
        given_up = ago(one.parked_at, now)
        table.add_row(
            str(one.id),
            *(Text(clean(text)) for text in (one.event_id, one.lane)),
            str(one.failures),
            given_up,
            Text(clean(one.reason)),
        )
    return table


def ago(time: datetime | None, now: datetime) -> str:
    """How long before `now`, in one unit."""
    if time is None:
        return "–"
    seconds = max(0.0, (now - time).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", min_width=len(column), no_wrap=column in _NARROW)
    return table


def _name(name: str) -> Text:
    return Text(name, style=_SGR_NAMES.get(part_colour(name), ""))


def _yes(value: bool) -> Text:
    return Text("yes", style="green") if value else Text("no", style="bold red")
