"""A session: what one shard of one bot may see, numbered, and kept for RESUME. It outlives its connections."""

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from botswain_simulator.models import Application


class Sink(Protocol):
    """Where a session's frames go while a client is connected."""

    def send(self, frame: bytes) -> None: ...


def dispatch_head(name: str) -> bytes:
    """The start of a dispatch frame, the same for every session: the sequence number and the data follow."""
    return b'{"t":"' + name.encode() + b'","s":'


def _frame(head: bytes, sequence: int, body: bytes) -> bytes:
    return head + str(sequence).encode() + b',"op":0,"d":' + body + b"}"


@dataclass(slots=True, eq=False)
class Session:
    """One shard's session. `sequence` is the number of its latest dispatch."""

    id: str
    application: Application
    shard_id: int
    shard_count: int
    intents: int
    replay_limit: int
    created_at: float
    large_threshold: int = 50
    sequence: int = 0
    sink: Sink | None = None
    detached_at: float | None = None
    resumes: int = 0
    _kept: deque[tuple[bytes, bytes]] = field(default_factory=deque)

    def dispatch(self, head: bytes, body: bytes) -> None:
        """Number an event, keep it for a RESUME, and send it if somebody is connected.

        `body` is encoded once for all sessions and shared by their buffers; only the few bytes around it differ.
        """
        self.sequence += 1
        self._kept.append((head, body))
        if len(self._kept) > self.replay_limit:
            self._kept.popleft()
        if self.sink is not None:
            self.sink.send(_frame(head, self.sequence, body))

    def can_replay_from(self, sequence: int) -> bool:
        """Whether everything after a sequence number is still kept."""
        return sequence >= self.sequence - len(self._kept)

    def replay(self, sequence: int) -> list[bytes]:
        """The frames after a sequence number."""
        missed = self.sequence - sequence
        start = len(self._kept) - missed
        kept = list(self._kept)[start:]
        return [_frame(head, sequence + 1 + i, body) for i, (head, body) in enumerate(kept)]

    def resumed_frame(self) -> bytes:
        """RESUMED repeats the latest number, and is not kept: a later replay must not hold an old one."""
        return _frame(dispatch_head("RESUMED"), self.sequence, b'{"_trace":["simulator"]}')
