"""`botswain dev` as its user meets it: ports that are taken, tokens that are wrong, parts that die, and the end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from botswain_cli import plan
from botswain_cli.ports import find_free
from running_platform import READY_DEADLINE, RunningPlatform, alive, family, running_platform, start_dev

DEADLINE = 60.0

pytestmark = pytest.mark.timeout(300)


async def until_gone(processes: list[psutil.Process]) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while alive(processes):  # noqa: ASYNC110 - the end of processes that aren't our children sends no event
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"still there: {alive(processes)}")


async def answered(platform: RunningPlatform, text: str) -> None:
    """Write in #general and wait for the bot's answer."""
    async with platform.events() as events:
        await platform.say(await platform.general(), text)
        await events.first(
            lambda one: one.name == "message_create" and one.data["author"].get("bot") and text in one.data["content"]
        )


async def run_dev(data_dir: Path, *options: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    """A `botswain dev` that is to end by itself: exit code, standard output, standard error."""
    process = await start_dev(data_dir, *options, environment=environment)
    async with asyncio.timeout(READY_DEADLINE):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def simulator(tmp_path: Path) -> AsyncIterator[str]:
    """A simulator that `botswain dev` didn't start; its address."""
    port = find_free("127.0.0.1", 1)[0]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "botswain_simulator", "--port", str(port)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(DEADLINE):
            await process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.communicate()


async def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    """The message has port, part, who holds it and the ways out; the exit code is 1 and nothing was started."""
    async with simulator(tmp_path) as url:
        port = url.rpartition(":")[2]
        code, out, err = await run_dev(tmp_path / "data", "--free-ports", "--discord-port", port)
    assert code == 1
    assert out == ""
    assert f"port {port}, for discord, is taken by python" in err
    assert "--free-ports" in err
    assert "starting" not in err


async def test_a_refused_token_is_said_plainly(tmp_path: Path) -> None:
    """With DISCORD_BOT_TOKEN set Discord is asked first; its refusal ends the command, without the token in the words."""
    async with simulator(tmp_path) as url:
        environment = {"DISCORD_BOT_TOKEN": "MTIz.wrong.token", "DISCORD_API_URL": f"{url}/api/v10"}
        code, _, err = await run_dev(tmp_path / "data", "--free-ports", environment=environment)
    assert code == 1
    assert "refuses DISCORD_BOT_TOKEN" in err
    assert "MTIz.wrong.token" not in err
    assert "Traceback" not in err


async def test_discord_that_does_not_answer_is_said_plainly(tmp_path: Path) -> None:
    """No answer from Discord's API ends the command with the address it asked."""
    port = find_free("127.0.0.1", 1)[0]
    environment = {"DISCORD_BOT_TOKEN": "a.b.c", "DISCORD_API_URL": f"http://127.0.0.1:{port}/api/v10"}
    code, _, err = await run_dev(tmp_path, "--free-ports", environment=environment)
    assert code == 1
    assert f"http://127.0.0.1:{port}/api/v10/applications/@me" in err
    assert "Traceback" not in err


async def test_a_token_refused_later_ends_everything_with_the_services_reason(tmp_path: Path) -> None:
    """When DISCORD_APPLICATION_ID is given nobody asks beforehand; then discord-service's own reason ends the command."""
    async with simulator(tmp_path) as url:
        environment = {
            "DISCORD_BOT_TOKEN": "MTIz.wrong.token",
            "DISCORD_API_URL": f"{url}/api/v10",
            "DISCORD_APPLICATION_ID": "123",
        }
        code, out, err = await run_dev(tmp_path / "data", "--free-ports", environment=environment)
    assert code == 1
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("botswain: discord can't start: ")
    assert "DISCORD_BOT_TOKEN" in last
    assert "MTIz.wrong.token" not in err


async def test_with_a_token_the_same_command_runs_without_the_simulator(tmp_path: Path) -> None:
    """DISCORD_BOT_TOKEN alone makes the difference: three parts, the application looked up, and the bot answers."""
    async with simulator(tmp_path) as url:
        environment = {"DISCORD_BOT_TOKEN": plan.SIMULATED_TOKEN, "DISCORD_API_URL": f"{url}/api/v10"}
        async with running_platform(tmp_path / "data", environment=environment) as platform:
            assert [part["name"] for part in platform.about["parts"]] == ["execution", "orchestrator", "discord"]
            assert platform.about["page"] == ""
            platform.about["page"] = url
            await answered(platform, "over there")


async def test_an_unknown_model_ends_everything_with_the_known_ones(tmp_path: Path) -> None:
    """A wrong setting of a part is that part's own words, and exit code 1."""
    code, _, err = await run_dev(tmp_path, "--free-ports", "--model", "oracle")
    assert code == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith("botswain: orchestrator has a wrong setting: ")
    assert "scripted" in last


async def test_a_part_that_is_killed_comes_back_and_the_bot_answers_again(tmp_path: Path) -> None:
    """It is said in words; and when the command itself is killed then, nothing it started is left, MCP servers included."""
    async with running_platform(tmp_path, ["--rate-limits", "off"]) as platform:
        await answered(platform, "before")
        os.kill(platform.pid("execution"), signal.SIGKILL)
        await platform.until_log(lambda line: "execution was ended by SIGKILL; starting it again" in line["event"])
        await platform.until_log(lambda line: line["event"] == "execution is ready again")
        await answered(platform, "after")
        status = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "botswain_cli", "status", "--json", "--data-dir", str(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await status.communicate()
        assert {part["name"]: part["restarts"] for part in json.loads(said)["parts"]}["execution"] == 1
        started = family(platform.process.pid)
        assert len(started) >= 7
        platform.process.kill()
        await until_gone(started)


async def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    """A table says what runs where; `botswain status` agrees, `botswain ledger` is let in; after Ctrl-C the exit code is 0, and
    no process and no secret is left.
    """
    process = await start_dev(tmp_path, "--free-ports", environment={"COLUMNS": "200"})
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(process.stderr.read())
    table = ""
    async with asyncio.timeout(READY_DEADLINE):
        while "Ctrl-C" not in table:
            line = await process.stdout.readline()
            assert line, (await errors).decode()
            table += line.decode()
    for part in ("simulator", "execution", "orchestrator", "discord"):
        assert part in table
    assert "Open http://127.0.0.1:" in table
    status = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "botswain_cli", "status", "--data-dir", str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await status.communicate()
    assert status.returncode == 0, said.decode()
    ledger = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "botswain_cli", "ledger", "--data-dir", str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await ledger.communicate()
    assert ledger.returncode == 0, said.decode()
    assert "events answered" in said.decode()
    started = family(process.pid)
    assert len(started) >= 7
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(DEADLINE):
        assert await process.wait() == 0
    assert alive(started) == []
    assert not (tmp_path / "dev.secret").exists()
    logs = (await errors).decode()
    stops = [logs.index(f"{part} has stopped") for part in ("discord", "orchestrator", "execution", "simulator")]
    assert stops == sorted(stops)
    assert "\x1b" not in logs
