"""Turns that fail are tried again; then their events are dead letters that can be listed and tried anew."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botswain_proto.v1 import execution_pb2, orchestrator_pb2

from .conftest import CHANNEL, FakeExecution, Orchestrator, message, running, serving_execution, until

pytestmark = pytest.mark.usefixtures("each_engine")


async def publish(orchestrator: Orchestrator, *events: Any) -> None:
    async def stream() -> Any:
        yield orchestrator_pb2.PublishRequest(batch_id=1, events=events)

    assert [ack.recorded async for ack in orchestrator.publish(stream())] == [len(events)]


async def letters(orchestrator: Orchestrator) -> list[dict[str, Any]]:
    """What GET /deadletters lists."""
    response = await orchestrator.http.get("/deadletters")
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["total"] == len(body["dead_letters"])
    listed: list[dict[str, Any]] = body["dead_letters"]
    return listed


async def test_an_event_that_always_fails_becomes_a_dead_letter(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """With its reason; the message behind it is answered after it, once."""
    failing, following = message("fail turn"), message("say on")
    await publish(orchestrator, failing, following)
    await execution.wait_for_calls(1)
    assert execution.sent() == [(CHANNEL, "on")]
    (letter,) = await letters(orchestrator)
    assert letter["event_id"] == failing.event_id
    assert letter["failures"] == 2
    assert "told to fail" in letter["reason"]


async def test_a_lane_waits_for_a_turn_that_is_tried_again(tmp_path: Path) -> None:
    """execution-service is lost during the answer: the next attempt sends it, before the message behind; other lanes went on."""
    fake = FakeExecution()
    lost = asyncio.Event()

    async def lose_first(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        if request.arguments["content"] == "first" and not lost.is_set():
            lost.set()
            raise RuntimeError("lost")
        return fake.success(request)

    fake.answer = lose_first
    async with (
        serving_execution(fake),
        running(tmp_path, fake.port, turn_attempts=3, turn_retry_seconds=0.2) as orchestrator,
    ):
        await publish(orchestrator, message("say first"), message("say second"), message("say other", channel="7"))
        await fake.wait_for_calls(4)
        sent = fake.sent()
    assert [content for channel, content in sent if channel == CHANNEL] == ["first", "first", "second"]
    assert sent.index(("7", "other")) < sent.index((CHANNEL, "second"))
    assert len({call.idempotency_key for call in fake.calls if call.arguments["content"] == "first"}) == 1


async def test_a_restart_keeps_the_schedule(each_engine: str, tmp_path: Path, execution: FakeExecution) -> None:
    """A turn that is to be tried again in an hour isn't tried before, and keeps its lane waiting."""
    async with running(tmp_path, execution.port, turn_attempts=2, turn_retry_seconds=3600) as first:
        await publish(first, message("fail turn"), message("say behind"))
        await until(lambda: first.service._lanes.waiting == 2)
        later = first.service.ledger._now() + 3600
    async with running(tmp_path, execution.port, turn_attempts=2, turn_retry_seconds=3600) as second:
        (failed, behind) = await second.service.ledger.unfinished()
        # The second to hold the partition, where partitions are held.
        failed = replace(failed, epoch=2 if each_engine == "postgresql" else 0)
        pause = await second.service.ledger.start(failed)
        assert isinstance(pause, float)
        assert 0 < pause <= 60
        assert second.service._lanes.waiting == 2
        assert await letters(second) == []
        second.service.ledger._now = lambda: later
        assert not isinstance(await second.service.ledger.start(failed), float)
    assert execution.calls == []
    assert behind.id > failed.id


async def test_a_dead_letter_may_be_tried_again(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """By its id; once what was wrong is mended it is answered, and gone from the list."""
    broken = True

    async def fail_while_broken(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        if broken:
            raise RuntimeError("broken")
        return execution.success(request)

    execution.answer = fail_while_broken
    result = await orchestrator.ask("hello")
    assert result.status == orchestrator_pb2.TURN_STATUS_FAILED
    assert "not delivered" in result.error
    (letter,) = await letters(orchestrator)
    broken = False
    execution.calls.clear()
    again = await orchestrator.http.post("/deadletters/requeue", json={"ids": [letter["id"], 10**6]})
    assert again.json() == {"requeued": [letter["id"]]}
    await execution.wait_for_calls(1)
    assert await letters(orchestrator) == []
    assert (await orchestrator.http.post("/deadletters/requeue", json={"all": True})).json() == {"requeued": []}


async def test_dead_letters_are_not_public(orchestrator: Orchestrator) -> None:
    """A token is asked for; a request that names nothing is refused."""
    del orchestrator.http.headers["Authorization"]
    assert (await orchestrator.http.get("/deadletters")).status_code == 401
    assert (await orchestrator.http.post("/deadletters/requeue", json={"all": True})).status_code == 401


async def test_a_requeue_of_nothing_is_refused(orchestrator: Orchestrator) -> None:
    """422 says what to give."""
    response = await orchestrator.http.post("/deadletters/requeue", json={})
    assert response.status_code == 422
    assert "give either" in response.text
