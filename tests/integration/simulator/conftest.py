"""A running simulator, a person's hand on its control API, and a bare gateway client."""

import asyncio
import os
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import zstandard
from botswain_simulator import Simulator
from botswain_simulator.world.defaults import GUILD_ID

DEADLINE_S = 20.0
GUILD_INTENTS = 1 << 0 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 15
BOTS = Path(__file__).parent / "bots"


class Inflater:
    """Undoes one connection's compression."""

    def __init__(self, compress: str | None) -> None:
        self._decode: Callable[[bytes], bytes] = bytes
        if compress == "zlib-stream":
            self._decode = zlib.decompressobj().decompress
        elif compress == "zstd-stream":
            self._decode = zstandard.ZstdDecompressor().decompressobj().decompress

    def __call__(self, message: aiohttp.WSMessage) -> Any:
        if message.type == aiohttp.WSMsgType.TEXT:
            return orjson.loads(message.data)
        return orjson.loads(self._decode(message.data))


class Gateway:
    """A gateway connection of a client that does only what it is told to."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, compress: str | None) -> None:
        self.socket = socket
        self._inflate = Inflater(compress)
        self.session_id = ""
        self.seq: int | None = None

    async def frame(self) -> dict[str, Any]:
        """The next frame; fails when the connection closes instead."""
        message = await asyncio.wait_for(self.socket.receive(), DEADLINE_S)
        assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, (message, self.socket.close_code)
        frame: dict[str, Any] = self._inflate(message)
        self.seq = frame["s"] or self.seq
        return frame

    async def until(self, name: str | int) -> dict[str, Any]:
        """The next dispatch of a name, or frame of an opcode."""
        while True:
            frame = await self.frame()
            if name in {frame["t"], frame["op"]} and not (isinstance(name, int) and frame["op"] != name):
                return frame

    async def send(self, op: int, data: Any) -> None:
        await self.socket.send_str(orjson.dumps({"op": op, "d": data}).decode())

    async def identify(
        self, token: str, *, intents: Any = GUILD_INTENTS, shard: Any = None, **more: Any
    ) -> dict[str, Any]:
        """Identify and return READY's data."""
        await self.try_identify(token, intents=intents, shard=shard, **more)
        ready = (await self.until("READY"))["d"]
        self.session_id = ready["session_id"]
        return dict(ready)

    async def try_identify(self, token: str, *, intents: Any = GUILD_INTENTS, shard: Any = None, **more: Any) -> None:
        data = {
            "token": token,
            "intents": intents,
            "properties": {"os": "linux", "browser": "t", "device": "t"},
            **more,
        }
        if shard is not None:
            data["shard"] = shard
        await self.send(2, data)

    async def resume(self, token: str, session_id: str, seq: Any) -> None:
        await self.send(6, {"token": token, "session_id": session_id, "seq": seq})

    async def close_code(self) -> int | None:
        """Read on until the other side closes."""
        while True:
            message = await asyncio.wait_for(self.socket.receive(), DEADLINE_S)
            if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                return self.socket.close_code

    async def close(self, code: int = 1000) -> None:
        await self.socket.close(code=code)


class Person:
    """Ada, with the control API in hand."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession) -> None:
        self.sim, self.http = sim, http
        self.general = next(c.id for c in sim.world.channels.values() if c.name == "general")

    async def call(self, method: str, path: str, body: Any = None, status: int | None = 200, **more: Any) -> Any:
        async with self.http.request(method, self.sim.url + path, json=body, **more) as response:
            text = await response.text()
            assert status is None or response.status == status, (response.status, text)
            return orjson.loads(text) if text else None

    async def say(self, content: str, channel: str | None = None, **more: Any) -> dict[str, Any]:
        message: dict[str, Any] = await self.call(
            "POST", f"/sim/channels/{channel or self.general}/messages", {"content": content, **more}
        )
        return message

    async def read(self, channel: str | None = None) -> list[dict[str, Any]]:
        """A channel, oldest first."""
        found: list[dict[str, Any]] = await self.call(
            "GET", f"/sim/channels/{channel or self.general}/messages?limit=1000"
        )
        return found[::-1]


class Bot:
    """A bot's REST calls, with nothing in between."""

    def __init__(self, sim: Simulator, http: aiohttp.ClientSession) -> None:
        self.sim, self.http = sim, http
        self.token = sim.token

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any, Any]:
        """(status, JSON, headers)."""
        headers = {"Authorization": f"Bot {self.token}"} | more.pop("headers", {})
        if body is not None:
            more["json"] = body
        async with self.http.request(method, self.sim.api_url + path, headers=headers, **more) as response:
            raw = await response.read()
            return response.status, orjson.loads(raw) if raw else None, response.headers

    async def do(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The JSON of a call that must succeed."""
        status, data, _ = await self.call(method, path, body, **more)
        assert status < 300, (status, data)
        return data


StartSimulator = Callable[..., Any]
Connect = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[StartSimulator]:
    """Start simulators with settings of the test's own."""
    async with AsyncExitStack() as stack:

        async def begin(**settings: Any) -> Simulator:
            defaults = {"port": 0, "rate_limits": "off", "identify_interval": 0.0}
            return await stack.enter_async_context(Simulator(**{**defaults, **settings}))

        yield begin


@pytest.fixture
async def sim(start: StartSimulator) -> Simulator:
    simulator: Simulator = await start()
    return simulator


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def connect(http: aiohttp.ClientSession) -> AsyncIterator[Connect]:
    """Open gateway connections; HELLO has been read."""
    async with AsyncExitStack() as stack:

        async def begin(sim: Simulator, compress: str | None = None, query: str = "v=10&encoding=json") -> Gateway:
            address = f"{sim.gateway_url}/?{query}" + (f"&compress={compress}" if compress else "")
            socket = await stack.enter_async_context(http.ws_connect(address, max_msg_size=0))
            gateway = Gateway(socket, compress)
            assert (await gateway.frame())["op"] == 10
            return gateway

        yield begin


@pytest.fixture
def person(sim: Simulator, http: aiohttp.ClientSession) -> Person:
    return Person(sim, http)


@pytest.fixture
def bot(sim: Simulator, http: aiohttp.ClientSession) -> Bot:
    return Bot(sim, http)


@pytest.fixture
def guild_id() -> str:
    return GUILD_ID


class Program:
    """A subprocess whose lines are waited for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            async with self._news:
                self.lines.append(raw.decode().rstrip())
                self._news.notify_all()
        async with self._news:
            self.lines.append("(ended)")
            self._news.notify_all()

    async def line(self, start: str) -> str:
        """Wait for a line with this start; fails with all that was said when the program ends without it."""
        async with asyncio.timeout(DEADLINE_S * 2), self._news:
            while True:
                for line in self.lines:
                    if line.startswith(start):
                        return line
                assert "(ended)" not in self.lines, self.lines
                await self._news.wait()

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        await asyncio.wait_for(self.process.wait(), DEADLINE_S)
        await self._reader


RunProgram = Callable[..., Any]


@pytest.fixture
async def run() -> AsyncIterator[RunProgram]:
    """Start Python programs; what still runs is ended after the test."""
    programs: list[Program] = []

    async def begin(*arguments: str, **environment: str) -> Program:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-u",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        programs.append(Program(process))
        return programs[-1]

    yield begin
    for program in programs:
        await program.end()
