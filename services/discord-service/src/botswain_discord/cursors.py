"""Where each shard stands: the place from which the next process RESUMEs, once the orchestrator has it.

A place is the number of the last dispatch whose events, and those of all before it, are in batches already made. Dispatches that
make no event move it too, so that a RESUME replays little. With it travels what READY and GUILD_CREATE told, whenever that
changed: a process that RESUMEs never gets those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from botswain_proto.v1.coordination_pb2 import ShardCursor
from botswain_proto.v1.event_pb2 import DiscordShard
from botswain_proto.v1.orchestrator_pb2 import PublishRequest

from botswain_discord.outbox import Session

INTERVAL = 1.0
"""Seconds between two cursors of a shard that has no events to send."""
STATE_BYTES_PER_SECOND = 20_000
"""What a shard's state may take on average: a large one that changes often is sent less often."""


class Place(NamedTuple):
    """A shard's place in its session; `state()` is what goes with it, and `state_version` changes when that does."""

    session: Session
    seq: int
    state_version: int
    state: Callable[[], Mapping[str, Any]]


@dataclass(slots=True)
class _Said:
    session_id: str
    seq: int
    at: float
    state_version: int | None = None
    state_due: float = 0.0


def make_cursor(session: Session, seq: int) -> ShardCursor:
    """The cursor of a place, without state."""
    return ShardCursor(
        shard=DiscordShard(id=session.shard_id, count=session.shard_count),
        session_id=session.session_id,
        resume_gateway_url=session.resume_gateway_url,
        seq=seq,
    )


class Cursors:
    """Adds cursors to batches, and remembers which were added."""

    def __init__(self) -> None:
        self._said: dict[int, _Said] = {}

    def forget(self) -> None:
        """Say everything anew: under another claim nothing that was said counts."""
        self._said.clear()

    def pending(self, places: Iterable[Place]) -> bool:
        """Whether a shard stands elsewhere than was said last."""
        return any(self._moved(place) or self._state_changed(place) for place in places)

    def add(
        self, requests: list[PublishRequest], places: Iterable[Place], *, bot_id: str, now: float, urgent: bool = False
    ) -> None:
        """Add to `requests`, which hold all events before `places`, the cursors that are due.

        Args:
            requests: batches; a shard's last one gets its place, and where there is none a batch with a cursor alone is appended.
            places: where the shards stand.
            bot_id: named in every batch.
            now: seconds on any clock that only goes forward.
            urgent: everything that changed is due.
        """
        last = {request.cursor.shard.id: request for request in requests if request.HasField("cursor")}
        for place in places:
            shard_id = place.session.shard_id
            request = last.get(shard_id)
            if request is not None and request.cursor.session_id != place.session.session_id:
                request = None
            said = self._said.get(shard_id)
            with_state = self._state_changed(place) and (said is None or urgent or now >= said.state_due)
            if request is None:
                due = said is None or urgent or now >= said.at + INTERVAL
                if not (with_state or (due and self._moved(place))):
                    continue
                request = PublishRequest(bot_id=bot_id, cursor=make_cursor(place.session, place.seq))
                requests.append(request)
            cursor = request.cursor
            cursor.seq = place.seq
            cursor.updated_at.GetCurrentTime()
            version, due_at = (said.state_version, said.state_due) if said and not self._anew(place) else (None, 0.0)
            if with_state:
                cursor.state.update(place.state())
                version, due_at = place.state_version, now + cursor.state.ByteSize() / STATE_BYTES_PER_SECOND
            self._said[shard_id] = _Said(place.session.session_id, place.seq, now, version, due_at)

    def _anew(self, place: Place) -> bool:
        said = self._said.get(place.session.shard_id)
        return said is None or said.session_id != place.session.session_id

    def _moved(self, place: Place) -> bool:
        said = self._said.get(place.session.shard_id)
        return said is None or (said.session_id, said.seq) != (place.session.session_id, place.seq)

    def _state_changed(self, place: Place) -> bool:
        said = self._said.get(place.session.shard_id)
        return said is None or self._anew(place) or said.state_version != place.state_version
