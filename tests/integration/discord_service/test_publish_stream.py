"""Events travel on one Publish stream and are kept until they are acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from botswain_discord.gateway_client import GatewayClient
from botswain_discord.grpc_transport import GrpcTransport
from botswain_discord.outbox import Session
from botswain_proto.v1.event_pb2 import InternalEvent
from structlog.testing import capture_logs

from .conftest import PublishOrchestrator, tokens, until

SESSION = Session(0, 1, "session", "wss://resume.example")


@pytest.fixture
async def client(orchestrator: PublishOrchestrator) -> AsyncIterator[GatewayClient]:
    """A client on its way to the orchestrator."""
    client = GatewayClient(GrpcTransport(orchestrator.url, tokens(), "900"), outbox_limit=10_000)
    client.start()
    yield client
    await client.close()


def send(client: GatewayClient, numbers: range) -> None:
    for number in numbers:
        client.send_event(InternalEvent(event_id=f"e{number}", source_channel_id="1"), SESSION, number)


def ids(orchestrator: PublishOrchestrator) -> list[str]:
    return [event.event_id for event in orchestrator.events]


async def test_events_arrive_in_order_with_their_cursor(
    client: GatewayClient, orchestrator: PublishOrchestrator
) -> None:
    """Batches are numbered from 1, the last cursor is the last event's, and nothing is kept afterwards."""
    send(client, range(1, 1_001))
    await client.flush()
    assert ids(orchestrator) == [f"e{n}" for n in range(1, 1_001)]
    assert [request.batch_id for request in orchestrator.requests] == list(range(1, len(orchestrator.requests) + 1))
    last = orchestrator.requests[-1]
    assert (last.bot_id, last.cursor.session_id, last.cursor.seq) == ("900", "session", 1_000)
    assert last.cursor.HasField("updated_at")
    assert client.outbox.depth == 0
    assert await client.problem() is None


async def test_nothing_is_lost_while_the_orchestrator_is_away(
    client: GatewayClient, orchestrator: PublishOrchestrator
) -> None:
    """What wasn't acknowledged goes again, what came meanwhile follows, and order holds."""
    orchestrator.answering = False
    send(client, range(500))
    await until(lambda: len(orchestrator.events) >= 256, "the first batch")
    await orchestrator.stop()
    send(client, range(500, 1_000))
    assert client.outbox.depth == 1_000
    orchestrator.answering = True
    await orchestrator.start()
    await client.flush()
    assert ids(orchestrator) == [f"e{n}" for n in range(1_000)]


async def test_an_orchestrator_that_comes_late_gets_everything(orchestrator: PublishOrchestrator) -> None:
    """Until then readiness says that it can't be reached."""
    await orchestrator.stop()
    client = GatewayClient(GrpcTransport(orchestrator.url, tokens(), "900"), outbox_limit=10)
    transport = client.start()
    send(client, range(3))
    with capture_logs() as logs:
        await until(lambda: any(line["event"] == "orchestrator_unreachable" for line in logs), "the warning")
    assert "UNAVAILABLE" in str(await client.problem())
    assert not transport.done()
    await orchestrator.start()
    await client.flush()
    assert ids(orchestrator) == ["e0", "e1", "e2"]
    assert await client.problem() is None
    await client.close()


async def test_a_stream_that_ends_in_order_is_opened_again(
    client: GatewayClient, orchestrator: PublishOrchestrator
) -> None:
    """An orchestrator that restarts in between is not noticed by those who send."""
    for start in range(0, 30, 10):
        send(client, range(start, start + 10))
        await client.flush()
        await orchestrator.stop()
        await orchestrator.start()
    send(client, range(30, 40))
    await client.flush()
    assert ids(orchestrator) == [f"e{n}" for n in range(40)]


async def test_a_rejected_event_is_logged_and_holds_nothing_up(
    client: GatewayClient, orchestrator: PublishOrchestrator
) -> None:
    """With its id and the orchestrator's reason; the others go on."""
    orchestrator.reject = {"e1": "no author"}
    with capture_logs() as logs:
        send(client, range(3))
        await client.flush()
    rejected = [line for line in logs if line["event"] == "event_rejected"]
    assert [(line["event_id"], line["reason"]) for line in rejected] == [("e1", "no author")]


async def test_a_refused_token_is_told_and_loses_nothing(orchestrator: PublishOrchestrator) -> None:
    """The reason names the setting, neither secret nor token is shown, and the events are kept."""
    issuer = tokens("another-secret-that-is-long-enough-too")
    client = GatewayClient(GrpcTransport(orchestrator.url, issuer, "900"), outbox_limit=10)
    with capture_logs() as logs:
        client.start()
        send(client, range(2))
        await until(lambda: any("refused" in str(line.get("reason")) for line in logs), "the refusal")
    assert "SERVICE_AUTH_SECRET must be the same in both" in str(await client.problem())
    assert not any(issuer.token() in str(line) or "another-secret" in str(line) for line in logs)
    assert (client.outbox.depth, orchestrator.events) == (2, [])
    await client.close()


async def test_what_is_left_at_shutdown_is_logged_with_its_ids(orchestrator: PublishOrchestrator) -> None:
    """Sent and waiting ones alike."""
    client = GatewayClient(GrpcTransport(orchestrator.url, tokens(), "900"), outbox_limit=1_000)
    orchestrator.answering = False
    client.start()
    send(client, range(300))
    await until(lambda: orchestrator.requests, "the stream")
    with capture_logs() as logs:
        await client.close()
    left = [line for line in logs if line["event"] == "events_not_acknowledged_at_shutdown"]
    assert [event_id for line in left for event_id in line["event_ids"]] == [f"e{n}" for n in range(300)]
