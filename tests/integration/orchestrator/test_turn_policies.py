"""TURN_POLICY: what a message does that comes while its conversation is busy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from botswain_orchestrator.agent.scripted.model import ScriptedModel
from botswain_proto.v1 import orchestrator_pb2

from .conftest import CHANNEL, FakeExecution, Orchestrator, running, until

pytestmark = pytest.mark.usefixtures("each_engine")

COMPLETED, SUPERSEDED = orchestrator_pb2.TURN_STATUS_COMPLETED, orchestrator_pb2.TURN_STATUS_SUPERSEDED


class Gate:
    """Holds the first tool call until it is opened."""

    def __init__(self, execution: FakeExecution) -> None:
        self.opened = asyncio.Event()
        self._execution = execution
        execution.answer = self.answer

    async def answer(self, request: Any) -> Any:
        await self.opened.wait()
        return self._execution.success(request)


async def queued(orchestrator: Orchestrator, *texts: str) -> list[asyncio.Future[orchestrator_pb2.ProcessResponse]]:
    """Ask one after the other, each once the one before is recorded."""
    turns = []
    for number, text in enumerate(texts, start=1):
        turns.append(asyncio.ensure_future(orchestrator.ask(text)))
        await until(lambda number=number: orchestrator.service._lanes.waiting == number or turns[-1].done())
    return turns


async def seen_by_the_model(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The users' texts of each prompt."""
    prompts: list[list[str]] = []
    generate = ScriptedModel._agenerate

    async def noted(self: ScriptedModel, messages: Any, *arguments: Any, **more: Any) -> Any:
        prompts.append([m.additional_kwargs["event"]["text"] for m in messages if m.type == "human"])
        return await generate(self, messages, *arguments, **more)

    monkeypatch.setattr(ScriptedModel, "_agenerate", noted)
    return prompts


async def test_coalesce_answers_what_waits_in_one_turn(
    tmp_path: Path, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn under way ends; the newest of those behind is answered, and its turn has read the others."""
    gate = Gate(execution)
    prompts = await seen_by_the_model(monkeypatch)
    async with running(tmp_path, execution.port, turn_policy="coalesce") as orchestrator:
        first = asyncio.ensure_future(orchestrator.ask("say one"))
        await execution.wait_for_calls(1)
        waiting = await queued(orchestrator, "say two", "say three", "say four")
        gate.opened.set()
        results = [await turn for turn in (first, *waiting)]
    assert [result.status for result in results] == [COMPLETED, SUPERSEDED, SUPERSEDED, COMPLETED]
    assert execution.sent() == [(CHANNEL, "one"), (CHANNEL, "four")]
    assert prompts[-1] == ["say one", "say two", "say three", "say four"]


async def test_interrupt_ends_the_turn_under_way(
    tmp_path: Path, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest message is answered at once, knowing what came before it; a restart changes nothing."""
    prompts = await seen_by_the_model(monkeypatch)
    async with running(tmp_path, execution.port, turn_policy="interrupt") as orchestrator:
        slow = asyncio.ensure_future(orchestrator.ask("wait 50"))
        await until(lambda: len(prompts) == 1)
        quick = await orchestrator.ask("say quick")
        assert (await slow).status == SUPERSEDED
        assert quick.status == COMPLETED
    async with running(tmp_path, execution.port, turn_policy="interrupt") as again:
        assert await again.service.ledger.unfinished() == []
    assert execution.sent() == [(CHANNEL, "quick")]
    assert prompts[-1] == ["wait 50", "say quick"]


async def test_reject_gives_no_answer_while_busy(tmp_path: Path, execution: FakeExecution) -> None:
    """It says so to who waits; another conversation, and the next message after the turn, are answered."""
    gate = Gate(execution)
    async with running(tmp_path, execution.port, turn_policy="reject") as orchestrator:
        first = asyncio.ensure_future(orchestrator.ask("say one"))
        await execution.wait_for_calls(1)
        refused = await orchestrator.ask("say two")
        elsewhere = asyncio.ensure_future(orchestrator.ask("say here", channel="5"))
        await execution.wait_for_calls(2)
        gate.opened.set()
        assert (await first).status == (await elsewhere).status == COMPLETED
        await until(lambda: len(orchestrator.service._lanes) == 0)
        assert (await orchestrator.ask("say three")).status == COMPLETED
    assert refused.status == SUPERSEDED
    assert "TURN_POLICY=reject" in refused.error
    assert [content for _, content in execution.sent()] == ["one", "here", "three"]


async def test_a_superseded_event_is_told_over_http(tmp_path: Path, execution: FakeExecution) -> None:
    """`POST /process` answers with status `superseded`."""
    gate = Gate(execution)
    async with running(tmp_path, execution.port, turn_policy="reject") as orchestrator:
        first = asyncio.ensure_future(orchestrator.ask("say one"))
        await execution.wait_for_calls(1)
        body = {
            "thread_id": f"discord:900000000000000001:{CHANNEL}",
            "message": "hello",
            "correlation_id": "c9",
            "metadata": {},
        }
        answer: httpx.Response = await orchestrator.http.post("/process", json=body)
        gate.opened.set()
        await first
    assert answer.json()["status"] == "superseded"
