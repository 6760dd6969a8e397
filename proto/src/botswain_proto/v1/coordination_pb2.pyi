import datetime

from botswain_proto.v1 import event_pb2 as _event_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ShardCursor(_message.Message):
    __slots__ = ("shard", "session_id", "resume_gateway_url", "seq", "updated_at", "state")
    SHARD_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RESUME_GATEWAY_URL_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    shard: _event_pb2.DiscordShard
    session_id: str
    resume_gateway_url: str
    seq: int
    updated_at: _timestamp_pb2.Timestamp
    state: _struct_pb2.Struct
    def __init__(self, shard: _Optional[_Union[_event_pb2.DiscordShard, _Mapping]] = ..., session_id: _Optional[str] = ..., resume_gateway_url: _Optional[str] = ..., seq: _Optional[int] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ClaimStart(_message.Message):
    __slots__ = ("bot_id", "claimant_id", "shard_ids", "shard_count")
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIMANT_ID_FIELD_NUMBER: _ClassVar[int]
    SHARD_IDS_FIELD_NUMBER: _ClassVar[int]
    SHARD_COUNT_FIELD_NUMBER: _ClassVar[int]
    bot_id: str
    claimant_id: str
    shard_ids: _containers.RepeatedScalarFieldContainer[int]
    shard_count: int
    def __init__(self, bot_id: _Optional[str] = ..., claimant_id: _Optional[str] = ..., shard_ids: _Optional[_Iterable[int]] = ..., shard_count: _Optional[int] = ...) -> None: ...

class ClaimRenew(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClaimRelease(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClaimRequest(_message.Message):
    __slots__ = ("start", "renew", "release")
    START_FIELD_NUMBER: _ClassVar[int]
    RENEW_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    start: ClaimStart
    renew: ClaimRenew
    release: ClaimRelease
    def __init__(self, start: _Optional[_Union[ClaimStart, _Mapping]] = ..., renew: _Optional[_Union[ClaimRenew, _Mapping]] = ..., release: _Optional[_Union[ClaimRelease, _Mapping]] = ...) -> None: ...

class ClaimStandby(_message.Message):
    __slots__ = ("position", "holder_id")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    HOLDER_ID_FIELD_NUMBER: _ClassVar[int]
    position: int
    holder_id: str
    def __init__(self, position: _Optional[int] = ..., holder_id: _Optional[str] = ...) -> None: ...

class ChannelMark(_message.Message):
    __slots__ = ("channel_id", "guild_id", "last_message_id")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    GUILD_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    guild_id: str
    last_message_id: str
    def __init__(self, channel_id: _Optional[str] = ..., guild_id: _Optional[str] = ..., last_message_id: _Optional[str] = ...) -> None: ...

class ClaimGranted(_message.Message):
    __slots__ = ("epoch", "ttl", "cursors", "channels")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    CURSORS_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    ttl: _duration_pb2.Duration
    cursors: _containers.RepeatedCompositeFieldContainer[ShardCursor]
    channels: _containers.RepeatedCompositeFieldContainer[ChannelMark]
    def __init__(self, epoch: _Optional[int] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., cursors: _Optional[_Iterable[_Union[ShardCursor, _Mapping]]] = ..., channels: _Optional[_Iterable[_Union[ChannelMark, _Mapping]]] = ...) -> None: ...

class ClaimRenewed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ClaimRevoked(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ClaimResponse(_message.Message):
    __slots__ = ("standby", "granted", "renewed", "revoked")
    STANDBY_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    standby: ClaimStandby
    granted: ClaimGranted
    renewed: ClaimRenewed
    revoked: ClaimRevoked
    def __init__(self, standby: _Optional[_Union[ClaimStandby, _Mapping]] = ..., granted: _Optional[_Union[ClaimGranted, _Mapping]] = ..., renewed: _Optional[_Union[ClaimRenewed, _Mapping]] = ..., revoked: _Optional[_Union[ClaimRevoked, _Mapping]] = ...) -> None: ...

class PermitIdentifyRequest(_message.Message):
    __slots__ = ("bot_id", "shard", "epoch", "max_concurrency", "budget_total", "budget_remaining", "budget_reset_after")
    BOT_ID_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    BUDGET_TOTAL_FIELD_NUMBER: _ClassVar[int]
    BUDGET_REMAINING_FIELD_NUMBER: _ClassVar[int]
    BUDGET_RESET_AFTER_FIELD_NUMBER: _ClassVar[int]
    bot_id: str
    shard: _event_pb2.DiscordShard
    epoch: int
    max_concurrency: int
    budget_total: int
    budget_remaining: int
    budget_reset_after: _duration_pb2.Duration
    def __init__(self, bot_id: _Optional[str] = ..., shard: _Optional[_Union[_event_pb2.DiscordShard, _Mapping]] = ..., epoch: _Optional[int] = ..., max_concurrency: _Optional[int] = ..., budget_total: _Optional[int] = ..., budget_remaining: _Optional[int] = ..., budget_reset_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PermitIdentifyResponse(_message.Message):
    __slots__ = ("permitted", "reason", "retry_after")
    PERMITTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    permitted: bool
    reason: str
    retry_after: _duration_pb2.Duration
    def __init__(self, permitted: _Optional[bool] = ..., reason: _Optional[str] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
