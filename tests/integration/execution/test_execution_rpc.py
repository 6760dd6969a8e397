"""ExecutionService over gRPC and HTTP, as the orchestrator and people use it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from botswain_proto.v1 import execution_pb2
from google.protobuf.duration_pb2 import Duration
from structlog.testing import capture_logs

Start = Callable[..., Awaitable[Any]]
Entry = Callable[..., dict[str, Any]]
Until = Callable[[Callable[[], Any], str], Awaitable[None]]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def text(response: execution_pb2.CallToolResponse) -> str:
    return "".join(content.text for content in response.content)


async def test_tools_are_listed_with_schema_server_and_delivers(start_service: Start, quirky: Entry) -> None:
    """ListTools tells each tool's server, schema and whether it delivers, and how each server does."""
    running = await start_service(quirky=quirky(deliveringTools=["shout"]), broken={"command": "no-such-command"})
    await running.available("quirky")
    listed = await running.tools()
    tools = {tool.name: tool for tool in listed.tools}
    assert tools["echo"].server == "quirky"
    assert list(tools["echo"].input_schema["required"]) == ["text"]
    assert [name for name, tool in tools.items() if tool.delivers] == ["shout"]
    assert tools["echo"].annotations == execution_pb2.ToolAnnotations(destructive=True, open_world=True)
    states = {server.name: server for server in listed.servers}
    assert states["quirky"].available
    assert "was not found on the PATH" in states["broken"].reason


async def test_no_list_is_given_without_a_required_servers_tools(
    start_service: Start, quirky: Entry, tmp_path: Path
) -> None:
    """An agent that knows the half of its tools answers wrongly; so the list is UNAVAILABLE until the server has come up."""
    countdown = tmp_path / "starts that fail"
    countdown.write_text("1000")
    failing = quirky(env={"FAIL_STARTS": str(countdown)}, required=True)
    running = await start_service(late=failing, other=quirky())
    await running.available("other")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await running.tools()
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "required servers have not told their tools yet: late (" in (error.value.details() or "")
    countdown.write_text("0")
    await running.available("late")
    assert {tool.server for tool in (await running.tools()).tools} == {"late", "other"}


async def test_call_gives_content_duration_and_server(start_service: Start, quirky: Entry) -> None:
    """A call answers with the tool's content, which server it was and how long it took."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    response = await running.call("echo", {"text": "hello"})
    assert (text(response), response.is_error, response.server) == ("hello", False, "quirky")
    assert response.duration.ToMicroseconds() > 0


async def test_trace_key_and_correlation_id_reach_the_server(start_service: Start, quirky: Entry) -> None:
    """`_meta` carries the caller's trace, the idempotency key and the correlation id; the arguments carry none of them."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    response = await running.call(
        "meta",
        idempotency_key="run1step2",
        context=execution_pb2.CallContext(correlation_id="corr-1"),
        metadata=running.peer.metadata(traceparent=TRACE),
    )
    meta = json.loads(text(response))
    assert meta["botswain.dev/idempotency-key"] == "run1step2"
    assert meta["botswain.dev/correlation-id"] == "corr-1"
    assert meta["traceparent"].split("-")[1] == TRACE.split("-")[1]


async def test_tool_errors_are_results_and_show_no_secret(start_service: Start, quirky: Entry) -> None:
    """What a tool reports as wrong reaches the agent as an error result, with the server's secrets masked."""
    running = await start_service(quirky=quirky(env={"API_TOKEN": "tok-123456"}))
    await running.available("quirky")
    response = await running.call("fail")
    assert response.is_error
    assert text(response) == "it failed with [redacted]"


async def test_crash_is_an_error_result(start_service: Start, quirky: Entry) -> None:
    """A server that dies during a call gives an error result that says so and that it may pass, and the next call works."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    response = await running.call("crash")
    assert response.is_error
    assert "it exited with code 3" in text(response)
    assert response.transient
    assert text(await running.call("echo", {"text": "back"})) == "back"


async def test_wrong_arguments_get_the_schemas_complaint(start_service: Start, quirky: Entry) -> None:
    """The complaint names path and reason, and the server is not asked."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    response = await running.call("echo", {"text": 5, "count": "many"})
    assert response.is_error
    assert "arguments.count: 'many' is not of type 'integer'" in text(response)
    assert "arguments.text: 5 is not of type 'string'" in text(response)


async def test_channels_outside_the_context_are_refused(start_service: Start, quirky: Entry) -> None:
    """A tool with a channel argument may touch the context's channels alone."""
    running = await start_service(quirky=quirky(channelScope={}))
    await running.available("quirky")
    context = execution_pb2.CallContext(channel_ids=["1", "2"])
    allowed = await running.call("shout", {"text": "hi", "channel_id": "2"}, context=context)
    assert (text(allowed), allowed.is_error) == ("hi", False)
    with capture_logs() as logs:
        refused = await running.call("shout", {"text": "hi", "channel_id": "3"}, context=context)
    assert refused.is_error
    assert "'3' is not a channel of the event it answers. Allowed: 1, 2." in text(refused)
    assert [line["event"] for line in logs] == ["tool_refused"]


async def test_tools_that_are_not_allowed_are_neither_listed_nor_called(start_service: Start, quirky: Entry) -> None:
    """`allowedTools` holds for ListTools and CallTool."""
    running = await start_service(quirky=quirky(allowedTools=["echo"]))
    await running.available("quirky")
    assert [tool.name for tool in (await running.tools()).tools] == ["echo"]
    response = await running.call("env")
    assert response.is_error
    assert "may not be used" in text(response)


async def test_deadline_of_the_request_bounds_the_call(start_service: Start, quirky: Entry) -> None:
    """The request's own deadline is shorter than the server's setting, and ends the call as an error result."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    response = await running.call("slow", {"text": "30"}, deadline=Duration(nanos=200_000_000))
    assert response.is_error
    assert "did not answer within 0.2 s" in text(response)


async def test_callers_deadline_leaves_time_for_the_answer(start_service: Start, quirky: Entry) -> None:
    """A caller with a short deadline of its own gets the reason, not DEADLINE_EXCEEDED."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    await running.call("echo", {"text": "warm"})
    response = await running.call("slow", {"text": "30"}, timeout=1.0)
    assert "did not answer within" in text(response)


@pytest.mark.parametrize(
    ("name", "more", "code", "words"),
    [
        ("ecko", {}, grpc.StatusCode.NOT_FOUND, "no server offers a tool named 'ecko'. Did you mean echo?"),
        ("", {}, grpc.StatusCode.INVALID_ARGUMENT, "name is empty"),
        ("echo", {"idempotency_key": "k" * 26}, grpc.StatusCode.INVALID_ARGUMENT, "26 characters, more than 25"),
    ],
)
async def test_calls_that_cannot_be_made_get_a_status(
    start_service: Start, quirky: Entry, name: str, more: dict[str, Any], code: grpc.StatusCode, words: str
) -> None:
    """Unknown tools and malformed requests are gRPC errors that say what was wrong."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await running.call(name, {"text": "x"}, **more)
    assert error.value.code() is code
    assert words in (error.value.details() or "")


async def test_a_tool_of_a_server_that_has_not_told_its_tools_yet_may_be_asked_for_again(
    start_service: Start, quirky: Entry
) -> None:
    """Right after the start an unknown tool is UNAVAILABLE: it may be one of those still to come."""
    running = await start_service(quirky=quirky(env={"START_DELAY": "30"}))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await running.call("echo", {"text": "x"})
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "Not available now: quirky (it is starting)" in (error.value.details() or "")


async def test_server_that_is_down_is_unavailable_with_its_reason(
    start_service: Start, quirky: Entry, until: Until
) -> None:
    """A tool whose server keeps failing answers UNAVAILABLE, and the reason is the server's."""
    running = await start_service(quirky=quirky())
    await running.available("quirky")
    pool = running.service.runtime._pools["quirky"]
    pool._backoff.failures = 10  # as after many crashes, without their time
    await running.call("crash")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await running.call("echo", {"text": "x"})
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "'quirky' is not available" in (error.value.details() or "")


@pytest.mark.parametrize("token", [None, "Bearer nonsense"])
async def test_calls_without_a_valid_token_are_refused(start_service: Start, quirky: Entry, token: str | None) -> None:
    """Both methods ask for a JWT meant for this service."""
    running = await start_service(quirky=quirky())
    metadata = (("authorization", token),) if token else (("x-nothing", "1"),)
    for method, request in (
        (running.stub.ListTools, execution_pb2.ListToolsRequest()),
        (running.stub.CallTool, execution_pb2.CallToolRequest(name="echo")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await method(request, metadata=metadata, timeout=5)
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_ready_waits_for_required_servers_and_says_which(
    start_service: Start, quirky: Entry, until: Until
) -> None:
    """`/ready` is 503 with the reason while a required server isn't up; others don't hold it up."""
    running = await start_service(
        needed={"command": "no-such-command", "required": True}, other={"command": "no-such-command-either"}
    )
    await until(lambda: "PATH" in running.service.runtime.states()[0].reason, "the reason is known")
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{running.url}/ready")
        assert answer.status_code == 503
        assert list(answer.json()["reasons"]) == ["mcp server needed"]
        assert "no-such-command" in answer.json()["servers"]["other"]
        assert (await client.get(f"{running.url}/health")).status_code == 200
    ready = await start_service(quirky=quirky(required=True), other={"command": "no-such-command"})
    await ready.available("quirky")
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{ready.url}/ready")).status_code == 200


async def test_tools_page_and_metrics_show_servers_and_calls(start_service: Start, quirky: Entry) -> None:
    """`GET /tools` lists tools and servers for people; `/metrics` counts calls by outcome."""
    running = await start_service(quirky=quirky(allowedTools=["echo"]))
    await running.available("quirky")
    await running.call("echo", {"text": "x"})
    async with httpx.AsyncClient() as client:
        listed = (await client.get(f"{running.url}/tools")).json()
        metrics = (await client.get(f"{running.url}/metrics")).text
    assert [(tool["name"], tool["server"]) for tool in listed["tools"]] == [("echo", "quirky")]
    assert listed["servers"][0]["replicas"] == {"ready": 1, "wanted": 1}
    assert 'botswain_tool_calls_total{outcome="ok",server="quirky",tool="echo"}' in metrics
    assert 'botswain_mcp_server_ready_replicas{server="quirky"} 1.0' in metrics


async def test_a_call_that_needs_approval_waits_for_it(start_service: Start, quirky: Entry) -> None:
    """Without approval the answer says that approval would do, and no call is made; with it the call is."""
    running = await start_service(quirky=quirky(approvalTools=["echo"]))
    await running.available("quirky")
    refused = await running.call("echo", {"text": "hello"})
    assert (refused.is_error, refused.approval_required) == (True, True)
    assert text(refused) == "echo was not called: a person has to approve it first."
    made = await running.call("echo", {"text": "hello"}, context=execution_pb2.CallContext(approved=True))
    assert (made.is_error, made.approval_required, text(made)) == (False, False, "hello")
