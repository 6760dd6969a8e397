"""The agent's graph: model → tools → model → … → deliver.

What belongs to one turn travels in LangGraph's run context (`Turn`), so the graph is compiled once and its state is
the conversation alone. The rounds of tool calls are bounded: in the last one the model is asked without tools, so
that it has to answer.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal, TypedDict

from botswain_services.tracing import span
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    InvalidToolCall,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)
from langchain_core.messages.tool import ToolCall as WantedCall
from langchain_core.runnables import Runnable
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from botswain_orchestrator.agent.approvals import decision_words
from botswain_orchestrator.agent.catalog import ToolSet
from botswain_orchestrator.agent.memory import LedgerSaver, trimmed
from botswain_orchestrator.agent.prompt import facts_in, prompt, user_message
from botswain_orchestrator.agent.tools import ToolCaller
from botswain_orchestrator.agent.turn import Turn
from botswain_orchestrator.errors import ModelError
from botswain_orchestrator.ids import run_id

Deliver = Callable[[Turn], Awaitable[None]]


class Conversation(TypedDict):
    """The graph's state: what the thread remembers."""

    messages: Annotated[list[AnyMessage], operator.add]


class Agent:
    """Answers events.

    Args:
        model: thinks.
        tools: calls what the model wants called.
        deliver: sees to it that the answer reaches the user.
        memory: keeps conversations.
        system_prompt: what the model is told first.
        history_limit: messages a conversation remembers.
        max_steps: most rounds of tool calls in a turn.
        describe_error: what to say of an exception of the model, without secrets.
    """

    def __init__(
        self,
        model: BaseChatModel,
        *,
        tools: ToolCaller,
        deliver: Deliver,
        memory: LedgerSaver,
        system_prompt: str,
        history_limit: int,
        max_steps: int,
        describe_error: Callable[[Exception], str] = str,
    ) -> None:
        self._model = model
        self._tools = tools
        self._deliver = deliver
        self._system_prompt = system_prompt
        self._history_limit = history_limit
        self._max_steps = max_steps
        self._describe_error = describe_error
        self._bound: tuple[ToolSet, Runnable[Any, AIMessage]] | None = None
        graph = StateGraph(Conversation, context_schema=Turn)
        graph.add_node("model", self._ask_model)
        graph.add_node("tools", self._call_tools)
        graph.add_node("deliver", self._deliver_answer)
        graph.add_edge(START, "model")
        graph.add_conditional_edges("model", _after_model)
        graph.add_edge("tools", "model")
        graph.add_edge("deliver", END)
        self._graph = graph.compile(checkpointer=memory, name="agent")

    async def answer(self, turn: Turn, thread_id: str) -> None:
        """Run the turn to its end; what came of it stands in `turn`.

        Raises:
            ModelError: the model gave no answer.
        """
        earlier = [user_message(event, run_id(event.bot_id, event.event_id)) for event in turn.carried]
        decision = decision_words(turn.approval) if turn.approval is not None else ""
        await self._graph.ainvoke(
            {"messages": [*earlier, user_message(turn.event, turn.run_id, decision=decision)]},
            {"configurable": {"thread_id": thread_id}, "recursion_limit": 2 * self._max_steps + 8},
            context=turn,
            durability="exit",
        )

    async def _ask_model(self, state: Conversation, runtime: Runtime[Turn]) -> dict[str, Any]:
        turn = runtime.context
        messages = state["messages"]
        facts = next(facts_in(message) for message in reversed(messages) if isinstance(message, HumanMessage))
        turn.rounds += 1
        recorded = turn.journal.answer(turn.rounds)
        if turn.rounds == 1 and turn.approves(1):
            answer = _approved_call(turn)
        elif recorded is not None:
            answer = _read(recorded)
        else:
            answer = await self._think(turn, prompt(self._system_prompt, facts, messages))
            turn.journal.note_answer(turn.rounds, message_to_dict(answer))
        turn.text = answer.text.strip() or turn.text
        return {"messages": [answer]}

    async def _think(self, turn: Turn, messages: Sequence[AnyMessage]) -> AIMessage:
        """Ask the model; in the last round without tools, so that it has to answer."""
        last = turn.rounds > self._max_steps
        with span("model", attributes={"model.round": turn.rounds}):
            try:
                answer = await self._thinker(turn.tools, without_tools=last).ainvoke(messages)
            except Exception as error:
                # Each provider's library has exceptions of its own, and none is the lane's business.
                raise ModelError(f"the model gave no answer: {self._describe_error(error)}") from error
        return _tidied(answer, turn, keep_calls=not last)

    def _thinker(self, tools: ToolSet, *, without_tools: bool) -> Runnable[Any, AIMessage]:
        if without_tools or not tools.tools:
            return self._model
        if self._bound is None or self._bound[0] is not tools:
            self._bound = tools, self._model.bind_tools(tools.specs)
        return self._bound[1]

    async def _call_tools(self, state: Conversation, runtime: Runtime[Turn]) -> dict[str, Any]:
        """One after the other: messages are to appear in the order in which the model wrote them."""
        answer = state["messages"][-1]
        assert isinstance(answer, AIMessage)
        results = [_complaint(call) for call in answer.invalid_tool_calls]
        for call in answer.tool_calls:
            result = await self._tools.call(runtime.context, call["name"], call["args"])
            status: Literal["error", "success"] = "error" if result.is_error else "success"
            results.append(
                ToolMessage(
                    result.text, tool_call_id=call["id"], name=call["name"], status=status, artifact=result.structured
                )
            )
        return {"messages": results}

    async def _deliver_answer(self, state: Conversation, runtime: Runtime[Turn]) -> dict[str, Any]:
        await self._deliver(runtime.context)
        return {"messages": Overwrite(trimmed(state["messages"], self._history_limit))}


async def _after_model(state: Conversation) -> Literal["tools", "deliver"]:
    """A coroutine, because LangGraph takes plain functions to a thread and back."""
    answer = state["messages"][-1]
    assert isinstance(answer, AIMessage)
    return "tools" if answer.tool_calls or answer.invalid_tool_calls else "deliver"


def _read(recorded: Any) -> AIMessage:
    """An answer of an earlier attempt."""
    (answer,) = messages_from_dict([recorded])
    assert isinstance(answer, AIMessage)
    return answer


def _approved_call(turn: Turn) -> AIMessage:
    """The call that the model had wanted, and a person approved."""
    assert turn.approval is not None
    call = {"name": turn.approval.tool, "args": json.loads(turn.approval.arguments), "id": f"{turn.run_id}-approved"}
    return AIMessage("", id=f"{turn.run_id}-1", tool_calls=[call])


def _tidied(answer: AIMessage, turn: Turn, *, keep_calls: bool) -> AIMessage:
    """The answer as it is remembered: every call with an id, and nothing of the provider's accounts."""

    def numbered(calls: Sequence[Any], kind: str) -> list[Any]:
        return [
            call if call.get("id") else {**call, "id": f"{turn.run_id}-{turn.rounds}{kind}{number}"}
            for number, call in enumerate(calls)
        ]

    wanted: list[WantedCall] = numbered(answer.tool_calls, "c") if keep_calls else []
    broken: list[InvalidToolCall] = numbered(answer.invalid_tool_calls, "x") if keep_calls else []
    return AIMessage(
        content=answer.content,
        id=f"{turn.run_id}-{turn.rounds}",
        tool_calls=wanted,
        invalid_tool_calls=broken,
    )


def _complaint(call: InvalidToolCall) -> ToolMessage:
    text = f"The arguments of {call['name'] or 'the tool'} are not a JSON object: {call['error'] or call['args']}"
    return ToolMessage(text[:1000], tool_call_id=call["id"] or "", name=call["name"], status="error")
