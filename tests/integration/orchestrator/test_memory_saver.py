"""Conversation memory, as the agent's graph uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .conftest import BOT, CHANNEL, FakeExecution, Orchestrator, running

LANE = f"discord:{BOT}:{CHANNEL}"


async def remembered(orchestrator: Orchestrator) -> list[Any]:
    """The messages of the channel's conversation."""
    from botswain_orchestrator.agent.memory import LedgerSaver

    saver = LedgerSaver(orchestrator.service.ledger)
    found = await saver.aget_tuple({"configurable": {"thread_id": LANE}})
    return list(found.checkpoint["channel_values"]["messages"]) if found is not None else []


async def test_a_conversation_keeps_questions_calls_results_and_answers(orchestrator: Orchestrator) -> None:
    """In order, with the ids of the run."""
    result = await orchestrator.ask("edit a to b")
    kinds = [message.type for message in await remembered(orchestrator)]
    assert kinds == ["human", "ai", "tool", "ai", "tool", "ai"]
    assert (await remembered(orchestrator))[0].id == result.run_id


async def test_a_conversation_is_trimmed_to_its_limit(tmp_path: Path, execution: FakeExecution) -> None:
    """HISTORY_LIMIT messages at most, beginning with a question; the latest stay."""
    async with running(tmp_path, execution.port, history_limit=5) as orchestrator:
        for number in range(6):
            await orchestrator.ask(f"say {number}")
        texts = [message.text for message in await remembered(orchestrator)]
    assert texts == ["say 4", "4", "say 5", "5"]


async def test_a_failed_turn_is_not_remembered(orchestrator: Orchestrator) -> None:
    """What was never answered doesn't stand in the conversation half."""
    await orchestrator.ask("say before")
    await orchestrator.ask("fail turn")
    assert [message.text for message in await remembered(orchestrator)] == ["say before", "before"]


async def test_users_of_a_channel_share_its_conversation(orchestrator: Orchestrator) -> None:
    """Each message is kept with who wrote it."""
    await orchestrator.ask("my name is Ada", user="1", name="ada99")
    await orchestrator.ask("my name is Bob", user="2", name="bob99")
    assert (await orchestrator.ask("what is my name?", user="1")).response == "Your name is Ada."
    assert (await orchestrator.ask("what is my name?", user="2")).response == "Your name is Bob."


async def test_only_the_latest_state_is_kept(orchestrator: Orchestrator, tmp_path: Path) -> None:
    """One row a conversation, however many turns it had."""
    for number in range(4):
        await orchestrator.ask(f"say {number}")
    rows = await orchestrator.service.ledger._database.read(
        lambda connection: connection.exec_driver_sql("SELECT count(*) FROM checkpoints").scalar_one()
    )
    assert rows == 1
