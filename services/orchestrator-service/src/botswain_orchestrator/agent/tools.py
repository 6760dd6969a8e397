"""Calling tools: from the model's wish to execution-service, and back as text that the model can read.

A tool that needs a person's approval isn't called: that person is asked (`approvals`).

Whatever goes wrong becomes a result that says so, since the agent may know another way: a tool that doesn't exist,
arguments that don't fit, an error of the tool's own, execution-service away. Only two things end the turn: its deadline, and
trouble that keeps a tool from delivering. No other way leads to the user then, so the turn is tried again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import grpc
from botswain_proto.v1 import execution_pb2, execution_pb2_grpc
from botswain_services.logs import get_logger
from botswain_services.rpc import Peer
from botswain_services.tracing import span
from google.protobuf import json_format

from botswain_orchestrator.agent.approvals import APPROVE, REFUSE, question
from botswain_orchestrator.agent.results import message_id_in
from botswain_orchestrator.agent.turn import ToolCall, Turn
from botswain_orchestrator.errors import DeliveryError
from botswain_orchestrator.events import channels_of, reply_channel
from botswain_orchestrator.ledger.approvals import Question
from botswain_orchestrator.metrics import APPROVALS, TOOL_CALLS

log = get_logger(__name__)

SEND_TOOL, REACT_TOOL = "discord_send_message", "discord_add_reaction"
PATIENCE = 15.0
"""Seconds to wait for execution-service, or the server behind it, to come back: a restart takes less."""
_PAUSES = (0.1, 2.0)
"""First and longest pause between attempts, in seconds."""
_ASKED = (
    "{name} has not been called yet: a person has to approve it, and has been asked in the channel. When they do, it is called "
    "and you are told; don't call it again for that."
)
_GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
"""Nobody is there; or nobody any more, where a server that ends lets a call fall that has just come."""
_BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED
"""No call was made; there were too many others."""
_CLEAR_TO_THE_MODEL = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED}
"""Codes whose details speak to the model; before the others stands what they mean."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call: text for the model, and whether it says what went wrong."""

    text: str
    is_error: bool = False
    structured: dict[str, Any] | None = None
    unreached: bool = False
    """Nobody answered, or what went wrong may be over in a moment: the tool may not have been called at all."""
    needs_approval: bool = False
    """It was not called, because a person has to approve it first."""


class ToolCaller:
    """Calls tools on behalf of turns.

    Args:
        peer: execution-service.
        approvers: users who may approve calls; empty: the one whose event is answered.
        approval_seconds: for which a call may be approved.
    """

    def __init__(self, peer: Peer, *, approvers: Collection[str] = (), approval_seconds: float = 3600.0) -> None:
        self._peer = peer
        self._approvers = approvers
        self._approval_seconds = approval_seconds
        self._stub = execution_pb2_grpc.ExecutionServiceStub(peer.channel)

    async def call(self, turn: Turn, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Call a tool for the agent, and note the call in `turn`.

        Raises:
            DeliveryError: a tool that delivers was not reached; another attempt calls it again, under the same key.
        """
        tool = turn.tools.tools.get(name)
        delivers = tool is not None and tool.delivers
        started = time.perf_counter()
        step = turn.next_step()
        recorded = turn.journal.result(step, name, arguments)
        if recorded is not None:
            delivers = recorded["delivers"]
            result = _replayed(recorded)
        elif tool is None:
            known = ", ".join(sorted(turn.tools.tools)) or "none"
            result = ToolResult(f"There is no tool {name!r}. Tools: {known}.", is_error=True)
        else:
            changes = delivers or not tool.annotations.read_only
            before = await turn.journal.intend(step, name, arguments, turn.key(step)) if changes else None
            result = await self._make(turn, step, name, arguments, repeatable=_repeatable(tool), attempted_at=before)
            if result.needs_approval:
                return await self._ask(turn, step, name, arguments, started=started)
            if result.unreached and delivers:
                # Not the model's to deal with: whatever it would say instead has to go the same way.
                raise DeliveryError(f"{name} could not be called, or not to its end: {result.text}")
            settling = (step, name, arguments, turn.key(step), _outcome(result, delivers=delivers))
            if changes:
                await turn.journal.settle(*settling)
            else:
                turn.journal.note_result(*settling)
        turn.calls.append(ToolCall(name, arguments, delivers, result.is_error, time.perf_counter() - started))
        return result

    async def _ask(self, turn: Turn, step: int, name: str, arguments: dict[str, Any], *, started: float) -> ToolResult:
        """Ask in the conversation whether a call may be made. The question goes under the call's own key, which the call
        has no use for: it is made by another turn, if at all.

        Raises:
            DeliveryError: the question could not be sent; another attempt sends it, under the same key.
        """
        key = turn.key(step)
        before = await turn.journal.intend(step, name, arguments, key)
        asked = await self._send_question(turn, step, name, arguments, attempted_at=before)
        if isinstance(asked, str):
            result = ToolResult(f"{name} was not called: a person has to approve it, and {asked}.", is_error=True)
            await turn.journal.settle(step, name, arguments, key, _outcome(result, delivers=False))
        else:
            result = ToolResult(_ASKED.format(name=name))
            await turn.journal.settle(step, name, arguments, key, _outcome(result, delivers=True), asked)
            APPROVALS.labels("asked").inc()
            log.info("approval_asked", tool=name, message_id=asked.message_id)
            for emoji in (APPROVE, REFUSE):
                offer = {"channel_id": reply_channel(turn.event), "message_id": asked.message_id, "emoji": emoji}
                await self._make(turn, step, REACT_TOOL, offer, repeatable=True, attempted_at=None)
        delivers = not result.is_error
        turn.calls.append(ToolCall(name, arguments, delivers, result.is_error, time.perf_counter() - started))
        return result

    async def _send_question(
        self, turn: Turn, step: int, name: str, arguments: dict[str, Any], *, attempted_at: float | None
    ) -> Question | str:
        """What was asked; or why nothing was, in words."""
        channel = reply_channel(turn.event)
        if not channel:
            return "there is no channel to ask in"
        people = self._approvers or [turn.event.source_user_id]
        text = question(name, arguments, people=people, seconds=self._approval_seconds)
        sending = {"channel_id": channel, "content": text}
        sent = await self._make(turn, step, SEND_TOOL, sending, repeatable=True, attempted_at=attempted_at)
        if sent.unreached:
            raise DeliveryError(f"nobody could be asked to approve {name}: {sent.text}")
        message_id = "" if sent.is_error else message_id_in(sent.text, sent.structured)
        if not message_id:
            return f"the question could not be sent: {sent.text}"
        return Question(
            turn.event.bot_id,
            message_id,
            turn.event.source_user_id,
            json.dumps(arguments, ensure_ascii=False).encode(),
            self._approval_seconds,
        )

    async def deliver(self, turn: Turn, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Call a tool that delivers, listed or not, for the turn itself. What it didn't reach is open: another attempt
        calls it again, under the same key.
        """
        step = turn.next_step()
        recorded = turn.journal.result(step, name, arguments)
        if recorded is not None:
            return _replayed(recorded)
        before = await turn.journal.intend(step, name, arguments, turn.key(step))
        result = await self._make(turn, step, name, arguments, repeatable=True, attempted_at=before)
        if not result.unreached:
            outcome = _outcome(result, delivers=True)
            # Committed with the next part's intent, or the turn's end: either comes at once, unlike a model's next answer.
            turn.journal.note_result(step, name, arguments, turn.key(step), outcome)
        return result

    async def _make(
        self,
        turn: Turn,
        step: int,
        name: str,
        arguments: dict[str, Any],
        *,
        repeatable: bool,
        attempted_at: float | None,
    ) -> ToolResult:
        """Call a tool.

        Args:
            turn: on whose behalf.
            step: of the turn.
            name: the tool's name.
            arguments: JSON values.
            repeatable: a call whose connection broke may be made again.
            attempted_at: when an earlier attempt began it, of which nobody knows what came of it.
        """
        key = turn.key(step)
        with span("tool", attributes={"tool.name": name, "tool.key": key}) as current:
            try:
                request = _request(turn, step, name, arguments)
                if attempted_at is not None:
                    request.attempted_at.FromMilliseconds(int(attempted_at * 1000))
                response = await self._call(turn, request, repeatable=repeatable)
                result = result_of(response)
                if response.transient and repeatable:
                    result = replace(result, unreached=True)
                if response.approval_required:
                    result = replace(result, needs_approval=True)
            except (ValueError, TypeError) as error:  # arguments that aren't JSON values
                result = ToolResult(f"The arguments of {name} can't be sent: {error}", is_error=True)
            except TimeoutError:
                text = f"execution-service can't be reached; {name} was not called."
                result = ToolResult(text, is_error=True, unreached=True)
            except grpc.aio.AioRpcError as error:
                result = ToolResult(
                    _explain(name, error), is_error=True, unreached=error.code() not in _CLEAR_TO_THE_MODEL
                )
            current.set_attribute("tool.is_error", result.is_error)
            outcome = "needs_approval" if result.needs_approval else "error" if result.is_error else "ok"
            TOOL_CALLS.labels(name, outcome).inc()
            if result.is_error and not result.needs_approval:
                log.warning("tool_failed", tool=name, key=key, reason=result.text[:500])
            elif not result.is_error:
                log.info("tool_called", tool=name, key=key)
        return result

    async def _call(
        self, turn: Turn, request: execution_pb2.CallToolRequest, *, repeatable: bool
    ) -> execution_pb2.CallToolResponse:
        """One call that counts; more when execution-service, or the server behind it, isn't there for a moment."""
        clock = asyncio.get_running_loop().time
        give_up = clock() + min(PATIENCE, turn.seconds_left())
        pause, longest = _PAUSES
        while True:
            # Waiting here rather than inside the call keeps apart what was never sent from what may have been done.
            if self._peer.channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.READY:
                await asyncio.wait_for(self._peer.channel.channel_ready(), max(0.1, give_up - clock()))
            try:
                response: execution_pb2.CallToolResponse = await self._stub.CallTool(
                    request, timeout=turn.seconds_left(), metadata=self._peer.metadata()
                )
            except grpc.aio.AioRpcError as error:
                again = error.code() is _BUSY or (repeatable and error.code() in _GONE)
                if not again or clock() + pause > give_up:
                    raise
                reason = error.details()
            else:
                if not (response.transient and repeatable) or clock() + pause > give_up:
                    return response
                reason = result_of(response).text
            log.info("tool_call_repeated", tool=request.name, key=request.idempotency_key, reason=reason)
            await asyncio.sleep(pause)
            pause = min(longest, pause * 2)


def _outcome(result: ToolResult, *, delivers: bool) -> dict[str, Any]:
    """What is recorded of a result."""
    return {
        "text": result.text,
        "is_error": result.is_error,
        "structured": result.structured,
        "delivers": delivers,
    }


def _replayed(recorded: dict[str, Any]) -> ToolResult:
    return ToolResult(recorded["text"], recorded["is_error"], recorded["structured"])


def result_of(response: execution_pb2.CallToolResponse) -> ToolResult:
    """A tool's answer as text. What isn't text is described; a structured result stands in where there is no text."""
    structured = (
        json_format.MessageToDict(response.structured_content) if response.HasField("structured_content") else None
    )
    parts = [_text_of(content) for content in response.content]
    if not any(parts) and structured is not None:
        parts = [json.dumps(structured, ensure_ascii=False)]
    text = "\n".join(part for part in parts if part)
    if response.is_error and not text:
        text = "The tool failed and didn't say why."
    return ToolResult(text, response.is_error, structured)


def _text_of(content: execution_pb2.ToolContent) -> str:
    kind = content.WhichOneof("content")
    if kind == "text":
        return content.text
    if kind == "resource":
        return content.resource.text or f"[resource {content.resource.uri}]"
    if kind == "binary":
        return f"[{content.binary.media_type or 'binary'}, {len(content.binary.data)} bytes]"
    return ""


def _request(turn: Turn, step: int, name: str, arguments: dict[str, Any]) -> execution_pb2.CallToolRequest:
    event = turn.event
    request = execution_pb2.CallToolRequest(
        name=name,
        context=execution_pb2.CallContext(
            bot_id=event.bot_id,
            correlation_id=event.correlation_id,
            event_id=event.event_id,
            run_id=turn.run_id,
            channel_ids=channels_of(event),
            approved=turn.approves(step),
        ),
        idempotency_key=turn.key(step),
    )
    request.arguments.update(arguments)
    return request


def _repeatable(tool: execution_pb2.Tool) -> bool:
    """Delivering tools do their work once per key; the others say what they are."""
    return tool.delivers or tool.annotations.read_only or tool.annotations.idempotent


def _explain(name: str, error: grpc.aio.AioRpcError) -> str:
    code, details = error.code(), error.details() or ""
    if code in _CLEAR_TO_THE_MODEL and details:
        return details
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"{name} gave no answer in time; it may have done its work."
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"{name} could not be called, or its answer got lost: {details}".removesuffix(": ")
    return f"{name} could not be called: {code.name} {details}".rstrip()
