"""What was recorded is answered after a restart, under the same keys; what was answered is not answered again."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import grpc
import pytest
from botswain_proto.v1 import orchestrator_pb2

from .conftest import CHANNEL, TOOLS, FakeExecution, message, running, serving_execution, until

pytestmark = pytest.mark.usefixtures("each_engine")


class Gate:
    """Holds every tool call until it is opened."""

    def __init__(self, execution: FakeExecution) -> None:
        self._execution = execution
        self._open = asyncio.Event()
        execution.answer = self.answer

    async def answer(self, request: Any) -> Any:
        await self._open.wait()
        return self._execution.success(request)

    def open(self) -> None:
        self._open.set()
        self._execution.answer = None


async def test_a_turn_that_was_cut_off_runs_again_under_the_same_key(tmp_path: Path, execution: FakeExecution) -> None:
    """The process ends in the middle of a send; the next one sends again, and the key shows that it is the same send."""
    gate = Gate(execution)
    async with running(tmp_path, execution.port, shutdown_grace_seconds=0.05) as first:
        cut = asyncio.ensure_future(first.ask("hello"))
        await execution.wait_for_calls(1)
        await first.end()
        with pytest.raises(grpc.aio.AioRpcError):
            await cut
    gate.open()
    async with running(tmp_path, execution.port):
        await execution.wait_for_calls(2)
    assert len({call.idempotency_key for call in execution.calls}) == 1
    assert len({str(call.arguments) for call in execution.calls}) == 1


async def test_waiting_events_are_answered_in_order_after_a_restart(tmp_path: Path, execution: FakeExecution) -> None:
    """Three events of a channel are recorded, the process ends during the first; all three get their answer, in order."""
    gate = Gate(execution)
    events = [message(f"say {number}") for number in (1, 2, 3)]
    async with running(tmp_path, execution.port, shutdown_grace_seconds=0.05) as first:
        requests = [orchestrator_pb2.PublishRequest(batch_id=1, events=events)]

        async def stream() -> Any:
            for request in requests:
                yield request

        assert [ack.recorded async for ack in first.publish(stream())] == [3]
        await execution.wait_for_calls(1)
    execution.calls.clear()
    gate.open()
    async with running(tmp_path, execution.port):
        await execution.wait_for_calls(3)
    assert [content for _, content in execution.sent()] == ["1", "2", "3"]


async def test_an_answered_event_stays_answered(tmp_path: Path, execution: FakeExecution) -> None:
    """After a restart the event is known, its result too, and nothing is sent again."""
    asked = message("hello")
    async with running(tmp_path, execution.port) as first:
        answered = await first.process(asked)
    async with running(tmp_path, execution.port) as second:
        again = await second.process(asked)
    assert again.status == orchestrator_pb2.TURN_STATUS_DUPLICATE
    assert again.response == answered.response
    assert len(execution.calls) == 1


async def test_memory_outlives_the_process(tmp_path: Path, execution: FakeExecution) -> None:
    """What a user said before the restart is remembered after it."""
    async with running(tmp_path, execution.port) as first:
        await first.ask("my name is Ada")
    async with running(tmp_path, execution.port) as second:
        assert (await second.ask("what is my name?")).response == "Your name is Ada."


async def test_draining_finishes_the_turn_and_ends_the_streams(tmp_path: Path, execution: FakeExecution) -> None:
    """The turn under way delivers; an open publish stream is ended rather than waited for; the next event is UNAVAILABLE."""
    gate = Gate(execution)
    async with running(tmp_path, execution.port) as orchestrator:

        async def endless() -> Any:
            yield orchestrator_pb2.PublishRequest(batch_id=1)
            await asyncio.Event().wait()

        stream = orchestrator.publish(endless())
        assert (await stream.read()).batch_id == 1
        turn = asyncio.ensure_future(orchestrator.ask("hello"))
        behind = asyncio.ensure_future(orchestrator.ask("hello again"))
        await execution.wait_for_calls(1)
        ending = asyncio.ensure_future(orchestrator.end())
        assert await stream.read() is grpc.aio.EOF
        with pytest.raises(grpc.aio.AioRpcError) as waiting:
            await behind
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await orchestrator.ask("too late")
        gate.open()
        assert (await turn).delivery == orchestrator_pb2.DELIVERY_FALLBACK
        await ending
    assert waiting.value.code() is late.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "after the next start" in (waiting.value.details() or "")


async def test_execution_service_may_come_later(tmp_path: Path) -> None:
    """Not ready, with the reason; an event that came meanwhile is answered once execution-service is there."""
    fake = FakeExecution()
    async with serving_execution(fake):
        port = fake.port  # free again when the block ends
    async with running(tmp_path, port) as orchestrator:
        ready = await orchestrator.http.get("/ready")
        assert ready.status_code == 503
        assert "UNAVAILABLE" in ready.json()["reasons"]["execution-service"]
        asked = asyncio.ensure_future(orchestrator.ask("hello"))
        await until(lambda: orchestrator.service._lanes.running == 1)
        async with serving_execution(fake, port):
            answered = await asked
            assert answered.delivery == orchestrator_pb2.DELIVERY_FALLBACK
            assert fake.sent() == [(CHANNEL, answered.response)]
            assert (await orchestrator.http.get("/ready")).status_code == 200


async def test_execution_service_may_go_and_come_back(tmp_path: Path) -> None:
    """A send that finds it away waits for it, and is made once."""
    fake = FakeExecution()
    async with contextlib.AsyncExitStack() as before:
        await before.enter_async_context(serving_execution(fake))
        port = fake.port
        async with running(tmp_path, port) as orchestrator:
            await orchestrator.ask("hello")
            fake.calls.clear()
            await before.aclose()
            asked = asyncio.ensure_future(orchestrator.ask("hello"))
            await until(lambda: orchestrator.service._lanes.running == 1)
            async with serving_execution(fake, port):
                assert (await asked).delivery == orchestrator_pb2.DELIVERY_FALLBACK
                assert len(fake.calls) == 1


async def test_a_turn_waits_for_tools_that_are_starting(tmp_path: Path) -> None:
    """execution-service answers before its servers are up: the first message waits for them and is delivered."""
    fake = FakeExecution(tools=[], away={"discord": "it is starting"})
    async with serving_execution(fake), running(tmp_path, fake.port) as orchestrator:
        asked = asyncio.ensure_future(orchestrator.ask("react with 🎉"))
        await until(lambda: orchestrator.service._lanes.running == 1)
        assert fake.calls == []
        fake.tools, fake.away = list(TOOLS), {}
        await asked
        assert [call.name for call in fake.calls] == ["discord_add_reaction"]
