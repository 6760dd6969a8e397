"""`InternalEvent`: what every platform adapter publishes, as a validating model and as protobuf, and the conversion between them.

The protobuf form (`botswain.v1.InternalEvent`) travels between services; this model stands at the HTTP edge and in code that
wants names and checks. At that edge `metadata` is flat: `source`, and for Discord the fields of `DiscordMetadata`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from botswain_proto.v1 import event_pb2
from google.protobuf import json_format, struct_pb2
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from botswain_services.errors import InvalidEventError
from botswain_services.tracing import new_correlation_id, valid_traceparent

MAX_CONTENT = 100_000
"""Characters. Discord sends 4,000 at most; other sources send letters."""

Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
OptionalId = Annotated[str, StringConstraints(max_length=256)]


class EventSource(StrEnum):
    """Where an event came from."""

    DISCORD = "discord"
    SLACK = "slack"
    TWILIO = "twilio"
    IMAP = "imap"
    API = "api"


class ContentType(StrEnum):
    """What an event mainly holds."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    FILE = "file"
    REACTION = "reaction"
    EDIT = "edit"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Attachment(_Model):
    """A file that came with an event; `size` in bytes."""

    id: OptionalId = ""
    filename: Annotated[str, StringConstraints(max_length=1024)] = ""
    url: Annotated[str, StringConstraints(max_length=4096)] = ""
    content_type: Annotated[str, StringConstraints(max_length=256)] = ""
    size: int = Field(default=0, ge=0)


class ForwardDestination(_Model):
    """Another place a reply is to be copied to."""

    source: EventSource
    channel_id: Id
    thread_id: Id | None = None


class ConversationContext(_Model):
    """Which conversation an event belongs to."""

    conversation_id: OptionalId = ""
    parent_event_id: Id | None = None


class RoutingContext(_Model):
    """Where replies go."""

    reply_channel_id: OptionalId = ""
    reply_thread_id: Id | None = None
    forward_destinations: list[ForwardDestination] = Field(default_factory=list, max_length=16)
    conversation: ConversationContext = Field(default_factory=ConversationContext)

    @property
    def reply_to(self) -> str:
        """The channel or thread that replies go to; empty when there is none."""
        return self.reply_thread_id or self.reply_channel_id


class Shard(_Model):
    """One shard of a bot: `id` from 0, below `count`."""

    id: int = Field(ge=0)
    count: int = Field(ge=1)


class Thread(_Model):
    """The Discord thread a message stands in, or started."""

    id: Id
    parent_id: Id | None = None
    name: str | None = None


class MessageReference(_Model):
    """The Discord message that another one replies to."""

    message_id: Id
    channel_id: OptionalId = ""
    author_id: Id | None = None
    content: str | None = None


class DiscordMetadata(_Model):
    """What only Discord events have."""

    guild_id: Id | None = None
    guild_name: str | None = None
    mentions: list[str] = Field(default_factory=list)
    mention_roles: list[str] = Field(default_factory=list)
    mention_everyone: bool = False
    shard: Shard | None = None
    bot_user_id: Id | None = None
    thread: Thread | None = None
    referenced_message: MessageReference | None = None
    message_type: int = 0
    emoji: str | None = None


class InternalEvent(_Model):
    """One event of a source, in the form every service understands. `timestamp` is when the source says it happened, in UTC."""

    correlation_id: Id = Field(default_factory=new_correlation_id)
    source: EventSource
    source_event_id: OptionalId = ""
    source_channel_id: OptionalId = ""
    source_user_id: OptionalId = ""
    source_user_name: Annotated[str, StringConstraints(max_length=256)] | None = None
    content_type: ContentType = ContentType.TEXT
    content: Annotated[str, StringConstraints(max_length=MAX_CONTENT)] = ""
    attachments: list[Attachment] = Field(default_factory=list, max_length=100)
    routing: RoutingContext = Field(default_factory=RoutingContext)
    timestamp: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    metadata: dict[str, Any] = Field(default_factory=dict)
    event_id: Id
    traceparent: str = ""
    bot_id: OptionalId = ""
    discord: DiscordMetadata | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.traceparent and not valid_traceparent(self.traceparent):
            raise ValueError("traceparent is not a W3C traceparent of version 00")
        if self.source is EventSource.DISCORD and self.discord is None:
            self.discord = DiscordMetadata()
        return self

    @property
    def conversation_id(self) -> str:
        """The lane: events of one conversation are answered in order."""
        return self.routing.conversation.conversation_id or f"{self.source}:{self.bot_id}:{self.routing.reply_to}"


_ENUM_PREFIX = {EventSource: "EVENT_SOURCE_", ContentType: "CONTENT_TYPE_"}


def to_proto(event: InternalEvent) -> event_pb2.InternalEvent:
    """Convert for the wire.

    Raises:
        InvalidEventError: `metadata` holds what JSON can't.
    """
    if not _finite(event.metadata):
        raise InvalidEventError("metadata: infinite or not-a-number values have no JSON form")
    data = event.model_dump(mode="json", exclude_none=True)
    data["source"] = f"EVENT_SOURCE_{event.source.name}"
    data["content_type"] = f"CONTENT_TYPE_{event.content_type.name}"
    for destination in data["routing"]["forward_destinations"]:
        destination["source"] = f"EVENT_SOURCE_{destination['source'].upper()}"
    try:
        return json_format.ParseDict(data, event_pb2.InternalEvent())
    except json_format.ParseError as error:
        raise InvalidEventError(f"metadata: {error}") from None


def from_proto(message: event_pb2.InternalEvent) -> InternalEvent:
    """Convert from the wire, and validate.

    Raises:
        InvalidEventError: naming the field.
    """
    # Shard 0 is a shard: fields at their zero value are wanted too.
    data = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name, kind in (("source", EventSource), ("content_type", ContentType)):
        data[name] = str(data[name]).removeprefix(_ENUM_PREFIX[kind]).lower()
        if data[name] == "unspecified":
            raise InvalidEventError(f"{name} is not set")
    for destination in data.get("routing", {}).get("forward_destinations", ()):
        destination["source"] = destination.get("source", "").removeprefix("EVENT_SOURCE_").lower()
    try:
        return InternalEvent.model_validate(data)
    except ValueError as error:
        raise InvalidEventError(_explain(error)) from None


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_finite(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return all(_finite(inner) for inner in value)
    return True


def conversation_id(source: str, bot_id: str, channel_id: str) -> str:
    """The lane of a channel or thread, the same in every service."""
    return f"{source}:{bot_id}:{channel_id}"


class ProcessBody(_Model):
    """The body of `POST /process`.

    `metadata` may hold any field of `InternalEvent`, and of `DiscordMetadata` when its `source` is `discord`.
    """

    thread_id: Id
    message: Annotated[str, StringConstraints(max_length=MAX_CONTENT)]
    correlation_id: Id
    metadata: dict[str, Any] = Field(default_factory=dict)


_EVENT_KEYS = frozenset(InternalEvent.model_fields) - {"content", "correlation_id", "metadata", "discord"}
_DISCORD_KEYS = frozenset(DiscordMetadata.model_fields)


def to_process_body(event: InternalEvent) -> ProcessBody:
    """The event as `POST /process` takes it."""
    metadata = dict(event.metadata)
    dumped = event.model_dump(mode="json", exclude_none=True)
    metadata.update({key: dumped[key] for key in _EVENT_KEYS if key in dumped})
    metadata.update(dumped.get("discord", {}))
    return ProcessBody(
        thread_id=event.conversation_id, message=event.content, correlation_id=event.correlation_id, metadata=metadata
    )


def from_process_body(body: ProcessBody) -> InternalEvent:
    """The event that a `POST /process` body stands for. Without more in `metadata`: source `api`, id the correlation id.

    Raises:
        InvalidEventError: naming the field, as `metadata.<field>`.
    """
    given = dict(body.metadata)
    data: dict[str, Any] = {key: given.pop(key) for key in list(given) if key in _EVENT_KEYS}
    data.setdefault("source", EventSource.API)
    data.setdefault("event_id", f"{data['source']}:{body.correlation_id}")
    if data["source"] == EventSource.DISCORD:
        data["discord"] = {key: given.pop(key) for key in list(given) if key in _DISCORD_KEYS}
    data |= {"content": body.message, "correlation_id": body.correlation_id, "metadata": given}
    try:
        event = InternalEvent.model_validate(data)
    except ValueError as error:
        raise InvalidEventError("\n".join(f"metadata.{line}" for line in _explain(error).splitlines())) from None
    if not event.routing.conversation.conversation_id:
        event.routing.conversation.conversation_id = body.thread_id
    return event


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    """A protobuf Struct of JSON values."""
    message = struct_pb2.Struct()
    message.update(values)
    return message


_LOCATION = re.compile(r"^(discord)\.")


def _explain(error: ValueError) -> str:
    problems = getattr(error, "errors", None)
    if problems is None:
        return str(error)
    lines = []
    for problem in problems(include_url=False, include_input=False):
        where = _LOCATION.sub("", ".".join(str(part) for part in problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {message}" if where else message)
    return "\n".join(lines)
