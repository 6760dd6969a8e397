"""Which changes of a bot's conditions are events: what a person would want to have been told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botswain_operator.status import Condition

_TROUBLE = frozenset({"TokenValid", "IdentifyBudgetOk", "DatabaseReachable"})


def events_of(changes: Sequence[Condition], before: Mapping[str, Any]) -> list[Condition]:
    """Those of the changes that are told: it serves or doesn't, a rollout's end, trouble and its passing.

    Args:
        before: the status before them.
    """
    told = [change for change in changes if _is_told(change, before)]
    if any(change.type == "Ready" and change.status == "True" for change in told):
        told = [change for change in told if change.reason != "Complete"]  # it serves: that says both
    return told


def is_alarming(change: Condition) -> bool:
    """Whether somebody should look."""
    return change.status == "False" and (change.type in _TROUBLE or change.reason in ("Stalled", "ApplyFailed"))


def _is_told(change: Condition, before: Mapping[str, Any]) -> bool:
    earlier = before.get("conditions") or []
    if change.type == "Ready":
        return bool(earlier)
    if change.type == "Progressing":
        return bool(earlier) and change.reason != "TokenNotValid"
    was_trouble = any(item["type"] == change.type and item["status"] == "False" for item in earlier)
    return change.type in _TROUBLE and (change.status == "False" or was_trouble)
