"""Whether a call may be made. Pure: a tool, its arguments and the context decide; a refusal is in words, for the model.

The order is: is the tool allowed at all, do the arguments fit its schema, are the channels it would touch the event's own, and
has a person approved the call, where one has to. So nobody is asked to approve what would be refused anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botswain_execution.catalog import CatalogTool


@dataclass(frozen=True, slots=True)
class CallContext:
    """On whose behalf a tool is called. The model never sees or chooses any of it."""

    bot_id: str = ""
    correlation_id: str = ""
    event_id: str = ""
    run_id: str = ""
    channel_ids: frozenset[str] = frozenset()
    approved: bool = False
    """A person has approved this very call."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not be made."""

    reason: str
    approvable: bool = False
    """It may be made once a person approves it."""


def refusal(tool: CatalogTool, arguments: Mapping[str, Any], context: CallContext) -> Refusal | None:
    """Why the call may not be made, in words; None when it may."""
    if not tool.permitted:
        return Refusal(f"{tool.name} may not be used: this bot's configuration doesn't allow it.")
    complaint = tool.complaint(arguments)
    if complaint is not None:
        return Refusal(f"{tool.name} was not called, because its arguments are wrong:\n{complaint}")
    reason = _channel_refusal(tool, arguments, context)
    if reason is not None:
        return Refusal(reason)
    if tool.needs_approval and not context.approved:
        return Refusal(f"{tool.name} was not called: a person has to approve it first.", approvable=True)
    return None


def _channel_refusal(tool: CatalogTool, arguments: Mapping[str, Any], context: CallContext) -> str | None:
    scope = tool.config.channel_scope
    if scope is None or scope.argument not in tool.tool.input_schema.get("properties", {}):
        return None
    if not context.channel_ids:
        if scope.unnamed == "allow":
            return None
        return f"{tool.name} was not called: it may only touch the channel of the event it answers, and this event has none."
    channel = arguments.get(scope.argument)
    if channel in context.channel_ids:
        return None
    allowed = ", ".join(sorted(context.channel_ids))
    if channel is None:
        return f"{tool.name} was not called: name the channel in {scope.argument!r}. Allowed: {allowed}."
    what = f"{scope.argument} {channel!r} is not a channel of the event it answers"
    return f"{tool.name} was not called: {what}. Allowed: {allowed}."
