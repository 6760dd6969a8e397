"""What came of the questions: each answered once and in order, or not. Plain functions on what the simulator holds at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.questions import Question, marks_in


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was written: its channel's id and its message's."""

    question: Question
    channel_id: str
    message_id: str


@dataclass(slots=True)
class Verdict:
    """Numbers of questions: `lost` ones miss a piece of their answer, `doubled` ones have a piece twice, `out_of_order` ones were
    answered after a later question of their channel, or their pieces are mixed up. `strange`: what the bot said that answers
    nothing.
    """

    issued: int
    answered_once: int
    lost: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    out_of_order: list[int] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the promise held."""
        return not (self.lost or self.doubled or self.out_of_order or self.strange)


def judge(asked: Sequence[Asked], said: Mapping[str, Sequence[str]]) -> Verdict:
    """Compare what was asked with what the bot said.

    Args:
        asked: in the order of writing.
        said: by channel id, the texts of the bot's messages as they stand, oldest first.
    """
    by_number = {one.question.number: one for one in asked}
    seen: Counter[tuple[int, int]] = Counter()
    strange: list[str] = []
    disordered: set[int] = set()
    for channel_id, texts in said.items():
        latest = (-1, 0)
        for text in texts:
            marks = marks_in(text)
            if not marks or any(not _belongs(by_number.get(number), channel_id, piece) for number, piece in marks):
                strange.append(text[:200])
                continue
            for mark in marks:
                seen[mark] += 1
                if mark < latest and seen[mark] == 1:  # a repeated one is doubled, and that's enough
                    disordered.add(mark[0])
                latest = max(latest, mark)
    lost = [one.question.number for one in asked if any(not seen[mark] for mark in _marks(one))]
    doubled = [one.question.number for one in asked if any(seen[mark] > 1 for mark in _marks(one))]
    bad = {*lost, *doubled, *disordered}
    return Verdict(len(asked), len(asked) - len(bad), lost, doubled, sorted(disordered), strange)


def _belongs(one: Asked | None, channel_id: str, piece: int) -> bool:
    return one is not None and one.channel_id == channel_id and 1 <= piece <= one.question.pieces


def _marks(one: Asked) -> Iterable[tuple[int, int]]:
    return ((one.question.number, piece) for piece in range(1, one.question.pieces + 1))


def percentile(values: Iterable[float], share: float) -> float | None:
    """The value that `share` of the values don't exceed; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
