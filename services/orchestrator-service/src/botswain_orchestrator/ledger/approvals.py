"""The rows about approvals: tool calls that a person is asked about, and what that person decided. Functions that run
inside a transaction of their caller.

A question is recorded together with the step that asked it. It is decided once, by the run of the reaction that decides
it; that run may be cut off and go on later, and then finds its own decision.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import IntEnum

from sqlalchemy import Connection, bindparam, select, update

from botswain_orchestrator.ledger.statements import PerEngine
from botswain_orchestrator.ledger.tables import approvals


class ApprovalState(IntEnum):
    """What became of a question."""

    ASKED = 0
    APPROVED = 1
    REFUSED = 2
    LATE = 3
    """It was answered when its time was over, which approves nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a call is to be made."""

    bot_id: str
    message_id: str
    """The message that asks."""
    asked_by: str
    """The user for whom the call was to be made."""
    arguments: bytes
    """Of the call, as JSON."""
    seconds: float
    """For which it can be approved."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A call that was decided about."""

    tool: str
    arguments: bytes
    """JSON."""
    state: ApprovalState


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer to a question."""

    bot_id: str
    message_id: str
    """The message that asked."""
    by: str
    """The person's user id."""
    approve: bool
    run: str
    """Of the event that says so."""


def ask(connection: Connection, run: str, step: int, tool: str, question: Question, *, now: float) -> None:
    """Note what is asked. A question that is known stays as it is."""
    at = int(now * 1000)
    row = {
        "run": run,
        "step": step,
        "bot_id": question.bot_id,
        "message_id": question.message_id,
        "tool": tool,
        "arguments": question.arguments,
        "asked_by": question.asked_by,
        "asked_at": at,
        "expires_at": at + int(question.seconds * 1000),
        "state": ApprovalState.ASKED.value,
    }
    connection.execute(_ASK.on(connection), row)


def decide(connection: Connection, decision: Decision, *, approvers: Collection[str], now: float) -> Approval | None:
    """What a decision comes to: the same on every attempt of its run.

    Args:
        connection: in a transaction.
        decision: the answer.
        approvers: who may give one; empty: the user for whom the call was to be made.
        now: seconds since 1970.

    Returns:
        None when that message asks nothing, was answered by another run, or isn't for that person to answer.
    """
    at = int(now * 1000)
    about = {"bot": decision.bot_id, "message": decision.message_id}
    row = connection.execute(_ABOUT, about).one_or_none()
    if row is None:
        return None
    found = Approval(row.tool, row.arguments, ApprovalState(row.state))
    if row.decided_in == decision.run:
        return found
    if found.state is not ApprovalState.ASKED or decision.by not in (approvers or {row.asked_by}):
        return None
    state = ApprovalState.APPROVED if decision.approve else ApprovalState.REFUSED
    if at >= row.expires_at:
        state = ApprovalState.LATE
    decided = {"state": state.value, "decided_by": decision.by, "decided_in": decision.run, "decided_at": at}
    connection.execute(_DECIDE, {"of_run": row.run, "of_step": row.step} | decided)
    return replace(found, state=state)


_ASK = PerEngine(lambda insert: insert(approvals).on_conflict_do_nothing())
_ABOUT = (
    select(approvals)
    .where(approvals.c.bot_id == bindparam("bot"), approvals.c.message_id == bindparam("message"))
    .with_for_update()
)
_DECIDE = (
    update(approvals)
    .where(approvals.c.run == bindparam("of_run"), approvals.c.step == bindparam("of_step"))
    .values({name: bindparam(name) for name in ("state", "decided_by", "decided_in", "decided_at")})
)
