"""Events are put into batches a shard at a time, within limits, with the shard's cursor."""

from __future__ import annotations

from botswain_discord import grpc_transport
from botswain_discord.grpc_transport import backoff, make_batches
from botswain_discord.outbox import Outgoing, Session
from botswain_proto.v1.event_pb2 import InternalEvent
from botswain_proto.v1.orchestrator_pb2 import PublishRequest


def session(shard_id: int, name: str = "s") -> Session:
    return Session(shard_id, 2, f"{name}{shard_id}", "wss://resume.example")


def outgoing(number: int, shard: Session | None, content: str = "") -> Outgoing:
    return Outgoing(InternalEvent(event_id=str(number), content=content), shard, number + 100)


def ids(request: PublishRequest) -> list[str]:
    return [event.event_id for event in request.events]


def test_shards_are_kept_apart_and_in_order() -> None:
    """One batch a shard, each with its events in order and the cursor of the last."""
    first, second = make_batches([outgoing(n, session(n % 2)) for n in range(6)], "900")
    assert (ids(first), ids(second)) == (["0", "2", "4"], ["1", "3", "5"])
    assert (first.cursor.shard.id, first.cursor.shard.count, first.cursor.seq) == (0, 2, 104)
    assert (second.cursor.session_id, second.cursor.resume_gateway_url) == ("s1", "wss://resume.example")
    assert {first.bot_id, second.bot_id} == {"900"}


def test_a_new_session_begins_a_new_batch() -> None:
    """A cursor belongs to one session."""
    batches = make_batches([outgoing(1, session(0, "old")), outgoing(2, session(0, "new"))], "900")
    assert [(ids(batch), batch.cursor.session_id) for batch in batches] == [(["1"], "old0"), (["2"], "new0")]


def test_without_a_session_there_is_no_cursor() -> None:
    """Nothing is claimed about a place that isn't known."""
    (batch,) = make_batches([outgoing(1, None)], "900")
    assert not batch.HasField("cursor")


def test_a_batch_stays_below_its_size() -> None:
    """Large events are spread over several, none is left out."""
    content = "x" * (grpc_transport.MAX_BATCH_BYTES // 3)
    batches = make_batches([outgoing(n, session(0), content) for n in range(5)], "900")
    assert [ids(batch) for batch in batches] == [["0", "1"], ["2", "3"], ["4"]]


def test_the_wait_between_streams_grows_to_a_bound() -> None:
    """From a tenth of a second to two, the half of it at least."""
    assert all(0.05 <= backoff(1) <= 0.1 for _ in range(20))
    assert all(1.0 <= backoff(1_000) <= 2.0 for _ in range(20))
