"""Servers as real subprocesses: they crash, hang, chatter and start slowly, and calls get a clear end each time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from botswain_execution.errors import CallFailedError, ServerBusyError, ServerUnavailableError
from botswain_execution.subprocess_runtime import SubprocessRuntime
from structlog.testing import capture_logs

Start = Callable[..., Awaitable[SubprocessRuntime]]
Entry = Callable[..., dict[str, Any]]
Until = Callable[[Callable[[], Any], str], Awaitable[None]]


async def call(runtime: SubprocessRuntime, tool: str, timeout: float = 10, **arguments: Any) -> str:
    result = await runtime.call("quirky", tool, arguments, meta={}, timeout=timeout)
    (block,) = result.content
    return str(block.text)  # type: ignore[union-attr]


async def test_calls_run_side_by_side_in_one_process(start_runtime: Start, quirky: Entry) -> None:
    """A slow call doesn't hold up another one in the same process, and each gets its own answer."""
    runtime = await start_runtime(quirky=quirky())
    slow = asyncio.create_task(call(runtime, "slow", text="0.5"))
    answers = await asyncio.gather(*(call(runtime, "echo", text=str(n)) for n in range(50)))
    assert not slow.done()
    assert answers == [str(n) for n in range(50)]
    assert await slow == "slept"


async def test_replicas_share_the_calls(start_runtime: Start, quirky: Entry, until: Until) -> None:
    """Calls go to the replica with the fewest in flight, so two slow calls are in two processes."""
    runtime = await start_runtime(quirky=quirky(replicas=2))
    await until(lambda: runtime.states()[0].ready == 2, "both replicas are ready")
    hangs = [asyncio.create_task(call(runtime, "slow", text="0.3")) for _ in range(4)]
    await asyncio.sleep(0)
    pool = runtime._pools["quirky"]
    await until(lambda: sum(replica.in_flight for replica in pool.replicas) == 4, "four calls in flight")
    assert [replica.in_flight for replica in pool.replicas] == [2, 2]
    await asyncio.gather(*hangs)


async def test_crash_fails_calls_in_flight_at_once_and_the_server_comes_back(
    start_runtime: Start, quirky: Entry
) -> None:
    """Whoever waits for a process that crashes learns it at once, with the reason; the next call finds a new process."""
    runtime = await start_runtime(quirky=quirky())
    await call(runtime, "echo", text="up")
    waiting = asyncio.create_task(call(runtime, "slow", text="30", timeout=60))
    with pytest.raises(CallFailedError, match="crash did not finish: the server ended: it exited with code 3"):
        await call(runtime, "crash", timeout=60)
    with pytest.raises(CallFailedError, match="exited with code 3"):
        await waiting
    assert await call(runtime, "echo", text="again") == "again"
    assert runtime.states()[0].restarts == 1


async def test_killed_process_is_named_by_its_signal(start_runtime: Start, quirky: Entry) -> None:
    """A process that the kernel or a person kills is told from one that exits."""
    runtime = await start_runtime(quirky=quirky())
    pid = json.loads(await call(runtime, "child"))
    parent = psutil.Process(pid).ppid()
    waiting = asyncio.create_task(call(runtime, "slow", text="30"))
    await asyncio.sleep(0)
    os.kill(parent, signal.SIGKILL)
    with pytest.raises(CallFailedError, match="was ended by SIGKILL"):
        await waiting


async def test_children_of_a_dead_server_end_with_it(start_runtime: Start, quirky: Entry, until: Until) -> None:
    """A child that the server left behind, holding its pipes, neither hides the crash nor outlives it."""
    runtime = await start_runtime(quirky=quirky())
    child = psutil.Process(json.loads(await call(runtime, "child")))
    with pytest.raises(CallFailedError, match="exited with code 3"):
        await call(runtime, "crash", timeout=5)
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child is gone")


async def test_hung_server_is_ended_at_its_deadline_and_restarted(
    start_runtime: Start, quirky: Entry, until: Until
) -> None:
    """A server that answers neither the call in time nor `tools/list` is ended, by force if it must be, and comes back."""
    runtime = await start_runtime(quirky=quirky(hangTimeoutSeconds=0.2, stopTimeoutSeconds=0.2))
    await call(runtime, "echo", text="up")
    with pytest.raises(CallFailedError, match=r"hang did not answer within 0\.3 s and was told to stop"):
        await call(runtime, "hang", timeout=0.3)
    await until(lambda: runtime.states()[0].restarts == 1, "the hung process was ended")
    assert await call(runtime, "echo", text="again") == "again"


async def test_hang_is_noticed_when_the_caller_gives_up_first(
    start_runtime: Start, quirky: Entry, until: Until
) -> None:
    """A caller whose own deadline is shorter than the server's doesn't leave a hung process behind."""
    runtime = await start_runtime(quirky=quirky(hangTimeoutSeconds=0.2, stopTimeoutSeconds=0.2))
    await call(runtime, "echo", text="up")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await call(runtime, "hang", timeout=60)
    await until(lambda: runtime.states()[0].restarts == 1, "the hung process was ended")


async def test_slow_call_past_its_deadline_leaves_a_living_server_alone(
    start_runtime: Start, quirky: Entry, until: Until
) -> None:
    """A missed deadline cancels the call; a process that still answers is kept, and told which call nobody waits for."""
    runtime = await start_runtime(quirky=quirky())
    await call(runtime, "echo", text="up")
    with pytest.raises(CallFailedError, match=r"did not answer within 0\.2 s"):
        await call(runtime, "slow", text="30", timeout=0.2)
    await until(lambda: runtime._pools["quirky"].replicas[0].state == "ready", "the process proved that it lives")
    assert runtime.states()[0].restarts == 0
    assert (await call(runtime, "shout")) == ""


async def test_noise_on_stdout_is_passed_over(start_runtime: Start, quirky: Entry) -> None:
    """A server that prints on its protocol stream works all the same, and a warning shows what it printed."""
    with capture_logs() as logs:
        runtime = await start_runtime(quirky=quirky(env={"NOISE": "1"}))
        assert await call(runtime, "echo", text="through the noise") == "through the noise"
    noise = [line for line in logs if line["event"] == "mcp_server_noise"]
    assert noise[0]["text"] == "welcome to the noisy server"
    assert noise[0]["log_level"] == "warning"


async def test_call_waits_for_a_server_that_starts_slowly(start_runtime: Start, quirky: Entry) -> None:
    """A call that comes while the server starts gets its answer when it is up."""
    runtime = await start_runtime(quirky=quirky(env={"START_DELAY": "0.5"}))
    assert runtime.states()[0].reason == "it is starting"
    assert await call(runtime, "echo", text="late") == "late"


async def test_server_that_never_completes_the_handshake_is_given_up(
    start_runtime: Start, quirky: Entry, until: Until
) -> None:
    """The reason names the time that passed and the key that sets it."""
    runtime = await start_runtime(
        quirky=quirky(env={"START_DELAY": "60"}, startupTimeoutSeconds=0.3, stopTimeoutSeconds=0.1)
    )
    await until(lambda: "startupTimeoutSeconds" in runtime.states()[0].reason, "the start was given up")
    assert "did not complete the handshake within 0.3 s" in runtime.states()[0].reason


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"command": "no-such-command-anywhere"}, "the command 'no-such-command-anywhere' was not found on the PATH"),
        ({"command": "/no/such/program"}, "the command '/no/such/program' doesn't exist"),
        ({"command": __file__}, "isn't an executable file"),
        ({"command": sys.executable, "cwd": "/no/such/folder"}, "its folder (cwd) '/no/such/folder' doesn't exist"),
        (
            {"command": sys.executable, "args": ["/no/script.py"]},
            "it exited with code 2 before the handshake was complete",
        ),
        ({"command": "sh", "args": ["-c", "echo my excuse >&2; exit 7"]}, "it last said: my excuse"),
        ({"command": "cat"}, "the handshake failed"),
    ],
)
async def test_server_that_cannot_start_says_why(
    start_runtime: Start, until: Until, entry: dict[str, Any], reason: str
) -> None:
    """Wrong command, folder or script: the state's reason says which and why."""
    runtime = await start_runtime(quirky=entry)
    await until(lambda: reason in runtime.states()[0].reason, reason)


async def test_failing_starts_are_repeated_until_one_works(start_runtime: Start, quirky: Entry, tmp_path: Path) -> None:
    """A server whose first starts fail is started again with growing pauses, and takes calls once it is up."""
    counter = tmp_path / "left"
    counter.write_text("2")
    runtime = await start_runtime(quirky=quirky(env={"FAIL_STARTS": str(counter)}))
    assert await call(runtime, "echo", text="third time") == "third time"


async def test_open_breaker_refuses_at_once_with_the_reason(start_runtime: Start, until: Until) -> None:
    """Once a server has failed often enough, a call isn't kept waiting for it."""
    runtime = await start_runtime(quirky={"command": "sh", "args": ["-c", "echo broken >&2; exit 1"]})
    await until(lambda: runtime._pools["quirky"]._backoff.is_open, "the breaker is open")
    with pytest.raises(
        ServerUnavailableError, match=r"'quirky' is not available: it exited with code 1 .* it last said: broken"
    ):
        await call(runtime, "echo", text="x")


async def test_calls_beyond_max_in_flight_are_refused(start_runtime: Start, quirky: Entry) -> None:
    """A process is never given more calls than its entry allows."""
    runtime = await start_runtime(quirky=quirky(maxInFlight=1))
    await call(runtime, "echo", text="up")
    slow = asyncio.create_task(call(runtime, "slow", text="0.3"))
    await asyncio.sleep(0)
    with pytest.raises(ServerBusyError, match="1 calls in flight, its maxInFlight"):
        await call(runtime, "echo", text="x")
    await slow


async def test_changed_tools_are_listed_anew(start_runtime: Start, quirky: Entry, until: Until) -> None:
    """`notifications/tools/list_changed` brings the new listing."""
    runtime = await start_runtime(quirky=quirky())
    await call(runtime, "grow")
    await until(lambda: "grown" in {tool.name for tool in runtime.tools()[0].tools}, "the new tool is listed")


async def test_environment_holds_what_the_entry_lists_and_no_more(
    start_runtime: Start, quirky: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's own variables, a bot token above all, don't reach a server that doesn't ask for them."""
    monkeypatch.setenv("DISCORD_BOT_TOKEN", "the-secret-of-the-bot")
    runtime = await start_runtime(quirky=quirky(env={"MINE": "1"}))
    environment = json.loads(await call(runtime, "env"))
    assert environment["MINE"] == "1"
    assert "PATH" in environment
    assert "DISCORD_BOT_TOKEN" not in environment


async def test_limits_are_set_on_the_process(start_runtime: Start, quirky: Entry, until: Until) -> None:
    """The process runs under the entry's limits for memory, open files and core dumps."""
    runtime = await start_runtime(quirky=quirky(limits={"memoryMb": 1024, "openFiles": 99}))
    await call(runtime, "echo", text="up")
    replica = runtime._pools["quirky"].replicas[0]
    assert replica._live is not None
    process = psutil.Process(replica._live.process.pid)
    assert process.rlimit(psutil.RLIMIT_AS) == (1 << 30, 1 << 30)
    assert process.rlimit(psutil.RLIMIT_NOFILE) == (99, 99)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)


async def test_errors_and_stderr_hold_no_secret(start_runtime: Start, quirky: Entry, until: Until) -> None:
    """Values of the entry's secret variables are masked in what a server writes on stderr."""
    script = "import os, sys; print('my token is', os.environ['API_TOKEN'], file=sys.stderr); sys.exit(1)"
    entry = {"command": sys.executable, "args": ["-c", script], "env": {"API_TOKEN": "tok-123456"}}
    with capture_logs() as logs:
        runtime = await start_runtime(quirky=entry)
        await until(lambda: "it last said" in runtime.states()[0].reason, "the reason")
    assert runtime.states()[0].reason.endswith("it last said: my token is [redacted]")
    assert "tok-123456" not in json.dumps(logs, default=str)


async def test_large_results_and_many_lines_arrive_whole(start_runtime: Start, quirky: Entry) -> None:
    """A result of several megabytes passes the pipe in pieces and is put together again."""
    runtime = await start_runtime(quirky=quirky())
    assert len(await call(runtime, "huge", count=3_000_000)) == 3_000_000


@pytest.mark.parametrize(
    ("tool", "words"), [("protocol_error", "refused the call: no such thing"), ("bad", "isn't a tool result")]
)
async def test_unusable_answers_fail_the_call_in_words(
    start_runtime: Start, quirky: Entry, tool: str, words: str
) -> None:
    """A protocol error or a malformed result ends the call with what was wrong; the server stays."""
    runtime = await start_runtime(quirky=quirky())
    with pytest.raises(CallFailedError, match=words):
        await call(runtime, tool)
    assert await call(runtime, "echo", text="still here") == "still here"


async def test_stop_ends_every_process(start_runtime: Start, quirky: Entry, until: Until) -> None:
    """`stop()` leaves no process: none that takes calls, none that starts, none that ignores end of input and SIGTERM."""
    stubborn = {"command": "sh", "args": ["-c", "trap '' TERM; while :; do sleep 1; done"], "stopTimeoutSeconds": 0.1}
    before = set(psutil.Process().children(recursive=True))  # another file's database or browser
    runtime = await start_runtime(quirky=quirky(replicas=2), stubborn=stubborn)
    await call(runtime, "echo", text="up")
    await runtime.stop()
    await until(lambda: not _running_children(before), "no child runs")


def _running_children(before: set[psutil.Process]) -> list[psutil.Process]:
    children = set(psutil.Process().children(recursive=True)) - before
    return [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
