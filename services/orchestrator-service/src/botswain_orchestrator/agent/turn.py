"""One turn: what the graph's nodes know of the event they answer, and what they note down on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from botswain_proto.v1 import event_pb2, orchestrator_pb2

from botswain_orchestrator.agent.catalog import ToolSet
from botswain_orchestrator.agent.journal import Journal
from botswain_orchestrator.ids import idempotency_key
from botswain_orchestrator.ledger.approvals import Approval, ApprovalState


@dataclass(slots=True)
class ToolCall:
    """One tool call of the agent, and how it ended."""

    name: str
    arguments: dict[str, Any]
    delivers: bool
    """The tool puts something before the user when it succeeds."""
    is_error: bool
    seconds: float


@dataclass(slots=True)
class Turn:
    """The answer to one event, while it is being made."""

    event: event_pb2.InternalEvent
    run_id: str
    tools: ToolSet
    deadline: float
    """When the turn ends whatever happens, in the event loop's time."""
    carried: list[event_pb2.InternalEvent] = field(default_factory=list)
    """Earlier messages of the conversation that this turn answers too."""
    calls: list[ToolCall] = field(default_factory=list)
    rounds: int = 0
    """How often the model was asked."""
    text: str = ""
    """The agent's last text."""
    journal: Journal = field(default_factory=Journal)
    """What earlier attempts at this turn did, and what this one does."""
    approval: Approval | None = None
    """What this event, a reaction, decided about a tool call."""
    delivery: orchestrator_pb2.Delivery = orchestrator_pb2.DELIVERY_UNSPECIFIED
    _steps: int = 0

    def next_step(self) -> int:
        """The number of the next tool call, from 1: the same on every attempt, as long as the turn takes the same way."""
        self._steps += 1
        return self._steps

    def approves(self, step: int) -> bool:
        """Whether a person has approved the call of this step: the first of a turn that an approval began."""
        return step == 1 and self.approval is not None and self.approval.state is ApprovalState.APPROVED

    def key(self, step: int) -> str:
        """The idempotency key of a tool call."""
        return idempotency_key(self.run_id, step)

    def seconds_left(self) -> float:
        """Until the deadline; never less than a tenth of a second, so that a call made now ends as a timeout."""
        return max(0.1, self.deadline - asyncio.get_running_loop().time())

    @property
    def delivered(self) -> bool:
        """Whether a tool put something before the user."""
        return any(call.delivers and not call.is_error for call in self.calls)
