"""The service as a process: how it ends, with which code, and what it says."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import pytest

from .conftest import Discord, Process, PublishOrchestrator, until

RunProcess = Callable[..., Awaitable[Process]]


def last_line(process: Process) -> str:
    return process.output.strip().splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_flushes_what_was_read(
    run_process: RunProcess, discord: Discord, orchestrator: PublishOrchestrator, number: int
) -> None:
    """The process waits for the acknowledgements, closes the gateway in order, and exits with 0."""
    process = await run_process(orchestrator.url)
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    orchestrator.answering = False
    for each in range(50):
        discord.say(str(each))
    await until(lambda: len(orchestrator.events) == 50, "the events")
    process.process.send_signal(number)
    await until(lambda: "outbox_flushing" in process.output, "the drain")
    assert process.process.returncode is None
    orchestrator.answering = True
    await orchestrator.stop()
    await orchestrator.start()
    assert await process.exit_code() == 0
    assert [event.content for event in orchestrator.events] == [str(each) for each in range(50)]
    assert not discord.simulator.hub.sessions
    assert "events_not_acknowledged_at_shutdown" not in process.output


async def test_after_the_grace_what_is_left_is_named(
    run_process: RunProcess, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """An orchestrator that never answers holds the process up for the grace only."""
    orchestrator.answering = False
    process = await run_process(orchestrator.url, SHUTDOWN_GRACE_SECONDS="0.2")
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    message = discord.say("unheard")
    await until(lambda: orchestrator.events, "the event")
    process.process.terminate()
    assert await process.exit_code() == 0
    assert (
        f"discord:message:{message.id}"
        in process.output.split("events_not_acknowledged_at_shutdown")[0].splitlines()[-1]
    )


async def test_a_bad_token_is_fatal(run_process: RunProcess, orchestrator: PublishOrchestrator) -> None:
    """Exit 1; one readable line that names the variable and shows nothing of the token."""
    process = await run_process(orchestrator.url, DISCORD_BOT_TOKEN="MTE5.this-is-not.the-token")
    assert await process.exit_code() == 1
    assert last_line(process).startswith("start-up: DISCORD_BOT_TOKEN: Discord refused the token.")
    assert "Traceback" not in process.output
    assert "this-is-not" not in process.output


async def test_intents_that_are_not_allowed_are_fatal(
    run_process: RunProcess, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Close code 4014: exit 1, and where to switch them on."""
    discord.application.privileged_intents = 0
    process = await run_process(orchestrator.url)
    assert await process.exit_code() == 1
    assert "may not use one of the privileged intents asked for (message_content)" in last_line(process)


async def test_a_token_reset_while_running_is_fatal(
    run_process: RunProcess, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Close code 4004 later on ends the process as one at start does, after what was read is flushed."""
    process = await run_process(orchestrator.url)
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    discord.say("last words")
    await until(lambda: orchestrator.events, "the event")
    await discord.fault(kind="reset_token")
    assert await process.exit_code() == 1
    assert last_line(process).startswith("start-up: DISCORD_BOT_TOKEN")


async def test_missing_variables_name_themselves(run_process: RunProcess) -> None:
    """Exit 2, a line each."""
    process = await run_process("grpc://127.0.0.1:1", DISCORD_BOT_TOKEN="", DISCORD_APPLICATION_ID="")
    assert await process.exit_code() == 2
    assert [line.partition(" is required")[0] for line in process.output.splitlines()] == [
        "settings: DISCORD_BOT_TOKEN",
        "settings: DISCORD_APPLICATION_ID",
    ]


async def test_every_event_has_a_log_line_with_its_ids(
    run_process: RunProcess, discord: Discord, orchestrator: PublishOrchestrator
) -> None:
    """Correlation id, event id, channel and the trace that the event carries on; never the token."""
    process = await run_process(orchestrator.url)
    await until(lambda: discord.counts["identifies"] == 1, "the IDENTIFY")
    discord.say("ahoy")
    await until(lambda: orchestrator.events and "event_received" in process.output, "the line")
    (event,) = orchestrator.events
    line = next(line for line in process.output.splitlines() if '"event_received"' in line)
    for value in (event.correlation_id, event.event_id, event.source_channel_id, event.traceparent.split("-")[1]):
        assert f'"{value}"' in line
    assert discord.application.token not in process.output
