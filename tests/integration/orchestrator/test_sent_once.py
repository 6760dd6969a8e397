"""A turn that was cut off goes on where it was: nothing is sent twice, the model isn't asked twice."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from botswain_orchestrator.agent.scripted.model import ScriptedModel
from botswain_proto.v1 import execution_pb2, orchestrator_pb2, orchestrator_pb2_grpc
from botswain_services.auth import TokenIssuer
from botswain_services.rpc import connect

from .conftest import DEADLINE, SECRET, FakeExecution, message, running, until
from .test_orchestrator_process import line_of, start

pytestmark = pytest.mark.usefixtures("each_engine")


class Discord:
    """What arrived: sends up to a number; the one after it is held and never arrives."""

    def __init__(self, execution: FakeExecution, *, holds_after: int) -> None:
        self.arrived: list[str] = []
        self.holding = True
        self._execution = execution
        self._holds_after = holds_after
        execution.answer = self.answer

    async def answer(self, request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        if self.holding and len(self.arrived) >= self._holds_after:
            await asyncio.Event().wait()
        self.arrived.append(str(request.arguments["content"]))
        return self._execution.success(request)


async def test_after_a_kill_only_the_third_of_three_is_sent(tmp_path: Path, execution: FakeExecution) -> None:
    """SIGKILL when two of three messages are sent: the next process sends the third, under its old key, and nothing else.

    It says when that was first attempted; the others were not attempted before.
    """
    began = time.time()
    discord = Discord(execution, holds_after=2)
    url = {"EXECUTION_SERVICE_URL": f"grpc://127.0.0.1:{execution.port}"}
    first = await start(tmp_path, **url)
    ready = await line_of(first, "service_ready")
    tokens = TokenIssuer(SECRET, issuer="test", audience="orchestrator-service")
    peer = connect(f"grpc://127.0.0.1:{ready['grpc']}", tokens, variable="TEST")

    async def stream() -> Any:
        yield orchestrator_pb2.PublishRequest(batch_id=1, events=[message("send three messages")])

    stub = orchestrator_pb2_grpc.OrchestratorServiceStub(peer.channel)
    assert [ack.recorded async for ack in stub.Publish(stream(), metadata=peer.metadata(), timeout=DEADLINE)] == [1]
    await execution.wait_for_calls(3)
    killed = time.time()
    first.send_signal(signal.SIGKILL)
    await first.communicate()
    await peer.close()
    discord.holding = False
    second = await start(tmp_path, **url)
    completed = await line_of(second, "turn_completed")
    second.send_signal(signal.SIGTERM)
    await second.communicate()
    assert completed["delivery"] == "agent"
    assert completed["tool_calls"] == 3
    assert len(discord.arrived) == len(set(discord.arrived)) == 3
    keys = [call.idempotency_key for call in execution.calls]
    assert len(keys) == 4
    assert keys[2] == keys[3]
    assert [call.HasField("attempted_at") for call in execution.calls] == [False, False, False, True]
    assert began - 0.001 <= execution.calls[3].attempted_at.ToMilliseconds() / 1000 < killed


async def test_recorded_answers_of_the_model_are_replayed(
    tmp_path: Path, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first round was asked before the cut; the next process asks only for the second."""
    asked: list[int] = []
    generate = ScriptedModel._agenerate

    async def counted(self: ScriptedModel, messages: Any, *arguments: Any, **more: Any) -> Any:
        asked.append(len(messages))
        return await generate(self, messages, *arguments, **more)

    monkeypatch.setattr(ScriptedModel, "_agenerate", counted)
    discord = Discord(execution, holds_after=1)
    async with running(tmp_path, execution.port, shutdown_grace_seconds=0.05) as first:
        cut = asyncio.ensure_future(first.ask("say one, then two"))
        await execution.wait_for_calls(2)
        await first.end()
        await asyncio.wait({cut})
        assert cut.exception() is not None
    assert len(asked) == 1
    discord.holding = False
    async with running(tmp_path, execution.port) as second:
        await until(lambda: second.service._lanes.running == 0 and len(discord.arrived) == 2)
    assert discord.arrived == ["one", "two"]
    assert len(asked) == 2


async def test_a_turn_that_is_tried_again_sends_only_what_is_missing(tmp_path: Path, execution: FakeExecution) -> None:
    """The last part of a long answer finds nobody; the next attempt sends that part alone."""
    failures = iter([True])
    arrived: list[str] = []

    async def lose_the_last(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        content = str(request.arguments["content"])
        if content.endswith("1000") and next(failures, False):
            raise RuntimeError("lost")
        arrived.append(content)
        return execution.success(request)

    execution.answer = lose_the_last
    async with running(tmp_path, execution.port) as orchestrator:
        result = await orchestrator.ask("count to 1000")
    assert result.delivery == orchestrator_pb2.DELIVERY_FALLBACK
    assert "\n".join(arrived).split("\n") == [str(number) for number in range(1, 1001)]


async def test_a_send_that_met_passing_trouble_is_made_again(tmp_path: Path, execution: FakeExecution) -> None:
    """The agent's second message finds the tool's server dead, then there again: it is sent, and the model isn't told."""
    failures = iter([True])
    arrived: list[str] = []

    async def pass_by(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        content = str(request.arguments["content"])
        if content == "two" and next(failures, False):
            return execution_pb2.CallToolResponse(is_error=True, transient=True)
        arrived.append(content)
        return execution.success(request)

    execution.answer = pass_by
    async with running(tmp_path, execution.port) as orchestrator:
        result = await orchestrator.ask("say one, then two, then three")
    assert (result.delivery, arrived) == (orchestrator_pb2.DELIVERY_AGENT, ["one", "two", "three"])
    keys = [call.idempotency_key for call in execution.calls]
    assert keys[1] == keys[2]


async def test_a_send_that_nobody_takes_fails_the_turn(
    tmp_path: Path, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trouble that doesn't pass is not the model's to talk about: the turn is tried again, and sends what is missing alone."""
    monkeypatch.setattr("botswain_orchestrator.agent.tools.PATIENCE", 0.3)
    arrived: list[str] = []
    attempts: list[str] = []

    async def trouble(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        content = str(request.arguments["content"])
        if content == "two":
            attempts.append(request.idempotency_key)
            if len(attempts) < 4:
                return execution_pb2.CallToolResponse(is_error=True, transient=True)
        arrived.append(content)
        return execution.success(request)

    execution.answer = trouble
    async with running(tmp_path, execution.port, turn_attempts=9) as orchestrator:
        result = await orchestrator.ask("say one, then two")
    assert (result.delivery, arrived) == (orchestrator_pb2.DELIVERY_AGENT, ["one", "two"])
    assert len(set(attempts)) == 1


async def test_a_turn_without_effects_records_no_steps(tmp_path: Path, execution: FakeExecution) -> None:
    """Nothing would have to be kept from being done twice."""
    async with running(tmp_path, execution.port) as orchestrator:
        await orchestrator.ask("say nothing")
        await orchestrator.ask("say something")
        rows = await orchestrator.service._database.read(
            lambda connection: connection.exec_driver_sql("SELECT run, kind FROM steps").fetchall()
        )
    assert len({run for run, _ in rows}) == 1
    assert sorted(kind for _, kind in rows) == [0, 1]
