"""What the scripted model looks at, and what it answers: plain data, so that its script is plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call it wants made."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the model: text, or tool calls, or nothing."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    wait_seconds: float = 0.0
    """Think for so long first."""
    failure: str = ""
    """Give no answer: fail with this message."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A tool's answer to one of this turn's calls."""

    text: str
    is_error: bool
    message_id: str = ""
    """The message that the tool made or changed, where its answer names one."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turn as the script sees it."""

    text: str
    """What the user wrote, without the bot's mention in front."""
    kind: str = "text"
    user_id: str = ""
    user_name: str = ""
    channel_id: str = ""
    message_id: str = ""
    reference_id: str = ""
    attachments: tuple[str, ...] = ()
    decision: str = ""
    """What a reaction decided about a tool call."""
    earlier: tuple[tuple[str, str], ...] = ()
    """(user id, text) of earlier messages, oldest first, as far as remembered."""
    rounds: tuple[tuple[Outcome, ...], ...] = ()
    """The outcomes of this turn's tool calls so far, a round each."""
    tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON schemas of the arguments, by tool."""

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """The last round's."""
        return self.rounds[-1] if self.rounds else ()

    @property
    def failure(self) -> str:
        """What the first failed call of the last round said; empty when all went well."""
        return next((outcome.text or "no reason given" for outcome in self.outcomes if outcome.is_error), "")
