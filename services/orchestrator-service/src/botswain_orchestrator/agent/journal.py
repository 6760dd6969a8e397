"""The journal of a run: what it did, so that a turn that was cut off goes on where it was.

Before a call that delivers or changes something, a row says that it is about to be made, and everything that led there
(the model's answers, what was read) is committed with that row. After the call its result is. A turn that runs again is
given the recorded answers instead of asking the model, and recorded results instead of calling. A call that was begun
and has no result is made again under the same idempotency key, with the time when it was first begun: only its tool can
know whether it was done.

A turn that changes nothing commits nothing here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from botswain_services.logs import get_logger

from botswain_orchestrator.ledger.approvals import Question
from botswain_orchestrator.ledger.steps import Step, StepKind

log = get_logger(__name__)

Record = Callable[[Sequence[Step]], Awaitable[None]]


async def _nowhere(_steps: Sequence[Step]) -> None:
    """For a turn that is not to be continued."""


class Journal:
    """One run's steps.

    Args:
        record: makes steps durable.
        done: what earlier attempts recorded.
    """

    def __init__(self, record: Record = _nowhere, done: Sequence[Step] = ()) -> None:
        self._record = record
        self._done = {(step.kind, step.number): step for step in done}
        self._staged: list[Step] = []

    def answer(self, number: int) -> Any:
        """The model's answer of that round, as it was noted; None: it was never asked."""
        step = self._done.get((StepKind.ANSWER, number))
        return json.loads(step.outcome) if step is not None and step.outcome is not None else None

    def note_answer(self, number: int, answer: Any) -> None:
        """Remember what the model answered."""
        self._staged.append(Step(StepKind.ANSWER, number, _json(answer)))

    def result(self, number: int, name: str, arguments: Any) -> dict[str, Any] | None:
        """What came of that call; None: it wasn't made, or nobody knows."""
        step = self._done.get((StepKind.CALL, number))
        if step is None or step.outcome is None:
            return None
        if (step.name, step.digest) != (name, _digest(arguments)):
            log.warning("step_differs", step=number, tool=name, recorded=step.name)
            return None
        outcome: dict[str, Any] = json.loads(step.outcome)
        return outcome

    async def intend(self, number: int, name: str, arguments: Any, key: str) -> float | None:
        """Say that a call is about to be made; durable when this returns.

        When an earlier attempt said so of the same call already, the time of that, in seconds since the epoch.
        """
        step = self._done.get((StepKind.CALL, number))
        if step is not None and (step.name, step.digest, step.outcome) == (name, _digest(arguments), None):
            if self._staged:
                await self._record(self.take())
            return step.recorded_at
        self._staged.append(Step(StepKind.CALL, number, None, name, _digest(arguments), key))
        await self._record(self.take())
        return None

    async def settle(
        self,
        number: int,
        name: str,
        arguments: Any,
        key: str,
        outcome: dict[str, Any],
        question: Question | None = None,
    ) -> None:
        """Say what came of it, and what a person was asked instead; durable when this returns."""
        self.note_result(number, name, arguments, key, outcome, question)
        await self._record(self.take())

    def note_result(
        self,
        number: int,
        name: str,
        arguments: Any,
        key: str,
        outcome: dict[str, Any],
        question: Question | None = None,
    ) -> None:
        """Remember what came of a call; durable with the next intent, or with the turn's failure."""
        step = Step(StepKind.CALL, number, _json(outcome), name, _digest(arguments), key, question=question)
        self._staged.append(step)

    def take(self) -> list[Step]:
        """What isn't recorded yet, for who records it; once."""
        staged, self._staged = self._staged, []
        return staged


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _digest(arguments: Any) -> str:
    """Equal for equal JSON values. Arguments that are none have a digest too; their call fails on its own."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, default=repr).encode()).hexdigest()
