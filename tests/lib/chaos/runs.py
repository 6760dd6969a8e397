"""A whole run: start everything, write and break things, let it come to rest, end everything, judge."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from botswain_cli.ports import find_free
from botswain_execution.settings import shipped_config
from postgres import PostgresServer, running_postgres

from chaos import layouts, logs
from chaos.crews import Crew, NotReadyError, crashes
from chaos.deeds import Deeds, no_faults
from chaos.discord import Discord, running_discord
from chaos.layouts import HOST, Layout, Wiring
from chaos.load import Load
from chaos.plans import FAULTS, Step, make_plan
from chaos.processes import Reaper
from chaos.questions import questions
from chaos.verdicts import Verdict, judge

WARM_UP_DEADLINE = 60.0
IDLE = 60.0
"""Seconds without anything new after which nothing more is waited for: longer than a claim, a lease and a retry's pause."""
LOOK_EVERY = 1.0
SHOWN = 5
"""Messages whose trails are shown."""
MOST_EXTRA_IDENTIFIES = 4
"""IDENTIFYs beyond those that faults made necessary: a process that was killed before its new session was recorded."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Of a run: what, how much, how long. `seconds` bounds the faults; what is left of the plan then is left out."""

    layout: Layout
    seed: int
    steps: int
    rate: float
    spacing: float
    seconds: float
    faults: tuple[str, ...] = tuple(FAULTS)
    keep_logs: bool = False


def say(text: str) -> None:
    """Tell progress."""
    print(text, file=sys.stderr, flush=True)


async def run(terms: Terms) -> dict[str, Any]:
    """A run; the result as JSON. `ok` says whether everything was as it should be, `problems` what was not."""
    folder = Path(tempfile.mkdtemp(prefix=f"botswain-chaos-{terms.layout.name}-{terms.seed}-"))
    (folder / "logs").mkdir()
    began = time.monotonic()
    async with _everything(terms, folder) as (crew, discord, database):
        load = Load(discord, questions(terms.seed, len(discord.channels)), terms.rate)
        deeds = Deeds(crew, discord, load, database)
        problems = await _break_things(terms, crew, load, deeds, folder)
        await no_faults(discord)
        problems += await _come_to_rest(crew, discord, load)
        await crew.end()
        stats, left = await discord.stats(), await discord.identifies_left()
        verdict = judge(load.asked, await discord.said_by_the_bot())
    problems += crashes(crew) + _identify_problems(stats, left, crew, deeds)
    lines = logs.read(folder / "logs")
    gaps = [logs.hand_over_gap(one, lines) for one in crew.hand_overs]
    for number in _bad(verdict)[:SHOWN]:
        asked = next(one for one in load.asked if one.question.number == number)
        say("\n".join(logs.trail(asked, lines)) + "\n")
    result = _result(terms, verdict, deeds, stats, [gap for gap in gaps if gap is not None])
    result |= {"seconds": round(time.monotonic() - began), "paused_s": round(load.paused), "problems": problems[:20]}
    result["ok"] = verdict.ok and not problems
    if result["ok"] and not terms.keep_logs:
        shutil.rmtree(folder)
    else:
        result["logs"] = str(folder)
    return result


@asynccontextmanager
async def _everything(terms: Terms, folder: Path) -> AsyncIterator[tuple[Crew, Discord, PostgresServer | None]]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
    async with (
        httpx.AsyncClient(timeout=30.0, trust_env=False, limits=limits) as http,
        running_discord(folder, http) as discord,
        Reaper() as reaper,
    ):
        with _database(terms.layout) as database:
            ports = iter(find_free(HOST, 2 * terms.layout.orchestrators + 2))
            wiring = Wiring(
                api_url=f"{discord.url}/api/v10",
                database_url=database.create_database("botswain")
                if database
                else f"sqlite:///{folder / 'botswain.db'}",
                secret=secrets.token_hex(32),
                folder=folder,
                orchestrators=tuple((next(ports), next(ports)) for _ in range(terms.layout.orchestrators)),
                execution=(next(ports), next(ports)),
            )
            (folder / "mcp_servers.json").write_text(layouts.mcp_servers(shipped_config()))
            crew = Crew(terms.layout, wiring, reaper, http)
            try:
                await crew.start()
                yield crew, discord, database
            finally:
                await crew.kill()


def _database(layout: Layout) -> contextlib.AbstractContextManager[PostgresServer | None]:
    return running_postgres() if layout.name == "postgres" else contextlib.nullcontext()


async def _break_things(terms: Terms, crew: Crew, load: Load, deeds: Deeds, folder: Path) -> list[str]:
    """Follow the plan under load; what didn't go as it should."""
    channels = layouts.CHANNELS
    faults = [fault for fault in terms.faults if fault not in terms.layout.without]
    plan = make_plan(terms.seed, steps=terms.steps, spacing=terms.spacing, faults=faults)
    problems: list[str] = []
    await load.write(channels)
    if not await load.until_answered(WARM_UP_DEADLINE):
        return ["not every message was answered before the first fault"]
    load.start()
    try:
        until = time.monotonic() + terms.seconds
        with (folder / "steps.log").open("w") as record:
            for number, step in enumerate(plan, 1):
                if time.monotonic() > until:
                    say(f"{len(plan) - number + 1} steps are left out: time is up")
                    break
                words = await _follow(step, load, deeds, problems)
                line = f"{number}/{len(plan)} after {len(load.asked)} messages: {step.fault} {words}"
                record.write(f"{time.time():.3f} {line}\n")
                record.flush()
                if number % 20 == 0:
                    say(f"{line}; {load.answers} answers, kills so far: {deeds.kills}")
        await deeds.settle()
        await load.until(len(load.asked) + channels, WARM_UP_DEADLINE)
    finally:
        await load.stop()
    return problems


async def _follow(step: Step, load: Load, deeds: Deeds, problems: list[str]) -> str:
    if not await load.until(len(load.asked) + step.gap, IDLE):
        problems.append(f"no progress for {IDLE:g} s before {step.fault} at message {len(load.asked)}")
    try:
        return await deeds.do(step) or "(nobody to hit)"
    except NotReadyError as error:
        problems.append(f"{step.fault} at message {len(load.asked)}: {error}")
        return str(error)


async def _come_to_rest(crew: Crew, discord: Discord, load: Load) -> list[str]:
    """Wait until everything is answered, or nothing has happened for a while."""
    problems = []
    try:
        await crew.until_ready()
    except NotReadyError as error:
        problems.append(f"after the last fault: {error}")
    await load.write(layouts.CHANNELS)
    count, since = -1, time.monotonic()
    while time.monotonic() - since < IDLE:
        now = (await discord.stats())["messages"]["by_bots"]
        if now != count:
            count, since = now, time.monotonic()
        elif not judge(load.asked, await discord.said_by_the_bot()).lost:
            break
        await asyncio.sleep(LOOK_EVERY)
    return problems


def _identify_problems(stats: dict[str, Any], left: tuple[int, int], crew: Crew, deeds: Deeds) -> list[str]:
    gateway = stats["gateway"]
    problems = []
    if gateway["identify_bucket_violations"] or gateway["budget_exhausted"]:
        problems.append(f"IDENTIFYs came too fast or too often: {gateway}")
    if left[0] < left[1] / 10:
        problems.append(f"the reserve of IDENTIFYs was touched: {left[0]} of {left[1]} are left")
    needed = crew.shards_started + deeds.sessions_ended
    if gateway["identifies"] > needed + MOST_EXTRA_IDENTIFIES:
        problems.append(f"{gateway['identifies']} IDENTIFYs, where {needed} were needed")
    return problems


def _bad(verdict: Verdict) -> list[int]:
    return sorted({*verdict.lost, *verdict.doubled, *verdict.out_of_order})


def _result(terms: Terms, verdict: Verdict, deeds: Deeds, stats: dict[str, Any], gaps: list[float]) -> dict[str, Any]:
    return {
        "ok": False,
        "layout": terms.layout.name,
        "seed": terms.seed,
        "issued": verdict.issued,
        "answered_once": verdict.answered_once,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "out_of_order": len(verdict.out_of_order),
        "strange": verdict.strange[:5],
        "bad": _bad(verdict)[:20],
        "kills": deeds.kills,
        "identifies": stats["gateway"]["identifies"],
        "sessions_ended": deeds.sessions_ended,
        "resumes": stats["gateway"]["resumes"],
        "resumes_refused": stats["gateway"]["resumes_refused"],
        "nonces_returned": stats["nonce"]["returned_first"],
        "handover_ms": sorted(map(round, gaps)),
        "faults": dict(sorted(deeds.done.items())),
        "missed": sum(deeds.missed.values()),
    }
