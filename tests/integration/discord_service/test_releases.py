"""Letting go of a claim where the call that holds it doesn't see that through: another orchestrator, or the next one, is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from botswain_discord.claims import ClaimClient, ShardSet
from botswain_services.rpc import connect
from structlog.testing import capture_logs

from . import claiming
from .claiming import Coordination
from .conftest import DEADLINE, PublishOrchestrator, tokens, until

SHARDS = ShardSet((0,), 1)


@pytest.fixture
def coordination(monkeypatch: pytest.MonkeyPatch) -> Coordination:
    """Claims that don't end by themselves within a test, whether or not their call is seen to break."""
    monkeypatch.setattr(claiming, "RECONNECT_WINDOW", 600.0)
    return Coordination(ttl=600.0)


@pytest.fixture
async def replicas(coordination: Coordination) -> AsyncIterator[list[PublishOrchestrator]]:
    """Two that run, with their claims in common."""
    both = [PublishOrchestrator(coordination) for _ in range(2)]
    for each in both:
        await each.start()
    yield both
    for each in both:
        await each.stop()


class Pauses:
    """A clock that stands still: what sleeps does so for ever, once `over` is set not at all."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.over = False

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        if self.over:
            await asyncio.sleep(0)
        else:
            await asyncio.Event().wait()


class Wire:
    """Carries connections to a port, until it is cut off in silence: then it takes them and carries nothing."""

    def __init__(self, port: int) -> None:
        self.still = False
        self._to = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        for source, sink in ((reader, back), (there, writer)):
            self._tasks.add(asyncio.create_task(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.closing(sink), contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if not self.still:
                    sink.write(data)


@contextlib.asynccontextmanager
async def claiming_from(*ports: int, pauses: Pauses) -> AsyncIterator[ClaimClient]:
    """A process that holds its shards."""
    url = "grpc://" + ",".join(f"127.0.0.1:{port}" for port in ports)
    peer = connect(url, tokens(), variable="TEST")
    client = ClaimClient(peer, "1", sleep=pauses.sleep)
    try:
        client.start(SHARDS)
        async with asyncio.timeout(DEADLINE):
            await client.granted()
        yield client
    finally:
        await peer.close()


async def test_a_release_between_two_calls_reaches_the_orchestrator_that_comes_back(
    replicas: list[PublishOrchestrator], coordination: Coordination
) -> None:
    """The only one is away when the process ends: its claim isn't left to expire."""
    (only, _), pauses = replicas, Pauses()
    async with claiming_from(only.port, pauses=pauses) as client:
        await only.stop()
        await until(lambda: len(pauses.asked) == 2, "the pause after the break")  # the first is the renewals'
        pauses.over = True
        releasing = asyncio.create_task(client.release(DEADLINE))
        await until(lambda: len(pauses.asked) > 3, "attempts in vain")
        assert coordination.line
        await only.start()
        await releasing
    assert not coordination.line


async def test_a_release_goes_by_another_orchestrator_when_one_stands_still(
    replicas: list[PublishOrchestrator], coordination: Coordination
) -> None:
    """The open call is at one that takes connections and answers nothing."""
    first, second = replicas
    await second.stop()
    async with Wire(first.port) as wire, claiming_from(wire.port, second.port, pauses=Pauses()) as client:
        await second.start()
        wire.still = True
        await client.release(DEADLINE)
        assert not coordination.line


async def test_a_release_that_nobody_takes_is_given_up_once(
    replicas: list[PublishOrchestrator], coordination: Coordination
) -> None:
    """It says so; a second one, as a process makes at its end, doesn't wait again."""
    (only, _), pauses = replicas, Pauses()
    async with claiming_from(only.port, pauses=pauses) as client:
        await only.stop()
        await until(lambda: len(pauses.asked) == 2, "the pause after the break")
        with capture_logs() as logs:
            await client.release(0.1)
            await client.release(DEADLINE)
    assert [line["event"] for line in logs].count("claim_not_released") == 1
    assert coordination.line


async def test_who_was_never_in_line_ends_at_once() -> None:
    """No orchestrator was ever there: nothing is to be let go of."""
    pauses = Pauses()
    peer = connect("grpc://127.0.0.1:9", tokens(), variable="TEST")
    client = ClaimClient(peer, "1", sleep=pauses.sleep)
    client.start(SHARDS)
    await until(lambda: pauses.asked, "the first failure")
    with capture_logs() as logs:
        await client.release(DEADLINE)
    await peer.close()
    assert not logs
