"""`ScriptedModel`: the script as a LangChain chat model, so that the graph runs it like any other."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable

from botswain_orchestrator.agent.prompt import FACTS, facts_in
from botswain_orchestrator.agent.results import message_id_in
from botswain_orchestrator.agent.scripted.conversation import Conversation, Outcome, Reply
from botswain_orchestrator.agent.scripted.script import reply
from botswain_orchestrator.errors import ModelError

_MENTIONS = re.compile(r"^(?:\s*<@[!&]?\d+>)+[\s,:]*")


class ScriptedModel(BaseChatModel):
    """Answers by the script."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Offer tools, in OpenAI's function form."""
        return self.bind(tools=tools, **kwargs)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        answer = reply(conversation_in(messages, kwargs.get("tools", ())))
        if answer.wait_seconds:
            await asyncio.sleep(answer.wait_seconds)
        return _result(answer)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result(reply(conversation_in(messages, kwargs.get("tools", ()))))


def conversation_in(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]) -> Conversation:
    """The script's view of a prompt."""
    mine = max(index for index, message in enumerate(messages) if isinstance(message, HumanMessage))
    current = messages[mine]
    assert isinstance(current, HumanMessage)
    facts = facts_in(current)
    earlier = [facts_in(m) for m in messages[:mine] if isinstance(m, HumanMessage) and FACTS in m.additional_kwargs]
    return Conversation(
        text=_without_mentions(facts["text"]),
        kind=facts["kind"],
        user_id=facts["user_id"],
        user_name=facts["user_name"],
        channel_id=facts["channel_id"],
        message_id=facts["message_id"],
        reference_id=facts["reference_id"],
        attachments=tuple(facts["attachments"]),
        decision=facts.get("decision", ""),
        earlier=tuple((one["user_id"], _without_mentions(one["text"])) for one in earlier),
        rounds=tuple(_rounds(messages[mine + 1 :])),
        tools={tool["function"]["name"]: tool["function"]["parameters"] for tool in tools},
    )


def _without_mentions(text: str) -> str:
    return _MENTIONS.sub("", text)


def _rounds(messages: Sequence[BaseMessage]) -> list[tuple[Outcome, ...]]:
    rounds: list[list[Outcome]] = []
    for message in messages:
        if isinstance(message, AIMessage):
            rounds.append([])
        elif isinstance(message, ToolMessage):
            rounds[-1].append(
                Outcome(message.text, message.status == "error", message_id_in(message.text, message.artifact))
            )
    return [tuple(outcomes) for outcomes in rounds]


def _result(answer: Reply) -> ChatResult:
    if answer.failure:
        raise ModelError(answer.failure)
    calls = [
        {"name": call.name, "args": call.arguments, "id": f"call_{number}", "type": "tool_call"}
        for number, call in enumerate(answer.calls, start=1)
    ]
    message = AIMessage(answer.text, tool_calls=calls)
    return ChatResult(generations=[ChatGeneration(message=message)])
