import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_SOURCE_UNSPECIFIED: _ClassVar[EventSource]
    EVENT_SOURCE_DISCORD: _ClassVar[EventSource]
    EVENT_SOURCE_SLACK: _ClassVar[EventSource]
    EVENT_SOURCE_TWILIO: _ClassVar[EventSource]
    EVENT_SOURCE_IMAP: _ClassVar[EventSource]
    EVENT_SOURCE_API: _ClassVar[EventSource]

class ContentType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTENT_TYPE_UNSPECIFIED: _ClassVar[ContentType]
    CONTENT_TYPE_TEXT: _ClassVar[ContentType]
    CONTENT_TYPE_IMAGE: _ClassVar[ContentType]
    CONTENT_TYPE_AUDIO: _ClassVar[ContentType]
    CONTENT_TYPE_FILE: _ClassVar[ContentType]
    CONTENT_TYPE_REACTION: _ClassVar[ContentType]
    CONTENT_TYPE_EDIT: _ClassVar[ContentType]
EVENT_SOURCE_UNSPECIFIED: EventSource
EVENT_SOURCE_DISCORD: EventSource
EVENT_SOURCE_SLACK: EventSource
EVENT_SOURCE_TWILIO: EventSource
EVENT_SOURCE_IMAP: EventSource
EVENT_SOURCE_API: EventSource
CONTENT_TYPE_UNSPECIFIED: ContentType
CONTENT_TYPE_TEXT: ContentType
CONTENT_TYPE_IMAGE: ContentType
CONTENT_TYPE_AUDIO: ContentType
CONTENT_TYPE_FILE: ContentType
CONTENT_TYPE_REACTION: ContentType
CONTENT_TYPE_EDIT: ContentType

class Attachment(_message.Message):
    __slots__ = ("id", "filename", "url", "content_type", "size")
    ID_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    id: str
    filename: str
    url: str
    content_type: str
    size: int
    def __init__(self, id: _Optional[str] = ..., filename: _Optional[str] = ..., url: _Optional[str] = ..., content_type: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class ForwardDestination(_message.Message):
    __slots__ = ("source", "channel_id", "thread_id")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    source: EventSource
    channel_id: str
    thread_id: str
    def __init__(self, source: _Optional[_Union[EventSource, str]] = ..., channel_id: _Optional[str] = ..., thread_id: _Optional[str] = ...) -> None: ...

class ConversationContext(_message.Message):
    __slots__ = ("conversation_id", "parent_event_id")
    CONVERSATION_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    conversation_id: str
    parent_event_id: str
    def __init__(self, conversation_id: _Optional[str] = ..., parent_event_id: _Optional[str] = ...) -> None: ...

class RoutingContext(_message.Message):
    __slots__ = ("reply_channel_id", "reply_thread_id", "forward_destinations", "conversation")
    REPLY_CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    REPLY_THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    FORWARD_DESTINATIONS_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    reply_channel_id: str
    reply_thread_id: str
    forward_destinations: _containers.RepeatedCompositeFieldContainer[ForwardDestination]
    conversation: ConversationContext
    def __init__(self, reply_channel_id: _Optional[str] = ..., reply_thread_id: _Optional[str] = ..., forward_destinations: _Optional[_Iterable[_Union[ForwardDestination, _Mapping]]] = ..., conversation: _Optional[_Union[ConversationContext, _Mapping]] = ...) -> None: ...

class InternalEvent(_message.Message):
    __slots__ = ("correlation_id", "source", "source_event_id", "source_channel_id", "source_user_id", "source_user_name", "content_type", "content", "attachments", "routing", "timestamp", "metadata", "event_id", "traceparent", "bot_id", "discord")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_USER_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_USER_NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    DISCORD_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    source: EventSource
    source_event_id: str
    source_channel_id: str
    source_user_id: str
    source_user_name: str
    content_type: ContentType
    content: str
    attachments: _containers.RepeatedCompositeFieldContainer[Attachment]
    routing: RoutingContext
    timestamp: _timestamp_pb2.Timestamp
    metadata: _struct_pb2.Struct
    event_id: str
    traceparent: str
    bot_id: str
    discord: DiscordMetadata
    def __init__(self, correlation_id: _Optional[str] = ..., source: _Optional[_Union[EventSource, str]] = ..., source_event_id: _Optional[str] = ..., source_channel_id: _Optional[str] = ..., source_user_id: _Optional[str] = ..., source_user_name: _Optional[str] = ..., content_type: _Optional[_Union[ContentType, str]] = ..., content: _Optional[str] = ..., attachments: _Optional[_Iterable[_Union[Attachment, _Mapping]]] = ..., routing: _Optional[_Union[RoutingContext, _Mapping]] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., event_id: _Optional[str] = ..., traceparent: _Optional[str] = ..., bot_id: _Optional[str] = ..., discord: _Optional[_Union[DiscordMetadata, _Mapping]] = ...) -> None: ...

class DiscordMetadata(_message.Message):
    __slots__ = ("guild_id", "guild_name", "mentions", "mention_roles", "mention_everyone", "shard", "bot_user_id", "thread", "referenced_message", "message_type", "emoji")
    GUILD_ID_FIELD_NUMBER: _ClassVar[int]
    GUILD_NAME_FIELD_NUMBER: _ClassVar[int]
    MENTIONS_FIELD_NUMBER: _ClassVar[int]
    MENTION_ROLES_FIELD_NUMBER: _ClassVar[int]
    MENTION_EVERYONE_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    BOT_USER_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    REFERENCED_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    EMOJI_FIELD_NUMBER: _ClassVar[int]
    guild_id: str
    guild_name: str
    mentions: _containers.RepeatedScalarFieldContainer[str]
    mention_roles: _containers.RepeatedScalarFieldContainer[str]
    mention_everyone: bool
    shard: DiscordShard
    bot_user_id: str
    thread: DiscordThread
    referenced_message: DiscordMessageReference
    message_type: int
    emoji: str
    def __init__(self, guild_id: _Optional[str] = ..., guild_name: _Optional[str] = ..., mentions: _Optional[_Iterable[str]] = ..., mention_roles: _Optional[_Iterable[str]] = ..., mention_everyone: _Optional[bool] = ..., shard: _Optional[_Union[DiscordShard, _Mapping]] = ..., bot_user_id: _Optional[str] = ..., thread: _Optional[_Union[DiscordThread, _Mapping]] = ..., referenced_message: _Optional[_Union[DiscordMessageReference, _Mapping]] = ..., message_type: _Optional[int] = ..., emoji: _Optional[str] = ...) -> None: ...

class DiscordShard(_message.Message):
    __slots__ = ("id", "count")
    ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    id: int
    count: int
    def __init__(self, id: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class DiscordThread(_message.Message):
    __slots__ = ("id", "parent_id", "name")
    ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    parent_id: str
    name: str
    def __init__(self, id: _Optional[str] = ..., parent_id: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DiscordMessageReference(_message.Message):
    __slots__ = ("message_id", "channel_id", "author_id", "content")
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    message_id: str
    channel_id: str
    author_id: str
    content: str
    def __init__(self, message_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., author_id: _Optional[str] = ..., content: _Optional[str] = ...) -> None: ...
