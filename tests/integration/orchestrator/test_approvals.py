"""Tools that a person has to approve: who is asked, who may answer, and that an approved call is made once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botswain_proto.v1 import event_pb2, execution_pb2, orchestrator_pb2

from .conftest import CHANNEL, FakeExecution, Orchestrator, failure, message, running, tool, until
from .process import DEADLINE

pytestmark = pytest.mark.usefixtures("each_engine")

COMPLETED, FAILED = orchestrator_pb2.TURN_STATUS_COMPLETED, orchestrator_pb2.TURN_STATUS_FAILED
ASKER, OTHER = "42", "43"
PAY = 'call pay {"amount": "10"}'
QUESTION = (
    '**Approval needed** for `pay`:\n```json\n{\n "amount": "10"\n}\n```\n'
    "<@42>: ✅ allows it, ❌ refuses it, within 1 hour."
)


class Till:
    """An execution-service with a tool that needs approval; `trouble` is asked before it answers as usual."""

    def __init__(self, execution: FakeExecution) -> None:
        self.trouble: Any = lambda request: None
        self._execution = execution
        execution.tools.append(tool("pay", "amount"))
        execution.answer = self._answer

    async def _answer(self, request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        response: execution_pb2.CallToolResponse | None = self.trouble(request)
        if response is not None:
            return response
        if request.name != "pay":
            return self._execution.success(request)
        if request.context.approved:
            return execution_pb2.CallToolResponse(content=[execution_pb2.ToolContent(text="paid")])
        refused = failure("pay was not called: a person has to approve it first.")
        refused.approval_required = True
        return refused

    @property
    def paid(self) -> int:
        """Approved calls."""
        return sum(call.name == "pay" and call.context.approved for call in self._execution.calls)


@pytest.fixture
def till(execution: FakeExecution) -> Till:
    return Till(execution)


def reaction(emoji: str, to: str, *, user: str = ASKER, channel: str = CHANNEL) -> event_pb2.InternalEvent:
    """A reaction as discord-service publishes it."""
    event = message(emoji, user=user, channel=channel)
    event.source_event_id = to
    event.event_id = f"discord:reaction:{to}:{user}:{emoji}"
    event.content_type = event_pb2.CONTENT_TYPE_REACTION
    event.discord.emoji = emoji
    return event


async def asked(orchestrator: Orchestrator, execution: FakeExecution, text: str = PAY, **fields: Any) -> str:
    """Have a user want the call; the id of the question."""
    result = await orchestrator.ask(text, **fields)
    assert result.status == COMPLETED
    return str(execution.calls[-1].arguments["message_id"])  # of the reaction that offers an answer


async def approvals(orchestrator: Orchestrator) -> dict[str, int]:
    """Counts of open and closed questions, as the ledger tells them."""
    answer = await orchestrator.http.get("/ledger")
    return {one["name"]: one["count"] for one in answer.json()["holdings"] if one["name"].startswith("approvals ")}


async def test_a_person_is_asked_instead_of_the_call_being_made(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till
) -> None:
    """The question stands in the conversation with the arguments, and with both answers under it; the turn is over."""
    question = await asked(orchestrator, execution)
    assert execution.sent() == [(CHANNEL, QUESTION)]
    marks = [call for call in execution.calls if call.name == "discord_add_reaction"]
    assert [dict(call.arguments) for call in marks] == [
        {"channel_id": CHANNEL, "message_id": question, "emoji": emoji} for emoji in "✅❌"
    ]
    assert till.paid == 0
    assert await approvals(orchestrator) == {"approvals open": 1, "approvals closed": 0}
    await orchestrator.ask("say next")
    assert execution.sent()[-1] == (CHANNEL, "next")


@pytest.mark.parametrize("emoji", ["✅", "👍", "👍🏽", "✅\ufe0f"])
async def test_an_approved_call_is_made(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till, emoji: str
) -> None:
    """With the arguments that were shown; then the model says what came of it."""
    question = await asked(orchestrator, execution)
    result = await orchestrator.process(reaction(emoji, question))
    assert (result.status, result.delivery) == (COMPLETED, orchestrator_pb2.DELIVERY_FALLBACK)
    (call,) = [call for call in execution.calls if call.name == "pay" and call.context.approved]
    assert dict(call.arguments) == {"amount": "10"}
    assert execution.sent()[-1] == (CHANNEL, "`pay` says:\n```\npaid\n```")
    assert await approvals(orchestrator) == {"approvals open": 0, "approvals closed": 1}


@pytest.mark.parametrize("emoji", ["❌", "👎"])
async def test_a_refused_call_is_not_made(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till, emoji: str
) -> None:
    """The model is told, and a later ✅ changes nothing."""
    question = await asked(orchestrator, execution)
    await orchestrator.process(reaction(emoji, question))
    refusal = 'I didn\'t make the call: refusing the call of pay with {"amount": "10"}'
    assert execution.sent()[-1] == (CHANNEL, refusal)
    again = await orchestrator.process(reaction("✅", question))
    assert (again.status, again.delivery) == (COMPLETED, orchestrator_pb2.DELIVERY_NONE)
    assert till.paid == 0


async def test_others_than_the_asker_decide_nothing(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till
) -> None:
    """Without APPROVER_IDS it is a confirmation by the one for whom the call is made."""
    question = await asked(orchestrator, execution)
    await orchestrator.process(reaction("✅", question, user=OTHER))
    await orchestrator.process(reaction("❌", question, user=OTHER))
    assert till.paid == 0
    await orchestrator.process(reaction("✅", question))
    assert till.paid == 1


async def test_approvers_decide_and_the_asker_does_not(tmp_path: Path, execution: FakeExecution, till: Till) -> None:
    """With APPROVER_IDS it is for them, and they are named in the question."""
    async with running(tmp_path, execution.port, approver_ids=("77", OTHER)) as orchestrator:
        question = await asked(orchestrator, execution)
        assert "\n<@43>, <@77>: ✅ allows it" in execution.sent()[0][1]
        await orchestrator.process(reaction("✅", question))
        assert till.paid == 0
        await orchestrator.process(reaction("✅", question, user=OTHER))
        assert till.paid == 1


@pytest.mark.parametrize(("emoji", "elsewhere"), [("🎉", False), ("✅", True), ("name:123", False)])
async def test_a_reaction_that_decides_nothing_gets_no_answer(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till, emoji: str, elsewhere: bool
) -> None:
    """Another emoji, or another message: it is recorded, and the question stays open."""
    question = await asked(orchestrator, execution)
    calls = len(execution.calls)
    result = await orchestrator.process(reaction(emoji, "5" if elsewhere else question))
    assert (result.status, result.delivery) == (COMPLETED, orchestrator_pb2.DELIVERY_NONE)
    assert len(execution.calls) == calls
    assert (await approvals(orchestrator))["approvals open"] == 1


async def test_an_approval_that_comes_too_late_makes_no_call(
    tmp_path: Path, execution: FakeExecution, till: Till
) -> None:
    """It is told so."""
    async with running(tmp_path, execution.port, approval_timeout_seconds=0.001) as orchestrator:
        question = await asked(orchestrator, execution)
        assert "within 0.001 seconds" in execution.sent()[0][1]
        await orchestrator.process(reaction("✅", question))
    assert till.paid == 0
    assert "too late to approve the call of pay" in execution.sent()[-1][1]


async def test_approving_twice_calls_once(orchestrator: Orchestrator, execution: FakeExecution, till: Till) -> None:
    """A second yes, and the first one told again, find it decided."""
    question = await asked(orchestrator, execution)
    yes = reaction("✅", question)
    results = [await orchestrator.process(one) for one in (yes, yes, reaction("👍", question))]
    assert [result.status for result in results] == [COMPLETED, orchestrator_pb2.TURN_STATUS_DUPLICATE, COMPLETED]
    assert till.paid == 1


async def test_each_call_is_asked_about(orchestrator: Orchestrator, execution: FakeExecution, till: Till) -> None:
    """An approval holds for its own call, not for the next one of the same tool."""
    first = await asked(orchestrator, execution)
    await orchestrator.process(reaction("✅", first))
    second = await asked(orchestrator, execution)
    assert second != first
    assert till.paid == 1


async def test_where_nobody_can_be_asked_the_model_is_told(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till
) -> None:
    """An event without a channel can't ask."""
    event = message(PAY)
    event.source = event_pb2.EVENT_SOURCE_API
    event.source_channel_id = event.routing.reply_channel_id = ""
    result = await orchestrator.process(event)
    assert "a person has to approve it, and there is no channel to ask in" in result.response
    assert till.paid == 0


async def test_a_question_that_may_have_been_sent_is_not_sent_under_another_key(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till
) -> None:
    """The turn is tried again; the discord server knows the key, and when it was first used."""

    def lost_once(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse | None:
        if request.name != "discord_send_message":
            return None
        till.trouble = lambda _: None
        lost = failure("the server went away")
        lost.transient = True
        return lost

    till.trouble = lost_once
    await asked(orchestrator, execution)
    first, second = [call for call in execution.calls if call.name == "discord_send_message"]
    assert (first.idempotency_key, first.arguments) == (second.idempotency_key, second.arguments)
    assert (await approvals(orchestrator))["approvals open"] == 1


async def test_an_approved_call_is_not_repeated_when_its_turn_is(
    orchestrator: Orchestrator, execution: FakeExecution, till: Till
) -> None:
    """What comes after it fails; the next attempt goes on from the call's result."""
    question = await asked(orchestrator, execution)

    def undeliverable_once(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse | None:
        if request.name != "discord_send_message":
            return None
        till.trouble = lambda _: None
        raise RuntimeError("no answer")

    till.trouble = undeliverable_once
    result = await orchestrator.process(reaction("✅", question))
    assert result.status == COMPLETED
    assert till.paid == 1
    assert execution.sent()[-1] == (CHANNEL, "`pay` says:\n```\npaid\n```")


async def test_a_question_outlives_a_restart(tmp_path: Path, execution: FakeExecution, till: Till) -> None:
    """It is in the ledger, not in the process."""
    async with running(tmp_path, execution.port) as orchestrator:
        question = await asked(orchestrator, execution)
    async with running(tmp_path, execution.port) as again:
        await again.process(reaction("✅", question))
    assert till.paid == 1


@pytest.mark.parametrize("policy", ["coalesce", "interrupt", "reject"])
async def test_a_decision_is_taken_under_every_turn_policy(
    tmp_path: Path, execution: FakeExecution, till: Till, policy: str
) -> None:
    """It comes while the conversation is busy, and a message comes after it: neither is ended or passed over by the other."""
    gate = asyncio.Event()
    async with running(tmp_path, execution.port, turn_policy=policy) as orchestrator:
        question = await asked(orchestrator, execution)
        answer = execution.answer

        async def held(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
            await gate.wait()
            assert answer is not None
            return await answer(request)

        execution.answer = held
        calls = len(execution.calls)
        busy = asyncio.ensure_future(orchestrator.ask("say busy"))
        await execution.wait_for_calls(calls + 1)
        yes = asyncio.ensure_future(orchestrator.process(reaction("✅", question)))
        await until(lambda: orchestrator.service._lanes.waiting == 1)
        gate.set()
        results = [await busy, await yes]
    assert [result.status for result in results] == [COMPLETED, COMPLETED]
    assert till.paid == 1
    sent = Counter(content for _, content in execution.sent())
    assert sent["busy"] == 1


async def test_old_questions_are_removed_with_their_runs(tmp_path: Path, execution: FakeExecution, till: Till) -> None:
    """RETENTION_DAYS holds for them too."""
    async with running(tmp_path, execution.port) as orchestrator:
        await asked(orchestrator, execution)
    async with running(tmp_path, execution.port, retention_days=1e-9) as again:
        async with asyncio.timeout(DEADLINE):
            while (await approvals(again))["approvals open"]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
