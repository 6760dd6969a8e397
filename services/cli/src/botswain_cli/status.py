"""`botswain status`: how what `botswain dev` started is, or what listens at given addresses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from botswain_cli import state_file
from botswain_cli.errors import CliError
from botswain_cli.probes import Answer, ask_all, explain


@dataclass(frozen=True, slots=True)
class Row:
    """One part and its answer."""

    name: str
    url: str
    pid: int | None
    answer: Answer
    restarts: int = 0

    @property
    def note(self) -> str:
        """Why it isn't ready, or what it says besides; and how often it was started again."""
        about = [f"{key} {_brief(value)}" for key, value in self.answer.details.items()]
        if self.answer.reasons:
            about = [explain(self.answer)]
        return ", ".join([*about, f"restarts {self.restarts}"] if self.restarts else about)


def gather(addresses: Sequence[str], data_dir: Path, timeout: float) -> list[Row]:
    """Ask the given addresses, or without any what runs in `data_dir`.

    Raises:
        CliError: an address isn't one, or nothing runs here.
    """
    if addresses:
        urls = [as_url(address) for address in addresses]
        answers = asyncio.run(ask_all(urls, timeout))
        return [Row(answer.service or "?", url, None, answer) for url, answer in zip(urls, answers, strict=True)]
    parts = state_file.read(data_dir).parts
    answers = asyncio.run(ask_all([part.url for part in parts], timeout))
    return [
        Row(part.name, part.url, part.pid, answer, part.restarts) for part, answer in zip(parts, answers, strict=True)
    ]


def as_url(address: str) -> str:
    """`8000`, `host:8000` and `http://host:8000/` all name a service.

    Raises:
        CliError: it names none.
    """
    from urllib.parse import urlsplit

    url = address if "://" in address else f"http://{'127.0.0.1:' if address.isdecimal() else ''}{address}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise CliError(f"{address!r} is not an address; give a port, host:port or http://host:port")
    return url.rstrip("/")


def all_ready(rows: Sequence[Row]) -> bool:
    """Whether every part is."""
    return all(row.answer.ready for row in rows)


def as_json(rows: Sequence[Row]) -> str:
    """One line of JSON."""
    parts = [
        {"name": row.name, "url": row.url, "pid": row.pid, "restarts": row.restarts, **asdict(row.answer)}
        for row in rows
    ]
    return json.dumps({"ready": all_ready(rows), "parts": parts})


def _brief(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else str(value)
