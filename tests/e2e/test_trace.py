"""One trace runs through all processes."""

from __future__ import annotations

import pytest
from main_job import ON_THE_WAY, trace_of
from running_platform import RunningPlatform

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_one_trace_id_runs_from_the_frame_to_the_rest_call(platform: RunningPlatform) -> None:
    """The logs of discord-service, orchestrator, execution, the discord MCP server and the simulator share one trace id."""
    async with platform.events() as events:
        message = await platform.say(await platform.general(), "trace me")
        await events.first(
            lambda one: (
                one.name == "message_create" and "trace me" in one.data["content"] and one.data["author"].get("bot")
            )
        )

    def everywhere(_line: object) -> bool:
        return all(trace_of(platform.logs, message["id"])[1].values())

    await platform.until_log(everywhere)
    trace_id, lines = trace_of(platform.logs, message["id"])
    assert trace_id is not None
    assert len(trace_id) == 32
    assert set(lines) == set(ON_THE_WAY)


async def test_no_log_holds_a_secret(platform: RunningPlatform) -> None:
    """Neither the services' secret nor a JWT stands in any line."""
    import psutil

    secret = psutil.Process(platform.pid("orchestrator")).environ()["SERVICE_AUTH_SECRET"]
    assert len(secret) >= 32
    everything = "\n".join(platform.text)
    assert secret not in everything
    assert "eyJhbGciOi" not in everything
