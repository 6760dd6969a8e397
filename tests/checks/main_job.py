"""The main job, headless: a person writes in channels, the bot answers each message there once, in order.

    python tests/checks/main_job.py [--messages 200] [--channels 10] [--rate 50] [--rate-limits relaxed]

Starts the whole platform with `botswain dev` on free ports, writes one message and waits for its answer, then writes the others
at a steady rate. Ends the platform and looks at everything the bot did until then. Progress goes to standard error. The last line
on standard output is one JSON object: {"ok": true, "replies": 201, "p50_ms": …, "p99_ms": …, …}. Exit code 0 when ok, else 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from answers import Deed, Question, expected_of, judge, kinds, percentile, question
from running_platform import Json, PlatformError, RunningPlatform, SimEvent, running_platform

FIRST_DEADLINE = 60.0
ON_THE_WAY = ("discord-service", "orchestrator-service", "execution-service", "discord MCP server", "discord-simulator")


@dataclass
class Run:
    """What was asked and what came."""

    bot_id: str
    questions: list[Question] = field(default_factory=list)
    ids: dict[int, str] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    missing: int = 0
    progress: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, event: SimEvent) -> None:
        """Keep what the bot did."""
        deed = as_deed(event, self.bot_id)
        if deed is not None:
            self.deeds.append(deed)
            self.progress.set()

    @property
    def complete(self) -> bool:
        """Whether as many deeds came as all questions expect."""
        return len(self.deeds) >= sum(len(one.deeds) for one in self.questions)

    async def ask(self, platform: RunningPlatform, one: Question) -> None:
        """Write a question's message."""
        self.asked_at[one.number] = asyncio.get_running_loop().time()
        message = await platform.say(one.channel, one.text)
        self.ids[one.number] = message["id"]

    async def until_complete(self, deadline: float) -> bool:
        """Wait until all deeds came; whether they did in time."""
        try:
            async with asyncio.timeout(deadline):
                while not self.complete:
                    self.progress.clear()
                    await self.progress.wait()
        except TimeoutError:
            return False
        return True


def as_deed(event: SimEvent, bot_id: str) -> Deed | None:
    """The bot's deed that an event tells of, if it does."""
    data = event.data
    if event.name in ("message_create", "message_update") and data.get("author", {}).get("id") == bot_id:
        kind = "message" if event.name == "message_create" else "edit"
        return Deed(str(data["channel_id"]), f"{kind}:{data['content']}", event.at)
    if event.name == "reaction_add" and data.get("user_id") == bot_id:
        emoji = data["emoji"]["name"] if isinstance(data["emoji"], dict) else data["emoji"]
        return Deed(str(data["channel_id"]), f"reaction:{data['message_id']}:{emoji}", event.at)
    return None


def trace_of(logs: Sequence[Json], message_id: str) -> tuple[str | None, dict[str, int]]:
    """The trace id of a message, and how many log lines of each process on the way carry it."""
    mine = f"discord:message:{message_id}"
    trace_id = next((line["trace_id"] for line in logs if line.get("event_id") == mine and line.get("trace_id")), None)
    counts = dict.fromkeys(ON_THE_WAY, 0)
    for line in logs if trace_id else ():
        if line.get("trace_id") != trace_id:
            continue
        service = line.get("service", "")
        if service == "execution-service" and line.get("event") == "discord_rest":
            service = "discord MCP server"  # its host hands its lines on
        if service in counts:
            counts[service] += 1
    return trace_id, counts


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def check(options: argparse.Namespace, data_dir: Path) -> Json:
    """Run it all; the result."""
    began = time.monotonic()
    say("starting the platform …")
    async with running_platform(data_dir, ["--rate-limits", options.rate_limits]) as platform:
        ready_s = time.monotonic() - began
        say(f"ready after {ready_s:.1f} s; page {platform.page}/")
        state = await platform.sim("GET", "/state")
        run = Run(bot_id=state["bots"][0]["user"]["id"])
        async with platform.events() as events:
            reading = asyncio.create_task(_read(events, run))
            try:
                in_time = await _first(platform, run) and await _others(platform, run, options)
                stats = await platform.sim("GET", "/stats")
                say("ending the platform …")
                code = await platform.stop()
                await reading
            finally:
                reading.cancel()
    return result(run, platform.logs, {"ready_s": round(ready_s, 2), "exit_code": code, "in_time": in_time}, stats)


async def _read(events: Any, run: Run) -> None:
    async for event in events:
        run.note(event)


async def _first(platform: RunningPlatform, run: Run) -> bool:
    first = question(0, await platform.general(), "plain")
    run.questions.append(first)
    await run.ask(platform, first)
    answered = await run.until_complete(FIRST_DEADLINE)
    say(f"first message: {'answered' if answered else 'NO ANSWER'}")
    return answered


async def _others(platform: RunningPlatform, run: Run, options: argparse.Namespace) -> bool:
    state = await platform.sim("GET", "/state")
    guild = state["guilds"][0]["id"]
    channels = [
        (await platform.sim("POST", f"/guilds/{guild}/channels", {"name": f"main-job-{n}"}))["id"]
        for n in range(options.channels)
    ]
    planned = [
        question(number, channels[number % len(channels)], kind)
        for number, kind in enumerate(kinds(options.messages, options.with_tools), start=1)
    ]
    run.questions.extend(planned)
    say(f"writing {len(planned)} messages over {len(channels)} channels at {options.rate:g}/s …")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    lanes = {channel: asyncio.Lock() for channel in channels}

    async def ask(one: Question) -> None:
        async with lanes[one.channel]:  # a person writes one message after the other
            await run.ask(platform, one)

    async with asyncio.TaskGroup() as group:
        for number, one in enumerate(planned):
            await asyncio.sleep(max(0.0, begin + number / options.rate - loop.time()))
            group.create_task(ask(one))
    say(f"written in {loop.time() - begin:.1f} s; waiting for the answers …")
    return await run.until_complete(options.timeout)


def result(run: Run, logs: Sequence[Json], extras: Json, stats: Json) -> Json:
    """The JSON line."""
    problems, first = judge(run.questions, run.ids, run.deeds)
    if not extras.pop("in_time"):
        problems.insert(0, "not every answer came in time")
    if extras["exit_code"] != 0:
        problems.append(f"`botswain dev` ended with code {extras['exit_code']}")
    trace_id, counts = trace_of(logs, run.ids.get(0, ""))
    silent = [name for name, count in counts.items() if not count]
    if silent:
        problems.append(f"the first message's trace id ({trace_id}) is in no log line of {', '.join(silent)}")
    errors = [line for line in logs if line.get("level") in ("error", "critical")]
    problems.extend(f"an error was logged: {json.dumps(line)[:300]}" for line in errors[:3])
    waits = [1000 * (first[n] - run.asked_at[n]) for n in first if n > 0]
    figures = {f"{name}_ms": round(percentile(waits, share), 1) if waits else None for name, share in _SHARES.items()}
    return {
        "ok": not problems,
        "replies": sum(1 for one in run.questions if one.number in first),
        **figures,
        "first_ms": round(1000 * (first[0] - run.asked_at[0]), 1) if 0 in first else None,
        "with_tools": sum(1 for one in run.questions if not one.text.startswith("ping")),
        "deeds": len(run.deeds),
        "expected_deeds": sum(len(expected_of(one, run.ids)) for one in run.questions if one.number in run.ids),
        **extras,
        "trace_id": trace_id,
        "trace_lines": counts,
        "simulator": {
            "messages": stats["messages"],
            "nonce": stats["nonce"],
            "rate_limited": stats["rest"]["rate_limited"],
        },
        "problems": problems[:20],
    }


_SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--messages", type=int, default=200, help="messages after the first (%(default)s)")
    parser.add_argument("--channels", type=int, default=10, help="channels they are spread over (%(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second (%(default)s)")
    parser.add_argument("--with-tools", type=int, default=20, help="messages that ask for tools (%(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=120.0, help="seconds to wait for the last answer (%(default)s)"
    )
    parser.add_argument(
        "--rate-limits", choices=("discord", "relaxed", "off"), default="relaxed", help="the simulator's (%(default)s)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    data_dir = Path(tempfile.mkdtemp(prefix="botswain-main-job-"))
    try:
        outcome = asyncio.run(check(options, data_dir))
    except (PlatformError, httpx.HTTPError, TimeoutError, OSError, ExceptionGroup) as error:
        several = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        outcome = {"ok": False, "replies": 0, "problems": [f"{type(one).__name__}: {one}" for one in several[:20]]}
    if outcome["ok"]:
        shutil.rmtree(data_dir)
    else:
        for problem in outcome["problems"]:
            say(f"NOT OK: {problem}")
        say(f"the ledger of this run is in {data_dir}")
    print(json.dumps(outcome, ensure_ascii=False), flush=True)
    return 0 if outcome["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
