"""Asking a person whether a tool may be called, and understanding the answer: plain functions.

A tool that needs approval isn't called when the model wants it. A message in the conversation asks instead, the turn ends,
and nobody waits. A reaction to that message is an event like any other; its turn makes the call, or tells the model that
it may not be made.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from botswain_proto.v1 import event_pb2

from botswain_orchestrator.ledger.approvals import Approval, ApprovalState, Decision

APPROVE, REFUSE = "✅", "❌"
"""What the bot puts under its question, so that a click answers it."""
_MEANINGS = {APPROVE: True, "👍": True, REFUSE: False, "👎": False}
_VARIANTS = dict.fromkeys([0xFE0F, *range(0x1F3FB, 0x1F400)])
"""Variation selector and skin tones: they mean nothing here."""
_LONGEST_ARGUMENTS = 1200
_MOST_MENTIONS = 10
_WORDS = {
    ApprovalState.APPROVED: "approving the call of",
    ApprovalState.REFUSED: "refusing the call of",
    ApprovalState.LATE: "too late to approve the call of",
}


def decision_in(event: event_pb2.InternalEvent, run: str) -> Decision | None:
    """What a reaction decides, should its message ask something; None when the emoji says neither yes nor no."""
    approve = _MEANINGS.get((event.discord.emoji or event.content).translate(_VARIANTS))
    if approve is None:
        return None
    return Decision(event.bot_id, event.source_event_id, event.source_user_id, approve, run)


def question(tool: str, arguments: dict[str, Any], *, people: Collection[str], seconds: float) -> str:
    """The message that asks; the same for the same call, so that it is known again.

    Args:
        tool: what would be called.
        arguments: with what.
        people: user ids of those who may answer.
        seconds: for which they may.
    """
    shown = sorted(people)[:_MOST_MENTIONS]
    others = f" and {len(people) - len(shown)} more" if len(people) > len(shown) else ""
    who = f"{', '.join(f'<@{user}>' for user in shown)}{others}"
    return (
        f"**Approval needed** for `{tool}`:\n```json\n{_excerpt(arguments)}\n```\n"
        f"{who}: {APPROVE} allows it, {REFUSE} refuses it, within {_span(seconds)}."
    )


def decision_words(approval: Approval) -> str:
    """What was decided, for the model."""
    return f"{_WORDS[approval.state]} {approval.tool} with {approval.arguments.decode()}"


def _excerpt(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments, ensure_ascii=False, indent=1)
    text = text.replace("```", "`\u200b``")  # it can't end the block
    left_out = len(text) - _LONGEST_ARGUMENTS
    return text if left_out <= 0 else f"{text[:_LONGEST_ARGUMENTS]}… ({left_out} more characters, not shown)"


def _span(seconds: float) -> str:
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit and not seconds % unit:
            count = int(seconds // unit)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"
