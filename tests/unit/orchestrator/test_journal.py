"""A run's journal: what is durable before a call, and what a later attempt is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from botswain_orchestrator.agent.journal import Journal
from botswain_orchestrator.ledger.steps import Step, StepKind

OUTCOME = {"text": "sent", "is_error": False, "structured": None, "delivers": True}


class Disk:
    """Keeps what was recorded, as the ledger does: a row a step, and each write's rows."""

    def __init__(self) -> None:
        self.rows: dict[tuple[StepKind, int], Step] = {}
        self.writes: list[list[tuple[StepKind, int]]] = []

    async def record(self, steps: Sequence[Step]) -> None:
        self.writes.append([(step.kind, step.number) for step in steps])
        self.rows |= {(step.kind, step.number): replace(step, recorded_at=float(len(self.writes))) for step in steps}

    def journal(self) -> Journal:
        """Of the next attempt."""
        return Journal(self.record, list(self.rows.values()))


async def test_what_led_to_a_call_is_durable_before_it() -> None:
    """The model's answer, what was read and the intent are one write; the result is the next."""
    disk = Disk()
    journal = disk.journal()
    journal.note_answer(1, {"say": "hi"})
    journal.note_result(1, "read_file", {"path": "a"}, "k1", OUTCOME)
    assert disk.writes == []
    await journal.intend(2, "send", {"content": "hi"}, "k2")
    await journal.settle(2, "send", {"content": "hi"}, "k2", OUTCOME)
    assert disk.writes == [
        [(StepKind.ANSWER, 1), (StepKind.CALL, 1), (StepKind.CALL, 2)],
        [(StepKind.CALL, 2)],
    ]
    assert disk.rows[StepKind.CALL, 2].key == "k2"


async def test_a_later_attempt_is_given_what_was_recorded() -> None:
    """Answers and results come back; what was begun without a result doesn't."""
    disk = Disk()
    first = disk.journal()
    first.note_answer(1, {"say": "hi"})
    await first.intend(1, "send", {"a": 1, "b": 2}, "k1")
    await first.settle(1, "send", {"a": 1, "b": 2}, "k1", OUTCOME)
    await first.intend(2, "send", {"a": 3}, "k2")
    second = disk.journal()
    assert second.answer(1) == {"say": "hi"}
    assert second.answer(2) is None
    assert second.result(1, "send", {"b": 2, "a": 1}) == OUTCOME
    assert second.result(2, "send", {"a": 3}) is None


async def test_a_call_that_was_begun_before_keeps_the_time_of_its_first_attempt() -> None:
    """However many attempts there are; a call that is made for the first time, or another one, has none."""
    disk = Disk()
    assert await disk.journal().intend(1, "send", {"content": "hi"}, "k1") is None
    for _ in range(2):
        assert await disk.journal().intend(1, "send", {"content": "hi"}, "k1") == 1.0
    assert await disk.journal().intend(1, "send", {"content": "ho"}, "k1") is None
    assert len(disk.writes) == 2


async def test_a_result_of_another_call_is_not_taken() -> None:
    """A turn that takes another way makes its call."""
    disk = Disk()
    first = disk.journal()
    await first.settle(1, "send", {"content": "one"}, "k1", OUTCOME)
    second = disk.journal()
    assert second.result(1, "send", {"content": "two"}) is None
    assert second.result(1, "edit", {"content": "one"}) is None


async def test_what_is_taken_is_taken_once() -> None:
    """Steps that nothing has made durable are handed to who ends the turn."""
    journal = Disk().journal()
    journal.note_answer(1, "x")
    assert [step.number for step in journal.take()] == [1]
    assert journal.take() == []
