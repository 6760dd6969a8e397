"""A turn from `Process` to the tool calls: who delivers, and what is told."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from botswain_orchestrator.ids import run_id
from botswain_proto.v1 import event_pb2, execution_pb2, orchestrator_pb2
from botswain_services.tracing import configure_tracing

from .conftest import BOT, CHANNEL, FakeExecution, Orchestrator, failure, message

pytestmark = pytest.mark.usefixtures("each_engine")

COMPLETED, FAILED = orchestrator_pb2.TURN_STATUS_COMPLETED, orchestrator_pb2.TURN_STATUS_FAILED


async def test_plain_text_is_delivered_by_the_orchestrator(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """The agent called no tool, so its text is sent to the channel, once."""
    result = await orchestrator.ask("hello")
    assert result.status == COMPLETED
    assert result.delivery == orchestrator_pb2.DELIVERY_FALLBACK
    assert execution.sent() == [(CHANNEL, result.response)]
    assert "Hello, Alice!" in result.response


async def test_what_the_agent_sent_is_not_sent_again(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """Delivering tool calls that succeeded stand for themselves."""
    result = await orchestrator.ask("say one, then two")
    assert result.delivery == orchestrator_pb2.DELIVERY_AGENT
    assert [content for _, content in execution.sent()] == ["one", "two"]
    assert [call.name for call in result.tool_calls] == ["discord_send_message"] * 2


async def test_an_edit_uses_the_id_of_the_message_sent(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """The tool loop carries the first call's result into the second."""
    await orchestrator.ask("edit draft to final")
    edit = execution.calls[1]
    assert edit.name == "discord_edit_message"
    assert dict(edit.arguments) == {"channel_id": CHANNEL, "message_id": "700000000000000001", "content": "final"}


async def test_a_reaction_is_answer_enough(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """With nothing said there is nothing to deliver."""
    asked = message("react with 🎉")
    result = await orchestrator.process(asked)
    assert result.delivery == orchestrator_pb2.DELIVERY_NONE
    assert [call.name for call in execution.calls] == ["discord_add_reaction"]
    assert execution.calls[0].arguments["message_id"] == asked.source_event_id


async def test_silence_is_delivered_as_silence(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """No text, no call."""
    result = await orchestrator.ask("say nothing")
    assert (result.status, result.delivery) == (COMPLETED, orchestrator_pb2.DELIVERY_NONE)
    assert execution.calls == []


async def test_after_a_failed_call_the_text_arrives_all_the_same(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """The agent's call fails, the model reads why, and its text is sent by the orchestrator."""

    async def refuse_channel_0(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        return (
            failure("channel 0 is not allowed")
            if request.arguments["channel_id"] == "0"
            else execution.success(request)
        )

    execution.answer = refuse_channel_0
    result = await orchestrator.ask("fail tool")
    assert result.delivery == orchestrator_pb2.DELIVERY_FALLBACK
    assert [call.is_error for call in result.tool_calls] == [True]
    assert execution.sent()[-1] == (CHANNEL, "The tool failed, as you wished: channel 0 is not allowed")


async def test_when_even_the_fallback_fails_it_is_logged(
    orchestrator: Orchestrator, execution: FakeExecution, logged: list[Any]
) -> None:
    """The log has the correlation id and the text's length at level error; the turn says that nothing was delivered."""

    async def refuse(_request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        return failure("Discord says 50001: Missing Access")

    execution.answer = refuse
    asked = message("hello")
    result = await orchestrator.process(asked)
    assert (result.status, result.delivery) == (COMPLETED, orchestrator_pb2.DELIVERY_FAILED)
    line = next(line for line in logged if line["event"] == "answer_not_delivered")
    assert line["log_level"] == "error"
    assert line["correlation_id"] == asked.correlation_id
    assert line["characters"] == len(result.response)
    assert "Missing Access" in line["reason"]


async def test_a_long_answer_is_sent_in_parts(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """In order, each within Discord's limit."""
    await orchestrator.ask("count to 1000")
    parts = [content for _, content in execution.sent()]
    assert len(parts) > 1
    assert max(map(len, parts)) <= 2000
    assert "\n".join(parts).split("\n") == [str(number) for number in range(1, 1001)]


async def test_calls_carry_who_and_why_and_a_key_of_their_own(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """The context names bot, event, run and channels; keys are the run id and the step."""
    asked = message("say one, then two")
    result = await orchestrator.process(asked)
    context = execution.calls[0].context
    assert (context.bot_id, context.correlation_id, context.event_id) == (BOT, asked.correlation_id, asked.event_id)
    assert (context.run_id, list(context.channel_ids)) == (result.run_id, [CHANNEL])
    assert result.run_id == run_id(BOT, asked.event_id)
    assert [call.idempotency_key for call in execution.calls] == [f"{result.run_id}1", f"{result.run_id}2"]


async def test_the_trace_of_the_event_reaches_the_tools(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """The trace id that discord-service gave is the one execution-service sees."""
    configure_tracing("orchestrator-service")
    trace = "0af7651916cd43dd8448eb211c80319c"
    await orchestrator.ask("hello", traceparent=f"00-{trace}-b7ad6b7169203331-01")
    assert [parent.split("-")[1] for parent in execution.traceparents] == [trace]


async def test_the_same_event_is_answered_once(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """The second time it comes back as a duplicate, with the first result."""
    asked = message("hello")
    first = await orchestrator.process(asked)
    second = await orchestrator.process(asked)
    assert second.status == orchestrator_pb2.TURN_STATUS_DUPLICATE
    assert (second.response, second.run_id) == (first.response, first.run_id)
    assert len(execution.sent()) == 1


async def test_a_duplicate_waits_for_the_turn_under_way(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """Asked again while the first turn runs, the answer comes from that turn."""
    gate = asyncio.Event()

    async def hold(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        await gate.wait()
        return execution.success(request)

    execution.answer = hold
    asked = message("hello")
    first = asyncio.ensure_future(orchestrator.process(asked))
    await execution.wait_for_calls(1)
    second = asyncio.ensure_future(orchestrator.process(asked))
    gate.set()
    assert (await first).status == COMPLETED
    assert (await second).status == orchestrator_pb2.TURN_STATUS_DUPLICATE
    assert len(execution.sent()) == 1


async def test_order_holds_in_a_channel_and_channels_do_not_wait(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """A stuck turn holds up its own channel's next message and no other channel."""
    gate = asyncio.Event()

    async def hold(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        if request.arguments["content"] == "stuck":
            await gate.wait()
        return execution.success(request)

    execution.answer = hold
    stuck = asyncio.ensure_future(orchestrator.ask("say stuck", channel="1"))
    await execution.wait_for_calls(1)
    behind = asyncio.ensure_future(orchestrator.ask("say behind", channel="1"))
    assert (await orchestrator.ask("say beside", channel="2")).status == COMPLETED
    assert not behind.done()
    gate.set()
    await asyncio.gather(stuck, behind)
    assert [content for _, content in execution.sent()] == ["stuck", "beside", "behind"]


async def test_a_failed_turn_says_why_and_its_lane_goes_on(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """The model breaks; the next message of the channel is answered, and the broken turn is not remembered."""
    failed = await orchestrator.ask("fail turn")
    assert failed.status == FAILED
    assert "told to fail" in failed.error
    again = await orchestrator.ask("what did I say?")
    assert again.status == COMPLETED
    assert again.response == "I don't remember anything from you yet."


async def test_an_invalid_event_is_refused_by_name(orchestrator: Orchestrator) -> None:
    """INVALID_ARGUMENT, with the field."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await orchestrator.process(event_pb2.InternalEvent(source=event_pb2.EVENT_SOURCE_DISCORD))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "event: event_id is empty"


async def test_without_a_token_nothing_is_answered(orchestrator: Orchestrator) -> None:
    """UNAUTHENTICATED."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await orchestrator.stub.Process(orchestrator_pb2.ProcessRequest(event=message("hello")), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_what_a_tool_was_not_asked_for_is_a_tool_error(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """A tool that doesn't exist is answered with the names of those that do, without a call."""
    result = await orchestrator.ask("call launch_rocket {}")
    assert [call.is_error for call in result.tool_calls] == [True]
    assert "There is no tool 'launch_rocket'. Tools: discord_add_reaction," in result.response
    assert [call.name for call in execution.calls] == ["discord_send_message"]


async def test_the_schemas_complaint_reaches_the_model(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """Whether it comes as a tool error or as INVALID_ARGUMENT is the same to the model."""

    async def complain(request: execution_pb2.CallToolRequest) -> execution_pb2.CallToolResponse:
        return failure("path: 5 is not of type 'string'") if request.name == "read_file" else execution.success(request)

    execution.answer = complain
    result = await orchestrator.ask('call read_file {"path": 5}')
    assert "path: 5 is not of type 'string'" in result.response
    assert execution.calls[0].arguments["path"] == 5
