"""What the model is shown: the system prompt, the facts of the event it answers, and the conversation.

A user's message is remembered as it was written, with its facts beside it (`additional_kwargs["event"]`, which no
provider is sent). What the provider sees is rendered from that on each turn, so the rendering can change without
touching what is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict, cast

from botswain_proto.v1 import event_pb2
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage

from botswain_orchestrator.events import reply_channel, source_name

FACTS = "event"
"""The key of `EventFacts` in a user message's `additional_kwargs`."""


class EventFacts(TypedDict):
    """What the agent may know of an event; empty strings stand for what the event doesn't say."""

    source: str
    kind: str
    """`text`, `reaction`, `edit`, …"""
    text: str
    channel_id: str
    message_id: str
    user_id: str
    user_name: str
    server: str
    emoji: str
    attachments: list[str]
    """File names and URLs."""
    reference_id: str
    """The message this one replies to, who wrote it, and what."""
    reference_author: str
    reference_text: str
    decision: NotRequired[str]
    """What a reaction decided about a tool call."""


def facts_of(event: event_pb2.InternalEvent, *, decision: str = "") -> EventFacts:
    """The facts that go into the prompt and into memory."""
    reference = event.discord.referenced_message
    return EventFacts(
        source=source_name(event),
        kind=event_pb2.ContentType.Name(event.content_type).removeprefix("CONTENT_TYPE_").lower(),
        text=event.content,
        channel_id=reply_channel(event) or event.source_channel_id,
        message_id=event.source_event_id,
        user_id=event.source_user_id,
        user_name=event.source_user_name,
        server=event.discord.guild_name,
        emoji=event.discord.emoji,
        attachments=[f"{file.filename} {file.url}".strip() for file in event.attachments],
        reference_id=reference.message_id,
        reference_author=reference.author_id,
        reference_text=reference.content,
        decision=decision,
    )


def user_message(event: event_pb2.InternalEvent, run_id: str, *, decision: str = "") -> HumanMessage:
    """The event as it is remembered."""
    facts = facts_of(event, decision=decision)
    return HumanMessage(event.content, id=run_id, additional_kwargs={FACTS: dict(facts)})


def facts_in(message: HumanMessage) -> EventFacts:
    """The facts that `user_message()` put beside the text."""
    return cast(EventFacts, message.additional_kwargs[FACTS])


def prompt(system_prompt: str, facts: EventFacts, conversation: Sequence[AnyMessage]) -> list[AnyMessage]:
    """What the model is sent."""
    system = SystemMessage(f"{system_prompt}\n\n{context(facts)}")
    return [system, *(_rendered(message) for message in conversation)]


def context(facts: EventFacts) -> str:
    """The facts of the event under way, a line each."""
    lines = [
        ("source", facts["source"]),
        ("kind", facts["kind"] if facts["kind"] not in ("text", "unspecified") else ""),
        ("server", facts["server"]),
        ("channel_id", facts["channel_id"]),
        ("message_id", facts["message_id"]),
        ("user", _name_and_id(facts)),
        ("emoji", facts["emoji"]),
    ]
    if facts["reference_id"]:
        author = f" by user {facts['reference_author']}" if facts["reference_author"] else ""
        lines.append(("replies to", f"message {facts['reference_id']}{author}: {facts['reference_text']}".rstrip(": ")))
    return "The event you answer:\n" + _lines(lines)


def _rendered(message: AnyMessage) -> AnyMessage:
    if not isinstance(message, HumanMessage) or FACTS not in message.additional_kwargs:
        return message
    facts = facts_in(message)
    if facts["kind"] == "reaction":
        decision = facts.get("decision", "")
        text = f"[reacted with {facts['emoji'] or facts['text']}{', ' + decision if decision else ''}]"
    elif facts["kind"] == "edit":
        text = f"[edited their message to] {facts['text']}"
    else:
        text = facts["text"]
    text = "\n".join([text, *(f"[attachment] {file}" for file in facts["attachments"])]).strip()
    name = f"{facts['user_name']}: " if facts["user_name"] else ""
    return message.model_copy(update={"content": f"{name}{text}"})


def _name_and_id(facts: EventFacts) -> str:
    if not facts["user_name"]:
        return facts["user_id"]
    return f"{facts['user_name']} (id {facts['user_id']})" if facts["user_id"] else facts["user_name"]


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in pairs if value)
