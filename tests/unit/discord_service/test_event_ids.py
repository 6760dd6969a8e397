"""Ids of events: of the right form, and never the same twice."""

from __future__ import annotations

import uuid

from botswain_discord.event_ids import EventIds
from botswain_services.tracing import valid_traceparent


def test_correlation_ids_are_random_uuids() -> None:
    """Version 4 of RFC 9562, in its usual form."""
    ids = EventIds()
    made = [ids.correlation_id() for _ in range(2_000)]
    assert len(set(made)) == len(made)
    for each in made:
        parsed = uuid.UUID(each)
        assert (str(parsed), parsed.version, parsed.variant) == (each, 4, uuid.RFC_4122)


def test_traces_begin_with_ids_of_their_own() -> None:
    """Valid, sampled, and no bit of one is another's, correlation ids included."""
    drawn: list[int] = []

    def draw(count: int) -> bytes:
        drawn.append(count)
        return bytes(range(256)) * (count // 256)

    ids = EventIds(draw)
    assert (ids.correlation_id(), ids.traceparent()) == (
        "00010203-0405-4607-8809-0a0b0c0d0e0f",
        "00-101112131415161718191a1b1c1d1e1f-2021222324252627-01",
    )
    random = EventIds()
    made = [random.traceparent() for _ in range(2_000)]
    assert all(map(valid_traceparent, made))
    assert len({each.split("-")[1] for each in made}) == len({each.split("-")[2] for each in made}) == len(made)
    assert len(drawn) == 1
