"""The steps of runs: what a turn that is cut off, or tried again, need not and must not do a second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import Connection, bindparam, select

from botswain_orchestrator.ledger.approvals import Question, ask
from botswain_orchestrator.ledger.statements import replacing
from botswain_orchestrator.ledger.tables import steps


class StepKind(IntEnum):
    """What a step is."""

    ANSWER = 0
    """The model's answer of a round."""
    CALL = 1
    """A tool call."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run."""

    kind: StepKind
    number: int
    """From 1, within its kind."""
    outcome: bytes | None
    """What came of it, as JSON; None: it was begun, and nobody knows."""
    name: str = ""
    """The tool."""
    digest: str = ""
    """Of the arguments."""
    key: str = ""
    """The call's idempotency key."""
    recorded_at: float | None = None
    """When it was recorded, in seconds since the epoch; None: it isn't yet."""
    question: Question | None = None
    """What a person was asked instead of the call being made."""


def steps_of(connection: Connection, run: str) -> list[Step]:
    """What a run has done so far."""
    rows = connection.execute(_OF_RUN, {"of_run": run})
    return [
        Step(StepKind(row.kind), row.number, row.outcome, row.name, row.digest, row.key, row.recorded_at / 1000)
        for row in rows
    ]


def record_steps(connection: Connection, run: str, done: Sequence[Step], *, now: float) -> None:
    """Note steps; one with the same kind and number is replaced."""
    at = int(now * 1000)
    rows = [
        {
            "run": run,
            "kind": int(step.kind),
            "number": step.number,
            "name": step.name,
            "digest": step.digest,
            "key": step.key,
            "outcome": step.outcome,
            "recorded_at": at,
        }
        for step in done
    ]
    if rows:
        connection.execute(_RECORD.on(connection), rows)
    for step in done:
        if step.question is not None:
            ask(connection, run, step.number, step.name, step.question, now=now)


_OF_RUN = select(steps).where(steps.c.run == bindparam("of_run")).order_by(steps.c.kind, steps.c.number)
_RECORD = replacing(steps, ["run", "kind", "number"])
