"""Cursors tell where a shard stands: with its events where there are any, alone when it moved without, with what changed."""

from __future__ import annotations

from typing import Any

from botswain_discord.cursors import INTERVAL, Cursors, Place
from botswain_discord.grpc_transport import make_batches
from botswain_discord.outbox import Outgoing, Session
from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_proto.v1.orchestrator_pb2 import PublishRequest
from google.protobuf.json_format import MessageToDict


def place(seq: int, *, session: str = "s", version: int = 1, shard: int = 0, **state: Any) -> Place:
    return Place(Session(shard, 2, session, "wss://resume.example"), seq, version, lambda: state)


def added(
    cursors: Cursors, *places: Place, now: float, taken: tuple[Outgoing, ...] = (), urgent: bool = False
) -> list[PublishRequest]:
    requests = make_batches(taken, "900")
    cursors.add(requests, places, bot_id="900", now=now, urgent=urgent)
    return requests


def test_a_batch_of_events_tells_the_place_behind_them() -> None:
    """Dispatches that made no event are behind it too."""
    taken = (Outgoing(InternalEvent(event_id="a"), Session(0, 2, "s", "wss://resume.example"), 7),)
    (request,) = added(Cursors(), place(12), now=0.0, taken=taken)
    assert (len(request.events), request.cursor.seq) == (1, 12)


def test_a_shard_without_events_tells_its_place_once_a_second() -> None:
    """And only when it moved."""
    cursors = Cursors()
    assert [each.cursor.seq for each in added(cursors, place(1), now=0.0)] == [1]
    assert added(cursors, place(2), now=INTERVAL / 2) == []
    assert [each.cursor.seq for each in added(cursors, place(2), now=INTERVAL)] == [2]
    assert added(cursors, place(2), now=3 * INTERVAL) == []


def test_what_is_urgent_does_not_wait() -> None:
    """At a hand-over everything that changed is said at once."""
    cursors = Cursors()
    added(cursors, place(1), now=0.0)
    assert cursors.pending([place(2)])
    assert [each.cursor.seq for each in added(cursors, place(2), now=0.0, urgent=True)] == [2]
    assert not cursors.pending([place(2)])


def test_state_travels_when_it_changed_and_with_each_new_session() -> None:
    """A cursor without state leaves what was told before as it is."""
    cursors = Cursors()
    said = []
    for now, where in enumerate(
        [place(1, guilds="a"), place(2), place(3, version=2, guilds="b"), place(1, session="t", version=2, guilds="b")]
    ):
        (request,) = added(cursors, where, now=float(now))
        said.append(MessageToDict(request.cursor.state) if request.cursor.HasField("state") else None)
    assert said == [{"guilds": "a"}, None, {"guilds": "b"}, {"guilds": "b"}]


def test_a_large_state_that_changes_often_is_sent_less_often() -> None:
    """Its place still moves every second."""
    cursors = Cursors()
    requests = [*added(cursors, place(0, guilds="x" * 100_000), now=0.0)]
    for second in range(1, 10):
        requests += added(cursors, place(second, version=second + 1, guilds="x" * 100_000), now=float(second))
    assert [request.cursor.seq for request in requests] == list(range(10))
    assert [request.cursor.seq for request in requests if request.cursor.HasField("state")] == [0, 6]


def test_under_another_claim_everything_is_said_anew() -> None:
    """What was said under an older epoch may not have been recorded."""
    cursors = Cursors()
    added(cursors, place(5, guilds="a"), now=0.0)
    cursors.forget()
    (request,) = added(cursors, place(5, guilds="a"), now=0.0)
    assert request.cursor.HasField("state")


def test_shards_tell_their_own_places() -> None:
    """A batch of one says nothing of the other."""
    taken = (Outgoing(InternalEvent(event_id="a"), Session(1, 2, "t", "wss://resume.example"), 7),)
    requests = added(Cursors(), place(3), place(9, session="t", shard=1), now=0.0, taken=taken)
    assert [(each.cursor.shard.id, each.cursor.seq, len(each.events)) for each in requests] == [(1, 9, 1), (0, 3, 0)]
