import datetime

from botswain_proto.v1 import coordination_pb2 as _coordination_pb2
from botswain_proto.v1 import event_pb2 as _event_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Delivery(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_UNSPECIFIED: _ClassVar[Delivery]
    DELIVERY_AGENT: _ClassVar[Delivery]
    DELIVERY_FALLBACK: _ClassVar[Delivery]
    DELIVERY_NONE: _ClassVar[Delivery]
    DELIVERY_FAILED: _ClassVar[Delivery]

class TurnStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TURN_STATUS_UNSPECIFIED: _ClassVar[TurnStatus]
    TURN_STATUS_COMPLETED: _ClassVar[TurnStatus]
    TURN_STATUS_FAILED: _ClassVar[TurnStatus]
    TURN_STATUS_DUPLICATE: _ClassVar[TurnStatus]
    TURN_STATUS_SUPERSEDED: _ClassVar[TurnStatus]
DELIVERY_UNSPECIFIED: Delivery
DELIVERY_AGENT: Delivery
DELIVERY_FALLBACK: Delivery
DELIVERY_NONE: Delivery
DELIVERY_FAILED: Delivery
TURN_STATUS_UNSPECIFIED: TurnStatus
TURN_STATUS_COMPLETED: TurnStatus
TURN_STATUS_FAILED: TurnStatus
TURN_STATUS_DUPLICATE: TurnStatus
TURN_STATUS_SUPERSEDED: TurnStatus

class ProcessRequest(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _event_pb2.InternalEvent
    def __init__(self, event: _Optional[_Union[_event_pb2.InternalEvent, _Mapping]] = ...) -> None: ...

class ToolCallSummary(_message.Message):
    __slots__ = ("name", "is_error", "duration")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_ERROR_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    is_error: bool
    duration: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., is_error: _Optional[bool] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ProcessResponse(_message.Message):
    __slots__ = ("correlation_id", "event_id", "run_id", "status", "response", "tool_calls", "delivery", "duration", "error")
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    correlation_id: str
    event_id: str
    run_id: str
    status: TurnStatus
    response: str
    tool_calls: _containers.RepeatedCompositeFieldContainer[ToolCallSummary]
    delivery: Delivery
    duration: _duration_pb2.Duration
    error: str
    def __init__(self, correlation_id: _Optional[str] = ..., event_id: _Optional[str] = ..., run_id: _Optional[str] = ..., status: _Optional[_Union[TurnStatus, str]] = ..., response: _Optional[str] = ..., tool_calls: _Optional[_Iterable[_Union[ToolCallSummary, _Mapping]]] = ..., delivery: _Optional[_Union[Delivery, str]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., error: _Optional[str] = ...) -> None: ...

class PublishRequest(_message.Message):
    __slots__ = ("batch_id", "bot_id", "epoch", "events", "cursor")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    bot_id: str
    epoch: int
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.InternalEvent]
    cursor: _coordination_pb2.ShardCursor
    def __init__(self, batch_id: _Optional[int] = ..., bot_id: _Optional[str] = ..., epoch: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_event_pb2.InternalEvent, _Mapping]]] = ..., cursor: _Optional[_Union[_coordination_pb2.ShardCursor, _Mapping]] = ...) -> None: ...

class RejectedEvent(_message.Message):
    __slots__ = ("event_id", "reason")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    reason: str
    def __init__(self, event_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("batch_id", "recorded", "duplicates", "rejected", "fenced")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    FENCED_FIELD_NUMBER: _ClassVar[int]
    batch_id: int
    recorded: int
    duplicates: int
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedEvent]
    fenced: bool
    def __init__(self, batch_id: _Optional[int] = ..., recorded: _Optional[int] = ..., duplicates: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[RejectedEvent, _Mapping]]] = ..., fenced: _Optional[bool] = ...) -> None: ...
