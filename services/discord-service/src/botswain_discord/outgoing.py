"""What goes to the orchestrator: an event, and where it stands in its shard's stream."""

from __future__ import annotations

from typing import NamedTuple

from botswain_proto.v1.event_pb2 import InternalEvent


class Session(NamedTuple):
    """A shard's session with Discord: what a RESUME needs besides the sequence number."""

    shard_id: int
    shard_count: int
    session_id: str
    resume_gateway_url: str


class Outgoing(NamedTuple):
    """An event, and where in its shard's stream it stands: `seq` is 0 when that isn't known."""

    event: InternalEvent
    session: Session | None = None
    seq: int = 0
