"""`POST /process`: answers, and what it says of bodies it can't take."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from botswain_services.auth import TokenIssuer

from .conftest import BOT, CHANNEL, SECRET, FakeExecution, Orchestrator

pytestmark = pytest.mark.usefixtures("each_engine")


def body(**fields: Any) -> dict[str, Any]:
    return {"thread_id": "thread-1", "message": "hello", "correlation_id": "correlation-1", "metadata": {}, **fields}


def fields_named(response: httpx.Response) -> list[list[str]]:
    return [problem["loc"] for problem in response.json()["detail"]]


async def test_an_api_caller_gets_the_text_and_nothing_is_sent(
    orchestrator: Orchestrator, execution: FakeExecution
) -> None:
    """The answer goes back to the caller; no fallback delivery for source `api`."""
    response = await orchestrator.http.post("/process", json=body())
    assert response.status_code == 200
    answer = response.json()
    assert "Hello!" in answer["response"]
    assert (answer["status"], answer["delivery"], answer["tool_calls"]) == ("completed", "none", [])
    assert (answer["correlation_id"], answer["event_id"]) == ("correlation-1", "api:correlation-1")
    assert answer["duration_ms"] > 0
    assert execution.calls == []


async def test_a_discord_event_is_delivered(orchestrator: Orchestrator, execution: FakeExecution) -> None:
    """With `source: discord` and a channel in the metadata the fallback delivers, as it does for gRPC."""
    metadata = {
        "source": "discord",
        "bot_id": BOT,
        "routing": {"reply_channel_id": CHANNEL},
        "event_id": "discord:message:1",
    }
    response = await orchestrator.http.post("/process", json=body(metadata=metadata))
    assert response.json()["delivery"] == "fallback"
    assert execution.sent() == [(CHANNEL, response.json()["response"])]


async def test_the_thread_is_the_memory(orchestrator: Orchestrator) -> None:
    """Messages of one thread share it, other threads don't."""
    await orchestrator.http.post("/process", json=body(message="my name is Ada", correlation_id="1"))
    same = await orchestrator.http.post("/process", json=body(message="what is my name?", correlation_id="2"))
    other = await orchestrator.http.post(
        "/process", json=body(message="what is my name?", correlation_id="3", thread_id="thread-2")
    )
    assert same.json()["response"] == "Your name is Ada."
    assert "haven't told me" in other.json()["response"]


async def test_posting_again_is_a_duplicate(orchestrator: Orchestrator) -> None:
    """A retry after a lost answer gets that answer."""
    first = (await orchestrator.http.post("/process", json=body())).json()
    second = (await orchestrator.http.post("/process", json=body())).json()
    assert second["status"] == "duplicate"
    assert second["response"] == first["response"]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"message": 5}, ["body", "message"]),
        ({"message": "x" * 100_001}, ["body", "message"]),
        ({"thread_id": ""}, ["body", "thread_id"]),
        ({"surprise": 1}, ["body", "surprise"]),
        ({"metadata": []}, ["body", "metadata"]),
        ({"metadata": {"source": "fax"}}, ["body", "metadata", "source"]),
        ({"metadata": {"timestamp": "yesterday"}}, ["body", "metadata", "timestamp"]),
        ({"metadata": {"routing": {"reply_channel_id": 5}}}, ["body", "metadata", "routing", "reply_channel_id"]),
        ({"metadata": {"source": "discord", "mentions": "all"}}, ["body", "metadata", "mentions"]),
    ],
)
async def test_a_wrong_field_is_named(orchestrator: Orchestrator, given: dict[str, Any], named: list[str]) -> None:
    """422, with the field's place and without the value."""
    response = await orchestrator.http.post("/process", json=body(**given))
    assert response.status_code == 422
    assert fields_named(response) == [named]
    assert len(response.text) < 500


async def test_a_missing_field_is_named(orchestrator: Orchestrator) -> None:
    """422 names each."""
    response = await orchestrator.http.post("/process", json={"message": "x"})
    assert response.status_code == 422
    assert fields_named(response) == [["body", "thread_id"], ["body", "correlation_id"]]


async def test_what_is_not_json_is_refused(orchestrator: Orchestrator) -> None:
    """422, without repeating it."""
    response = await orchestrator.http.post(
        "/process", content=b'{"thread_id": ', headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert "thread_id" not in response.text


async def test_a_huge_body_is_refused_before_it_is_read(orchestrator: Orchestrator) -> None:
    """413, whether the length is declared or not."""
    huge = b"x" * (2 * 1024 * 1024)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield huge[: 64 * 1024]

    declared = await orchestrator.http.post("/process", content=huge)
    chunked = await orchestrator.http.post("/process", content=chunks(), headers={"Content-Type": "application/json"})
    assert (declared.status_code, chunked.status_code) == (413, 413)
    assert "1048576 bytes" in declared.json()["detail"]


@pytest.mark.parametrize("token", ["none", "expired", "other audience", "other secret"])
async def test_without_a_valid_token_nothing_is_answered(orchestrator: Orchestrator, token: str) -> None:
    """401, with the reason."""
    headers = {
        "none": {"Authorization": ""},
        "expired": TokenIssuer(SECRET, issuer="x", audience="orchestrator-service", clock=lambda: 0.0).header(),
        "other audience": TokenIssuer(SECRET, issuer="x", audience="execution-service").header(),
        "other secret": TokenIssuer("s" * 32, issuer="x", audience="orchestrator-service").header(),
    }[token]
    response = await orchestrator.http.post("/process", json=body(), headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_the_probes_need_no_token(orchestrator: Orchestrator) -> None:
    """/health, /ready and /metrics answer anybody; the turn is counted."""
    await orchestrator.http.post("/process", json=body())
    async with httpx.AsyncClient(base_url=orchestrator.http.base_url) as anybody:
        assert (await anybody.get("/health")).json()["status"] == "healthy"
        ready = await anybody.get("/ready")
        assert (ready.status_code, ready.json()["status"], ready.json()["model"]) == (200, "ready", "scripted")
        metrics = (await anybody.get("/metrics")).text
    assert 'botswain_orchestrator_turns_total{delivery="none",status="completed"}' in metrics
