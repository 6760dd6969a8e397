"""What was asked, which answers came, and whether that is as it should be. Plain functions on plain data.

Each question expects certain deeds of the bot (messages, edits, one reaction) in a certain order. A question is answered well
when exactly those came, each once, and all deeds of the questions before it in the same channel had come by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A message for the bot, and the deeds it expects, each `kind:text` (a reaction: `reaction:<message id>:<emoji>`)."""

    number: int
    channel: str
    text: str
    deeds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something the bot did in a channel, in the order of the event stream; `at` in seconds."""

    channel: str
    what: str
    at: float


def question(number: int, channel: str, kind: str) -> Question:
    """A question of a kind: `plain`, `edit`, `several` or `react`. All but `react` carry a marker that the answer repeats."""
    marker = f"m{number:04d}"
    if kind == "edit":
        first, second = f"draft {marker}", f"final {marker}"
        return Question(number, channel, f"edit {first} to {second}", (f"message:{first}", f"edit:{second}"))
    if kind == "several":
        texts = tuple(f"{word} {marker}" for word in ("first", "second", "third"))
        return Question(number, channel, f"say {', then '.join(texts)}", tuple(f"message:{text}" for text in texts))
    if kind == "react":
        return Question(number, channel, "react with 👍", ("reaction:👍",))
    return Question(number, channel, f"ping {marker}", (f"message:{marker}",))


def kinds(count: int, with_tools: int) -> list[str]:
    """The kind of each of `count` questions: `with_tools` of them, spread evenly, ask for tools in turn."""
    of_tools = ("react", "edit", "several")
    step = max(1, count // with_tools) if with_tools else count + 1
    found = ["plain"] * count
    for turn, number in enumerate(list(range(step // 2, count, step))[:with_tools]):
        found[number] = of_tools[turn % len(of_tools)]
    return found


def judge(
    questions: Sequence[Question], ids: dict[int, str], deeds: Iterable[Deed]
) -> tuple[list[str], dict[int, float]]:
    """Compare.

    Args:
        ids: the message id of each question by its number.
        deeds: all that the bot did, in order.

    Returns:
        What is wrong, in words, and when the first deed for each question came.
    """
    expected: dict[tuple[str, str], Question] = {}
    for one in questions:
        for what in expected_of(one, ids):
            expected[one.channel, what] = one
    done: dict[int, list[str]] = defaultdict(list)
    first: dict[int, float] = {}
    problems: list[str] = []
    latest: dict[str, int] = {}
    for deed in deeds:
        found = _find(expected, deed)
        if found is None:
            problems.append(f"in channel {deed.channel} the bot did what nobody asked for: {deed.what[:120]!r}")
            continue
        if found.number < latest.get(deed.channel, -1):
            problems.append(
                f"message {found.number} was answered after message {latest[deed.channel]} of the same channel"
            )
        latest[deed.channel] = max(found.number, latest.get(deed.channel, -1))
        done[found.number].append(_matching(found, deed, ids))
        first.setdefault(found.number, deed.at)
    for one in questions:
        wanted, got = list(expected_of(one, ids)), done[one.number]
        if got != wanted:
            problems.append(f"message {one.number} ({one.text!r}) expects {wanted}, and got {got}")
    return problems, first


def expected_of(one: Question, ids: dict[int, str]) -> list[str]:
    """The deeds with what is known only after the question was written: its message id."""
    return [
        f"reaction:{ids[one.number]}:{deed.partition(':')[2]}" if deed.startswith("reaction:") else deed
        for deed in one.deeds
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _find(expected: dict[tuple[str, str], Question], deed: Deed) -> Question | None:
    exact = expected.get((deed.channel, deed.what))
    if exact is not None:
        return exact
    kind, _, text = deed.what.partition(":")
    if kind != "message":
        return None
    return next(
        (one for (channel, what), one in expected.items() if channel == deed.channel and _is_in(what, text)), None
    )


def _is_in(what: str, text: str) -> bool:
    """A plain answer has the marker within other words."""
    kind, _, marker = what.partition(":")
    return kind == "message" and " " not in marker and marker in text


def _matching(one: Question, deed: Deed, ids: dict[int, str]) -> str:
    """The expected deed that this one is."""
    wanted = expected_of(one, ids)
    return deed.what if deed.what in wanted else wanted[0]
