"""`openai:` and `ollama:` models, against local servers that speak their protocols."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from botswain_proto.v1 import orchestrator_pb2
from botswain_services.lifecycle import bind
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from .conftest import CHANNEL, FakeExecution, message, running, until

KEY = "key-that-must-not-leak-0123456789"


@dataclass
class ModelServer:
    """Answers with what the test put into `answers`, in order; keeps the requests."""

    answers: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: Request) -> Response:
        self.requests.append(await request.json())
        self.keys.append(request.headers.get("authorization", ""))
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Response) else self.wrapped(request.url.path, answer)

    def wrapped(self, path: str, answer: dict[str, Any]) -> Response:
        if path == "/api/chat":
            calls = [{"function": {"name": name, "arguments": a}} for name, a in answer.get("calls", [])]
            said = {"role": "assistant", "content": answer.get("text", ""), "tool_calls": calls}
            line = {
                "model": "m",
                "created_at": "2026-11-22T00:00:00Z",
                "message": said,
                "done": True,
                "done_reason": "stop",
            }
            return Response(json.dumps(line) + "\n", media_type="application/x-ndjson")
        calls = [
            {
                "id": f"call_{n}",
                "type": "function",
                "function": {"name": name, "arguments": a if isinstance(a, str) else json.dumps(a)},
            }
            for n, (name, a) in enumerate(answer.get("calls", []))
        ]
        said = {"role": "assistant", "content": answer.get("text"), **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": said, "finish_reason": "tool_calls" if calls else "stop"}
        return JSONResponse({"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]})


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    """A model server for both protocols."""
    one = ModelServer()
    app = FastAPI()
    app.add_api_route("/v1/chat/completions", one.answer, methods=["POST"], response_model=None)
    app.add_api_route("/api/chat", one.answer, methods=["POST"], response_model=None)
    listener = bind("127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    http = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    task = asyncio.create_task(http.serve(sockets=[listener]))
    await until(lambda: http.started)
    yield one
    http.should_exit = True
    await task
    listener.close()


def settings(provider: str, server: ModelServer, **more: Any) -> dict[str, Any]:
    base = f"{server.url}/v1" if provider == "openai" else server.url
    return {"model": f"{provider}:test-model", "model_base_url": base, "model_api_key": KEY, **more}


PROVIDERS = pytest.mark.parametrize("provider", ["openai", "ollama"])


@PROVIDERS
async def test_a_tool_loop_runs(provider: str, server: ModelServer, tmp_path: Path, execution: FakeExecution) -> None:
    """The model gets the tools with their schemas, its call is made, and it reads the result."""
    sends = ("discord_send_message", {"channel_id": CHANNEL, "content": "from the model"})
    server.answers = [{"calls": [sends]}, {"text": ""}]
    async with running(tmp_path, execution.port, **settings(provider, server)) as orchestrator:
        asked = message("hello")
        result = await orchestrator.process(asked)
    assert result.delivery == orchestrator_pb2.DELIVERY_AGENT
    assert execution.sent() == [(CHANNEL, "from the model")]
    first, second = server.requests
    tools = {tool["function"]["name"]: tool["function"] for tool in first["tools"]}
    assert tools["discord_send_message"]["parameters"]["required"] == ["channel_id", "content"]
    assert first["model"] == "test-model"
    assert f"message_id: {asked.source_event_id}" in first["messages"][0]["content"]
    assert first["messages"][-1]["content"] == "Alice: hello"
    assert second["messages"][-1]["role"] == "tool"
    assert "700000000000000001" in second["messages"][-1]["content"]
    assert server.keys == [f"Bearer {KEY}"] * 2


@PROVIDERS
async def test_plain_text_is_delivered(
    provider: str, server: ModelServer, tmp_path: Path, execution: FakeExecution
) -> None:
    """A small model that answers without tools is heard all the same; the next turn has the conversation."""
    server.answers = [{"text": "Plain words."}, {"text": "More."}]
    async with running(tmp_path, execution.port, **settings(provider, server)) as orchestrator:
        assert (await orchestrator.ask("hello")).delivery == orchestrator_pb2.DELIVERY_FALLBACK
        await orchestrator.ask("and?")
    assert [content for _, content in execution.sent()] == ["Plain words.", "More."]
    said = [(one["role"], one["content"]) for one in server.requests[1]["messages"][1:]]
    assert said == [("user", "Alice: hello"), ("assistant", "Plain words."), ("user", "Alice: and?")]


async def test_arguments_that_are_not_json_come_back_as_a_tool_error(
    server: ModelServer, tmp_path: Path, execution: FakeExecution
) -> None:
    """The model reads what was wrong; nothing is called."""
    server.answers = [{"calls": [("discord_send_message", '{"channel_id": ')]}, {"text": "Then in words."}]
    async with running(tmp_path, execution.port, **settings("openai", server)) as orchestrator:
        result = await orchestrator.ask("hello")
    assert result.delivery == orchestrator_pb2.DELIVERY_FALLBACK
    assert "not a JSON object" in server.requests[1]["messages"][-1]["content"]
    assert [content for _, content in execution.sent()] == ["Then in words."]


@PROVIDERS
async def test_endless_tool_calls_end(
    provider: str, server: ModelServer, tmp_path: Path, execution: FakeExecution
) -> None:
    """After MAX_STEPS rounds the model is asked without tools, and its text is the answer."""
    again = {"calls": [("read_file", {"path": "x"})]}
    server.answers = [again, again, {"text": "Enough.", **again}]
    async with running(tmp_path, execution.port, max_steps=2, **settings(provider, server)) as orchestrator:
        result = await orchestrator.ask("hello")
    assert result.response == "Enough."
    assert [call.name for call in result.tool_calls] == ["read_file", "read_file"]
    assert [bool(request.get("tools")) for request in server.requests] == [True, True, False]


@PROVIDERS
async def test_a_refusal_fails_the_turn_and_names_no_key(
    provider: str, server: ModelServer, tmp_path: Path, execution: FakeExecution, logged: list[Any]
) -> None:
    """The server's words are the reason; the key in them is struck out, in the answer and in the log."""
    server.answers = [JSONResponse({"error": {"message": f"bad key {KEY}"}}, status_code=401)]
    async with running(tmp_path, execution.port, turn_attempts=1, **settings(provider, server)) as orchestrator:
        result = await orchestrator.ask("hello")
    assert result.status == orchestrator_pb2.TURN_STATUS_FAILED
    assert "bad key ***" in result.error
    assert [line["reason"] for line in logged if line["event"] == "turn_failed"] == [result.error]
    assert KEY not in str(logged) + result.error


async def test_a_turn_that_takes_too_long_is_ended(
    server: ModelServer, tmp_path: Path, execution: FakeExecution
) -> None:
    """TURN_TIMEOUT_SECONDS bounds it, and the channel goes on."""
    async with running(tmp_path, execution.port, turn_timeout_seconds=0.2) as orchestrator:
        result = await orchestrator.ask("wait 30")
        assert result.status == orchestrator_pb2.TURN_STATUS_FAILED
        assert "TURN_TIMEOUT_SECONDS" in result.error
