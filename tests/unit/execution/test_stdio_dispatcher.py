"""JSON-RPC over lines: matching, noise, batches, deadlines and the server's own requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from botswain_execution.dispatcher import ConnectionLostError, DeadlineError, StdioDispatcher
from mcp.shared.exceptions import MCPError


class Line:
    """A dispatcher that runs, what it wrote, and what it took for noise."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.noise: list[bytes] = []
        self.notified: list[str] = []
        self.dispatcher = StdioDispatcher(
            lambda line: self.written.append(json.loads(line)), on_noise=self.noise.append
        )

    async def on_request(self, _context: Any, method: str, _params: Mapping[str, Any] | None) -> dict[str, Any]:
        if method != "ping":
            raise MCPError(-32601, "not here")
        return {}

    async def on_notify(self, _context: Any, method: str, _params: Mapping[str, Any] | None) -> None:
        self.notified.append(method)

    def feed(self, message: Any) -> None:
        self.dispatcher.feed(json.dumps(message).encode())

    async def ask(self, method: str = "m", **options: Any) -> asyncio.Task[dict[str, Any]]:
        task = asyncio.create_task(self.dispatcher.send_raw_request(method, {"a": 1}, options))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        return task


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    running = asyncio.create_task(made.dispatcher.run(made.on_request, made.on_notify))
    await asyncio.sleep(0)
    yield made
    made.dispatcher.close("the test is over")
    await running


async def test_answers_find_their_requests_in_any_order(line: Line) -> None:
    """Ids match answers to requests, also when a server answers with the id as a string, or in a batch."""
    first, second, third = [await line.ask() for _ in range(3)]
    assert [message["id"] for message in line.written] == [1, 2, 3]
    line.feed({"jsonrpc": "2.0", "id": 3, "result": {"n": 3}})
    line.feed([{"jsonrpc": "2.0", "id": "2", "result": {"n": 2}}, {"jsonrpc": "2.0", "id": 1, "result": {"n": 1}}])
    assert [await first, await second, await third] == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize(
    "noise", [b"hello", b"[1, 2]", b"42", b'{"level": "info"}', b'{"jsonrpc": "1.0", "id": 1}', b"\xff\xfe"]
)
async def test_noise_is_told_and_does_no_harm(line: Line, noise: bytes) -> None:
    """Lines that aren't JSON-RPC 2.0 are handed to `on_noise`, and calls go on."""
    task = await line.ask()
    line.dispatcher.feed(noise)
    line.dispatcher.feed(b"   ")
    line.feed({"jsonrpc": "2.0", "id": 1, "result": {}})
    assert await task == {}
    assert line.noise
    assert set(line.noise) == {noise}


async def test_error_answers_are_raised(line: Line) -> None:
    """The server's code and message reach the caller, also when it forgot one of them."""
    task = await line.ask()
    line.feed({"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "wrong"}})
    with pytest.raises(MCPError, match="wrong") as error:
        await task
    assert error.value.code == -32602
    task = await line.ask()
    line.feed({"jsonrpc": "2.0", "id": 2, "error": {}})
    with pytest.raises(MCPError, match="the server gave no reason"):
        await task


async def test_missed_deadline_cancels_the_request(line: Line) -> None:
    """The caller gets the deadline's error, the server is told, and a late answer is dropped."""
    task = await line.ask(timeout=0.01)
    with pytest.raises(DeadlineError, match=r"m: no answer within 0\.01 s"):
        await task
    assert line.written[-1]["method"] == "notifications/cancelled"
    assert line.written[-1]["params"]["requestId"] == 1
    line.feed({"jsonrpc": "2.0", "id": 1, "result": {}})


async def test_cancelled_caller_cancels_the_request_where_that_is_allowed(line: Line) -> None:
    """`notifications/cancelled` follows a cancelled caller, but never for a request that may not be cancelled."""
    for options, told in (({}, True), ({"cancel_on_abandon": False}, False)):
        task = await line.ask(**options)
        line.written.clear()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert bool(line.written) is told


async def test_close_fails_everyone_with_the_reason(line: Line) -> None:
    """Who waits and who asks later both learn why the server is gone."""
    task = await line.ask()
    line.dispatcher.close("it exited with code 3")
    with pytest.raises(ConnectionLostError, match="it exited with code 3"):
        await task
    with pytest.raises(ConnectionLostError, match="it exited with code 3"):
        await line.dispatcher.send_raw_request("m", None)


async def test_requests_of_the_server_are_answered(line: Line) -> None:
    """The server's `ping` gets its result, an unknown request its error, and notifications are handed on."""
    line.feed({"jsonrpc": "2.0", "id": "p1", "method": "ping"})
    line.feed({"jsonrpc": "2.0", "id": "p2", "method": "sampling/createMessage", "params": {}})
    line.feed({"jsonrpc": "2.0", "method": "notifications/message"})
    async with asyncio.timeout(5):
        while len(line.written) < 2 or not line.notified:  # noqa: ASYNC110 - handlers run in tasks of their own
            await asyncio.sleep(0)
    assert line.written == [
        {"jsonrpc": "2.0", "id": "p1", "result": {}},
        {"jsonrpc": "2.0", "id": "p2", "error": {"code": -32601, "message": "not here"}},
    ]
    assert line.notified == ["notifications/message"]
