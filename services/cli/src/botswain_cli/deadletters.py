"""`botswain deadletters`: events that were given up, with the reasons, and having them tried again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from botswain_cli.orchestrator import Orchestrator, ask, understood

PAGE = 500
"""The most that the orchestrator lists, or takes, at once."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event whose turns all failed. `parked_at` is when it was given up."""

    id: int
    bot_id: str
    event_id: str
    lane: str
    correlation_id: str
    failures: int
    received_at: datetime
    parked_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The oldest of them, and how many there are in all."""

    letters: tuple[DeadLetter, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Requeued:
    """Ids that wait for their turn again, and ids that were asked for and aren't those of dead letters."""

    requeued: tuple[int, ...]
    unknown: tuple[int, ...] = ()


def gather(where: Orchestrator, limit: int) -> Listing:
    """The `limit` oldest.

    Raises:
        NotAnsweredError: the orchestrator doesn't tell.
    """
    found: list[DeadLetter] = []
    for page in _pages(where, limit):
        found += page.letters
        if len(found) >= limit:
            break
    return Listing(tuple(found[:limit]), page.total)


def requeue(where: Orchestrator, ids: Sequence[int]) -> Requeued:
    """Have these tried again.

    Raises:
        NotAnsweredError: the orchestrator doesn't do it; earlier ones of a long list may wait for their turn already.
    """
    wanted = list(dict.fromkeys(ids))
    done: list[int] = []
    for start in range(0, len(wanted), PAGE):
        body = ask(where, "POST", "/deadletters/requeue", json={"ids": wanted[start : start + PAGE]})
        with understood(where):
            done += [int(one) for one in body["requeued"]]
    return Requeued(tuple(done), tuple(one for one in wanted if one not in set(done)))


def requeue_all(where: Orchestrator) -> Requeued:
    """Have all that there are now tried again. One that fails again meanwhile isn't taken twice.

    Raises:
        NotAnsweredError: as for `requeue`.
    """
    ids = [letter.id for page in _pages(where, PAGE) for letter in page.letters]
    return Requeued(requeue(where, ids).requeued)


def listing_as_json(where: Orchestrator, listing: Listing) -> str:
    """One line of JSON."""
    return json.dumps({"url": where.url, **asdict(listing)}, default=datetime.isoformat)


def requeued_as_json(where: Orchestrator, requeued: Requeued) -> str:
    """One line of JSON."""
    return json.dumps({"url": where.url, **asdict(requeued)})


def in_words(requeued: Requeued) -> str:
    """A line for each outcome."""
    lines = []
    if requeued.requeued or not requeued.unknown:
        count = len(requeued.requeued)
        wait = "wait for their turns" if count != 1 else "waits for its turn"
        lines.append(f"{count} dead letter{'s'[: count != 1]} {wait} again{_listed(requeued.requeued)}")
    if requeued.unknown:
        lines.append(f"no dead letters, or no longer{_listed(requeued.unknown)}; `botswain deadletters` lists them")
    return "\n".join(lines)


def _listed(ids: Sequence[int]) -> str:
    return f": {', '.join(map(str, ids))}" if ids else ""


def _pages(where: Orchestrator, size: int) -> Iterator[Listing]:
    """At least one, of at most `size`."""
    after, most = 0, min(size, PAGE)
    while True:
        body = ask(where, "GET", "/deadletters", params={"after": after, "limit": most})
        with understood(where):
            page = Listing(tuple(_letter(one) for one in body["dead_letters"]), int(body["total"]))
        yield page
        if len(page.letters) < most:
            return
        after = page.letters[-1].id


def _letter(values: dict[str, str | int]) -> DeadLetter:
    names = [name for name in DeadLetter.__dataclass_fields__ if not name.endswith("_at")]
    return DeadLetter(
        **{name: values[name] for name in names},  # type: ignore[arg-type]  # shown, not computed with
        received_at=datetime.fromisoformat(str(values["received_at"])),
        parked_at=datetime.fromisoformat(str(values["parked_at"])),
    )
