"""How much of a conversation is remembered."""

from __future__ import annotations

from botswain_orchestrator.agent.memory import trimmed
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

ROUNDS = st.lists(st.integers(min_value=0, max_value=4), max_size=12)
"""The tool calls of each turn."""


def conversation(rounds: list[int]) -> list[AnyMessage]:
    messages: list[AnyMessage] = []
    for turn, calls in enumerate(rounds):
        messages.append(HumanMessage(f"question {turn}"))
        for call in range(calls):
            wanted = [{"name": "t", "args": {}, "id": f"{turn}-{call}", "type": "tool_call"}]
            messages.append(AIMessage("", tool_calls=wanted))
            messages.append(ToolMessage("ok", tool_call_id=f"{turn}-{call}"))
        messages.append(AIMessage(f"answer {turn}"))
    return messages


@given(ROUNDS, st.integers(min_value=2, max_value=20))
def test_only_whole_turns_are_dropped(rounds: list[int], limit: int) -> None:
    """What is kept begins with a question, ends as before, and is the latest that fits; the last turn always stays."""
    messages = conversation(rounds)
    kept = trimmed(messages, limit)
    assert kept == (messages[-len(kept) :] if kept else [])
    if not messages:
        return
    assert isinstance(kept[0], HumanMessage)
    questions = sum(isinstance(message, HumanMessage) for message in kept)
    assert len(kept) <= limit or questions == 1


@given(ROUNDS, st.integers(min_value=2, max_value=20))
def test_no_tool_result_is_left_without_its_call(rounds: list[int], limit: int) -> None:
    """A provider refuses a result whose call it can't see."""
    kept = trimmed(conversation(rounds), limit)
    called = {call["id"] for message in kept if isinstance(message, AIMessage) for call in message.tool_calls}
    assert {message.tool_call_id for message in kept if isinstance(message, ToolMessage)} == called


def test_a_short_conversation_is_kept_whole() -> None:
    """Nothing is dropped below the limit."""
    messages = conversation([0, 1])
    assert trimmed(messages, 6) == messages
    assert len(trimmed(messages, 5)) == 4
