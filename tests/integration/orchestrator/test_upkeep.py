"""What the ledger holds, and what it lets go."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botswain_orchestrator.ledger.upkeep import holdings, remove_old

from .conftest import DEADLINE, FakeExecution, Orchestrator, message, running

pytestmark = pytest.mark.usefixtures("each_engine")

DAY = 86_400_000


async def counts(orchestrator: Orchestrator) -> dict[str, int]:
    """Of each kind."""
    return {one.name: one.count for one in await holdings(orchestrator.service._database)}


async def age(orchestrator: Orchestrator, days: float) -> None:
    """Make everything older."""
    for table, column in (("events", "finished_at"), ("runs", "finished_at"), ("channel_marks", "updated_at")):
        statement = f"UPDATE {table} SET {column} = {column} - {int(days * DAY)}"
        await orchestrator.service._database.write(lambda connection, sql=statement: _run(connection, sql))


def _run(connection: Any, sql: str) -> None:
    connection.exec_driver_sql(sql)


async def test_old_answered_events_are_removed_with_what_was_done_for_them(orchestrator: Orchestrator) -> None:
    """Dead letters stay, and so does what the conversation remembers; younger events aren't touched."""
    await orchestrator.ask("say old")
    await orchestrator.ask("fail turn")
    before = await counts(orchestrator)
    assert (before["events answered"], before["dead letters"], before["runs"], before["conversations"]) == (1, 1, 2, 1)
    assert before["steps"] > 0
    await age(orchestrator, 31)
    await orchestrator.ask("say young", channel="5")
    removed = await remove_old(orchestrator.service._database, before=int(time.time() * 1000) - 30 * DAY)
    after = await counts(orchestrator)
    assert removed == 1
    assert (after["events answered"], after["dead letters"], after["runs"], after["conversations"]) == (1, 1, 2, 2)
    assert (after["channel marks"], after["steps"]) == (1, before["steps"])


async def test_old_events_are_removed_by_themselves(tmp_path: Path, execution: FakeExecution) -> None:
    """A running orchestrator keeps to RETENTION_DAYS; 0 keeps everything."""
    async with running(tmp_path, execution.port, retention_days=0) as first:
        asked = message("say old")
        await first.process(asked)
        await age(first, 31)
    async with running(tmp_path, execution.port, retention_days=0) as second:
        assert (await counts(second))["events answered"] == 1
    async with running(tmp_path, execution.port, retention_days=30) as third:
        async with asyncio.timeout(DEADLINE):
            while await third.service.ledger.receipt(asked.bot_id, asked.event_id) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def test_the_ledger_tells_what_it_holds(orchestrator: Orchestrator) -> None:
    """Counts and ages over HTTP, for callers with a token."""
    await orchestrator.ask("say one")
    response = await orchestrator.http.get("/ledger")
    held = {one["name"]: one for one in response.json()["holdings"]}
    assert held["events answered"]["count"] == 1
    assert held["events waiting"] == {"name": "events waiting", "count": 0, "oldest": None, "newest": None}
    assert datetime.fromisoformat(held["events answered"]["oldest"]) <= datetime.now(UTC)
    del orchestrator.http.headers["Authorization"]
    assert (await orchestrator.http.get("/ledger")).status_code == 401
