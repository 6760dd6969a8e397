"""What is left to deliver after the agent is done."""

from __future__ import annotations

from botswain_orchestrator.agent.catalog import NO_TOOLS
from botswain_orchestrator.agent.turn import ToolCall, Turn
from botswain_orchestrator.delivery import undelivered_text
from botswain_proto.v1 import event_pb2


def turn(text: str, *calls: ToolCall) -> Turn:
    return Turn(event_pb2.InternalEvent(), "r" * 16, NO_TOOLS, deadline=0.0, calls=list(calls), text=text)


def call(content: str, *, delivers: bool = True, is_error: bool = False) -> ToolCall:
    return ToolCall("discord_send_message", {"content": content}, delivers, is_error, 0.0)


def test_plain_text_is_to_be_delivered() -> None:
    """The agent called nothing, so its text is left."""
    assert undelivered_text(turn("hello")) == "hello"


def test_after_a_delivery_nothing_is_left() -> None:
    """One call that delivered is enough, whatever the agent says besides."""
    assert undelivered_text(turn("done!", call("a"), call("b", is_error=True))) == ""


def test_a_tool_that_does_not_deliver_changes_nothing() -> None:
    """A reaction or a look-up puts no answer before the user."""
    assert undelivered_text(turn("hello", call("x", delivers=False))) == "hello"


def test_after_a_failed_delivery_the_agents_text_is_left() -> None:
    """What it said afterwards stands for what it tried to send."""
    assert undelivered_text(turn("sorry", call("hello", is_error=True))) == "sorry"


def test_without_text_what_it_tried_to_send_is_left() -> None:
    """Attempts at the same text count once."""
    failed = [call("hello", is_error=True), call("hello", is_error=True), call("bye", is_error=True)]
    assert undelivered_text(turn("", *failed)) == "hello\n\nbye"


def test_silence_is_silence() -> None:
    """No text and no attempt leave nothing."""
    assert undelivered_text(turn(" \n")) == ""
