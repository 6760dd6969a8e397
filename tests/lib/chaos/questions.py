"""What is written, and what has to be answered: a sequence that the seed alone decides.

Each question asks for one or several pieces, and every piece carries a mark, `q<number>.<piece>`, that the answer repeats. So
whatever the bot says can be traced to its question, and a piece that is missing, or there twice, is seen.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

MARK = re.compile(r"\bq(\d+)\.(\d+)\b")
KINDS = {"plain": 60, "two": 12, "three": 12, "long": 6, "edit": 10}
"""How often each kind is asked, in a hundred."""
NEW_CHANNELS = 0.02
"""Share of the questions that are the first in their channel."""
LONG_LINES = 44
_FILLER = "a line of an answer that takes more than one message"


@dataclass(frozen=True, slots=True)
class Question:
    """A message for the bot. `channel` is an index; `pieces` is how many marks its answer has, `sends` how many messages."""

    number: int
    channel: int
    kind: str
    text: str
    pieces: int
    sends: int


def questions(seed: int, channels: int) -> Iterator[Question]:
    """Questions without end; the first `channels` are plain ones, one for each channel.

    Now and then one goes to the channel after the last: to a new one. Later ones go there too.
    """
    dice = random.Random(f"questions {seed}")
    for channel in range(channels):
        yield question(channel, channel, "plain")
    number = channels
    while True:
        (kind,) = dice.choices(list(KINDS), weights=list(KINDS.values()))
        channel = channels if dice.random() < NEW_CHANNELS else dice.randrange(channels)
        channels += channel == channels
        yield question(number, channel, kind)
        number += 1


def question(number: int, channel: int, kind: str) -> Question:
    """A question of a kind of `KINDS`."""

    def mark(piece: int) -> str:
        return f"q{number}.{piece}"

    if kind == "edit":
        return Question(number, channel, kind, f"edit a draft to {mark(1)}", 1, 1)
    if kind == "long":
        lines = "\n".join(f"{mark(piece)} {_FILLER}" for piece in range(1, LONG_LINES + 1))
        return Question(number, channel, kind, f"say {lines}", LONG_LINES, 2)
    if kind in ("two", "three"):
        pieces = 2 if kind == "two" else 3
        words = ", then ".join(f"number {mark(piece)}" for piece in range(1, pieces + 1))
        return Question(number, channel, kind, f"say {words}", pieces, pieces)
    return Question(number, channel, kind, f"ping {mark(1)}", 1, 1)


def marks_in(text: str) -> list[tuple[int, int]]:
    """The marks of a text, in order: number of the question, number of the piece."""
    return [(int(number), int(piece)) for number, piece in MARK.findall(text)]
