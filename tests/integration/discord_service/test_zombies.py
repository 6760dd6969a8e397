"""A connection that still looks open, and whose other end is gone: Discord no longer acknowledges heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from botswain_simulator import Simulator
from structlog.testing import capture_logs

from .conftest import Adapter, Discord, PublishOrchestrator, until

RunAdapter = Callable[..., Adapter]


@pytest.fixture
async def discord() -> AsyncIterator[Discord]:
    """A Discord that asks for a heartbeat every two seconds."""
    async with Simulator(
        port=0, identify_interval=0.0, max_concurrency=16, rate_limits="off", heartbeat_interval=2.0
    ) as simulator:
        yield Discord(simulator)


async def test_a_connection_whose_heartbeats_are_not_acknowledged_is_replaced(
    run_adapter: RunAdapter, discord: Discord, ledger: PublishOrchestrator
) -> None:
    """It is closed with a code that keeps the session, though messages still come on it, and resumed."""
    adapter = run_adapter(ledger.url)
    await adapter.connected()
    discord.say("before")
    with capture_logs() as logs:
        await discord.fault(kind="mute")
        until_resumed = 0

        def resumed() -> bool:
            nonlocal until_resumed
            if not discord.counts["resumes"]:
                until_resumed += 1
                discord.say(f"meanwhile {until_resumed}")
            return discord.counts["resumes"] == 1

        await until(resumed, "the RESUME")
    discord.simulator.faults.clear()
    discord.say("after")
    expected = ["before", *(f"meanwhile {number}" for number in range(1, until_resumed + 1)), "after"]
    await until(lambda: len(ledger.events) == len(expected), "every message")
    assert [event.content for event in ledger.events] == expected
    assert discord.simulator.stats.client_closes == {4000: 1}
    assert discord.counts["identifies"] == 1
    reasons = [line["reason"] for line in logs if line["event"] == "shard_disconnected"]
    assert reasons == ["a heartbeat was not acknowledged"]


async def test_a_connection_that_is_not_read_is_no_zombie(
    run_adapter: RunAdapter, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """While the outbox is full acknowledgements aren't read either; heartbeats go on and the connection stays."""
    orchestrator.answering = False
    adapter = run_adapter(orchestrator.url, OUTBOX_LIMIT="5", OUTBOX_FILE_LIMIT="0")
    await adapter.connected()
    for number in range(50):
        discord.say(str(number))
    await until(lambda: adapter.service.bot.shards[0].paused, "the pause")
    beats = discord.counts["heartbeats"]
    await until(lambda: discord.counts["heartbeats"] >= beats + 2, "two heartbeats")
    orchestrator.answering = True
    await orchestrator.stop()
    await orchestrator.start()
    await until(lambda: len(orchestrator.events) == 50, "every message")
    beats = discord.counts["heartbeats"]
    await until(lambda: discord.counts["heartbeats"] >= beats + 2, "two more")
    assert discord.counts["connections"] == 1


class Relay:
    """Passes TCP connections on; what is frozen stays open and passes nothing on any more."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._passing: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """Strike all connections there are; later ones work."""
        for task in self._passing:
            task.cancel()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.freeze()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._passing.add(asyncio.create_task(self._pass_on(source, sink)))

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
        sink.close()


async def test_a_connection_into_the_void_is_given_up(
    run_adapter: RunAdapter, discord: Discord, ledger: PublishOrchestrator
) -> None:
    """Nothing comes and nothing goes, not even an end: the session goes on over another connection."""
    relay = Relay(discord.simulator.port)
    await relay.start()
    adapter = run_adapter(ledger.url, DISCORD_API_URL=f"http://127.0.0.1:{relay.port}/api/v10")
    await adapter.connected()
    discord.say("before")
    await until(lambda: ledger.events, "the first message")
    relay.freeze()
    discord.say("meanwhile")
    await until(lambda: discord.counts["resumes"] == 1, "the RESUME")
    discord.say("after")
    await until(lambda: [event.content for event in ledger.events] == ["before", "meanwhile", "after"], "the messages")
    assert discord.counts["identifies"] == 1
    await adapter.stop()
    await relay.stop()
