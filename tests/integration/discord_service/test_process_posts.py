"""Events are posted to /process: in order within a conversation, tried again where that helps, never lost in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from botswain_discord.gateway_client import GatewayClient
from botswain_discord.http_transport import HttpTransport
from botswain_proto.v1.event_pb2 import EVENT_SOURCE_DISCORD, InternalEvent
from botswain_proto.v1.event_pb2 import ContentType as ContentTypes
from structlog.testing import capture_logs

from .conftest import HttpOrchestrator, tokens, until


class Waits:
    """Waits between attempts: noted, and over at once; `at` lets something happen before one of them ends."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.before_next = asyncio.Event()
        self.before_next.set()

    async def __call__(self, seconds: float) -> None:
        self.delays.append(seconds)
        await self.before_next.wait()


@pytest.fixture
def waits() -> Waits:
    """The waits of the client under test."""
    return Waits()


@pytest.fixture
async def client(http_orchestrator: HttpOrchestrator, waits: Waits) -> AsyncIterator[GatewayClient]:
    """A client on its way to the orchestrator."""
    client = GatewayClient(HttpTransport(http_orchestrator.url, tokens(), sleep=waits), outbox_limit=1_000)
    client.start()
    yield client
    await client.close()


def event(number: int, channel: str = "1") -> InternalEvent:
    return InternalEvent(
        event_id=f"discord:message:{channel}{number}",
        correlation_id=f"c{number}",
        source=EVENT_SOURCE_DISCORD,
        content_type=ContentTypes.CONTENT_TYPE_TEXT,
        content=f"{channel}-{number}",
        source_channel_id=channel,
        routing={"reply_channel_id": channel, "conversation": {"conversation_id": f"discord:900:{channel}"}},
        timestamp={"seconds": 1},
    )


async def test_an_event_arrives_as_the_process_endpoint_takes_it(
    client: GatewayClient, http_orchestrator: HttpOrchestrator
) -> None:
    """Thread, message, correlation id, and metadata that names the source."""
    client.send_event(event(1))
    await client.flush()
    (body,) = http_orchestrator.bodies
    assert (body.thread_id, body.message, body.correlation_id) == ("discord:900:1", "1-1", "c1")
    assert body.metadata["source"] == "discord"
    assert body.metadata["event_id"] == "discord:message:11"
    assert await client.problem() is None


async def test_a_slow_turn_holds_up_its_own_channel_only(
    client: GatewayClient, http_orchestrator: HttpOrchestrator
) -> None:
    """The next event of the same channel waits; another channel's goes on."""
    release = http_orchestrator.hold["1-0"] = asyncio.Event()
    for number in range(3):
        client.send_event(event(number, "1"))
        client.send_event(event(number, "2"))
    await until(lambda: client.outbox.depth == 3, "the other channel")
    assert [body.message for body in http_orchestrator.bodies if body.message.startswith("1")] == ["1-0"]
    release.set()
    await client.flush()
    for channel in ("1", "2"):
        assert [body.message for body in http_orchestrator.bodies if body.message.startswith(channel)] == [
            f"{channel}-{number}" for number in range(3)
        ]


async def test_server_errors_are_tried_three_times(
    client: GatewayClient, http_orchestrator: HttpOrchestrator, waits: Waits
) -> None:
    """After 4 and 8 seconds; the third answer counts, and the next event comes after it."""
    http_orchestrator.answers = [503, 500]
    client.send_event(event(0))
    client.send_event(event(1))
    await client.flush()
    assert waits.delays == [4.0, 8.0]
    assert [body.message for body in http_orchestrator.bodies] == ["1-0", "1-1"]


async def test_an_event_given_up_on_is_logged_with_its_ids(
    client: GatewayClient, http_orchestrator: HttpOrchestrator
) -> None:
    """After the third failure; the channel goes on."""
    http_orchestrator.answers = [500, 500, 500]
    with capture_logs() as logs:
        client.send_event(event(0))
        client.send_event(event(1))
        await client.flush()
    (line,) = [line for line in logs if line["event"] == "event_not_delivered"]
    assert (line["event_id"], line["correlation_id"], line["channel"], line["attempts"]) == (
        "discord:message:10",
        "c0",
        "1",
        3,
    )
    assert [body.message for body in http_orchestrator.bodies] == ["1-1"]


async def test_a_refusal_is_not_tried_again(
    client: GatewayClient, http_orchestrator: HttpOrchestrator, waits: Waits
) -> None:
    """A 4xx stays one however often it is asked for."""
    http_orchestrator.answers = [422]
    with capture_logs() as logs:
        client.send_event(event(0))
        await client.flush()
    assert waits.delays == []
    assert ["told to answer 422" in line["reason"] for line in logs if line["event"] == "event_rejected"] == [True]


async def test_an_orchestrator_that_comes_back_between_attempts_gets_everything(waits: Waits) -> None:
    """Nothing listens at first; order holds all the same."""
    first = HttpOrchestrator()
    await first.start()
    await first.end()
    client = GatewayClient(HttpTransport(first.url, tokens(), sleep=waits), outbox_limit=1_000)
    waits.before_next.clear()
    client.start()
    for number in range(5):
        client.send_event(event(number))
    await until(lambda: waits.delays, "the first failure")
    assert "can't be reached" in str(await client.problem())
    second = HttpOrchestrator(first.port)
    await second.start()
    waits.before_next.set()
    await client.flush()
    assert [body.message for body in second.bodies] == [f"1-{number}" for number in range(5)]
    await client.close()
    await second.end()


async def test_a_refused_token_is_told(http_orchestrator: HttpOrchestrator) -> None:
    """In the log and in readiness, with the setting's name and without the token."""
    issuer = tokens("another-secret-that-is-long-enough-too")
    client = GatewayClient(HttpTransport(http_orchestrator.url, issuer), outbox_limit=10)
    client.start()
    with capture_logs() as logs:
        client.send_event(event(0))
        await client.flush()
    (line,) = [line for line in logs if line["event"] == "event_rejected"]
    assert "SERVICE_AUTH_SECRET must be the same in both" in line["reason"]
    assert line["reason"] == await client.problem()
    assert issuer.token() not in str(logs)
    await client.close()


async def test_an_event_that_is_none_is_logged(client: GatewayClient) -> None:
    """What the edge would refuse isn't posted; its id and the field are told."""
    with capture_logs() as logs:
        client.send_event(InternalEvent(event_id="e1"))
        await client.flush()
    assert [(line["event_id"], line["reason"]) for line in logs if line["event"] == "event_rejected"] == [
        ("e1", "source is not set")
    ]
