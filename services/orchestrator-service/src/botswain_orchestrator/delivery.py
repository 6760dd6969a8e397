"""Delivery: an answer reaches the user even when the agent didn't send it.

Small models often answer in plain text where they should have called `discord_send_message`, or call it wrongly. If
a turn's agent left text, and no tool put anything before the user, the orchestrator sends that text itself, by the
same tool.
"""

from __future__ import annotations

from botswain_proto.v1 import event_pb2, orchestrator_pb2
from botswain_services.logs import get_logger

from botswain_orchestrator.agent.tools import SEND_TOOL, ToolCaller
from botswain_orchestrator.agent.turn import Turn
from botswain_orchestrator.errors import DeliveryError
from botswain_orchestrator.events import reply_channel
from botswain_orchestrator.splitting import split_message

log = get_logger(__name__)


def undelivered_text(turn: Turn) -> str:
    """What the user has not been told: the agent's text, else what it tried to send in vain; empty when something was
    delivered.
    """
    if turn.delivered:
        return ""
    if turn.text.strip():
        return turn.text
    tried = (call.arguments.get("content") for call in turn.calls if call.delivers)
    texts = dict.fromkeys(text for text in tried if isinstance(text, str) and text.strip())
    return "\n\n".join(texts)


class Delivery:
    """Ends a turn: sees what was delivered, and delivers what was not."""

    def __init__(self, tools: ToolCaller) -> None:
        self._tools = tools

    async def deliver(self, turn: Turn) -> None:
        """Set `turn.delivery`. Only Discord has a fallback; an `api` event's answer goes back to its caller.

        Raises:
            DeliveryError: execution-service gave no answer.
        """
        if turn.delivered:
            turn.delivery = orchestrator_pb2.DELIVERY_AGENT
            return
        turn.delivery = orchestrator_pb2.DELIVERY_NONE
        channel = reply_channel(turn.event)
        text = undelivered_text(turn)
        if turn.event.source != event_pb2.EVENT_SOURCE_DISCORD or not channel or not text:
            return
        turn.text = turn.text or text
        turn.delivery = await self._send(turn, channel, text)

    async def _send(self, turn: Turn, channel: str, text: str) -> orchestrator_pb2.Delivery:
        parts = split_message(text)
        for number, part in enumerate(parts, start=1):
            arguments = {"channel_id": channel, "content": part}
            result = await self._tools.deliver(turn, SEND_TOOL, arguments)
            if result.unreached:
                raise DeliveryError(f"the answer was not delivered: {result.text}")
            if result.is_error:
                log.error(
                    "answer_not_delivered",
                    channel_id=channel,
                    characters=len(text),
                    part=number,
                    parts=len(parts),
                    reason=result.text[:500],
                )
                return orchestrator_pb2.DELIVERY_FAILED
        return orchestrator_pb2.DELIVERY_FALLBACK
