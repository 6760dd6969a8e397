"""From a message on Discord's gateway to the ledger, and to the answer, against the aims and beside stock discord.py.

    .venv/bin/python tests/benchmarks/bench_pipeline.py [--parts recording,answers,memory] [--events 20000] [--rounds 3]

Recording: frames built by the simulator beforehand, into one shard of a platform that `botswain dev` started, until the ledger
has committed them. No turn runs meanwhile: the only worker waits for a model that doesn't answer. Answers: `make check-main-job`.
Memory: RSS with many guilds less RSS with one. Progress and figures go to standard error, one JSON line to standard output.

Every throughput is that of its best round. Simulator, services and database share the processors, so events a second say what
this machine makes of all of it; events for a second of a process's own processor time say what that process can do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "checks"))

import main_job
from botswain_simulator import Simulator
from botswain_simulator.gateway.sessions import Session
from botswain_simulator.world import World
from botswain_simulator.world.defaults import build_from
from gateway_feed import build_frames, feed
from measuring import Figure, cpu_seconds, memory_mib, report
from running_platform import RunningPlatform, running_platform

PARTS = ("recording", "answers", "memory")
DEADLINE = 300.0
POLL = 0.02
SETTLE = 0.5
"""Seconds after the last event is recorded in which acknowledgements and the like are worked off, and count."""
LARGEST_SHARD = 2500
CHANNELS, ROLES = 20, 10
"""Of each guild. Guilds of popular bots have these and more; what they cost stock discord.py grows with them."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def until(what: str, condition: Callable[[], bool]) -> None:
    """Wait for what nothing announces."""
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(POLL)
    except TimeoutError:
        raise TimeoutError(f"not within {DEADLINE:g} s: {what}") from None


# -- who is measured -----------------------------------------------------------------------------------------------------


def simulator_of(guilds: int, shards: int) -> Simulator:
    """Guilds alike, and no limits that would slow a start or a feed."""
    described = {
        "users": [{"username": name} for name in ("ada", "grace", "linus")],
        "bots": [{"username": "botswain"}],
        "guilds": [{"name": "Fleet", "count": guilds, "channels": [f"channel-{n}" for n in range(CHANNELS)]}],
    }

    def build(world: World) -> None:
        build_from(world, described)
        for guild in world.guilds.values():
            for number in range(ROLES):
                world.add_role(guild, f"role-{number}")

    return Simulator(
        port=0,
        build=build,
        rate_limits="off",
        replay_limit=10_000_000,
        identify_interval=0.0,
        max_concurrency=shards,
    )


@contextlib.asynccontextmanager
async def platform_on(
    simulator: Simulator, folder: Path, shards: int = 1, **variables: str
) -> AsyncIterator[RunningPlatform]:
    """The services, as `botswain dev` runs them against a Discord that isn't its own."""
    environment = {
        "DISCORD_BOT_TOKEN": simulator.token,
        "DISCORD_API_URL": simulator.api_url,
        "SHARD_IDS": ",".join(map(str, range(shards))),
        "SHARD_COUNT": str(shards),
        "SHUTDOWN_GRACE_SECONDS": "1",
        **variables,
    }
    async with running_platform(folder, environment=environment) as platform:
        yield platform


@dataclass
class Stock:
    """Stock discord.py in a process of its own."""

    process: asyncio.subprocess.Process

    async def reached(self, sequence: int) -> None:
        """Wait until its first shard has handled everything up to there."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{sequence}\n".encode())
        await self.line()

    async def line(self) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            if not await self.process.stdout.readline():
                raise RuntimeError("stock discord.py ended; what it said is above")


@contextlib.asynccontextmanager
async def stock_on(simulator: Simulator, shards: int = 1) -> AsyncIterator[Stock]:
    """Stock discord.py, ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(Path(__file__).with_name("stock_client.py"))),
        *(simulator.api_url, simulator.gateway_url, simulator.token, str(shards)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    stock = Stock(process)
    try:
        await stock.line()
        yield stock
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# -- recording -----------------------------------------------------------------------------------------------------------


@dataclass
class Rates:
    """Events a second, and events for each second of processor time of some processes."""

    a_second: float
    of: Mapping[str, float]


async def timed(session: Session, frames: list[bytes], pids: Mapping[str, int], done: Callable[[], Any]) -> Rates:
    """Feed, and wait for `done()`."""
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    started = time.perf_counter()
    await feed(session, frames)
    await done()
    taken = time.perf_counter() - started
    await asyncio.sleep(SETTLE)
    used = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    return Rates(len(frames) / taken, {name: len(frames) / seconds for name, seconds in used.items()})


async def recording(events: int, rounds: int, folder: Path) -> list[Figure]:
    """Frames into the ledger, and the same frames into stock discord.py, in turns."""
    async with simulator_of(1, 1) as simulator, silent_model() as model:
        slow = {"MODEL": "openai:silent", "MODEL_BASE_URL": model, "WORKERS": "1"}
        patience = {"MODEL_TIMEOUT_SECONDS": "3600", "TURN_TIMEOUT_SECONDS": "3600"}
        say("recording: starting the platform and stock discord.py …")
        async with platform_on(simulator, folder, **slow, **patience) as platform, stock_on(simulator) as stock:
            ours, theirs = simulator.hub.sessions.values()
            if ours.sink is None or ours.intents == theirs.intents:
                raise RuntimeError("the two sessions can't be told apart")
            with contextlib.closing(sqlite3.connect(f"file:{folder}/botswain.db?mode=ro", uri=True)) as ledger:
                found = await _rounds(simulator, platform, stock, (ours, theirs), ledger, events, rounds)
    best = {
        name: max(rates.of[name] for rates in found if name in rates.of)
        for name in ("discord", "orchestrator", "stock")
    }
    peer = {"stock_discord_py_per_cpu_second": round(best["stock"]), "ratio": round(best["discord"] / best["stock"], 2)}
    wall = max(rates.a_second for rates in found if "discord" in rates.of)
    unit = "events/CPU-second"
    return [
        Figure(name="recorded", value=wall, unit="events/s"),
        Figure(name="recorded_by_discord_service", value=best["discord"], unit=unit, aim=25_000, beside=peer),
        Figure(name="recorded_by_orchestrator", value=best["orchestrator"], unit=unit),
    ]


async def _rounds(
    simulator: Simulator,
    platform: RunningPlatform,
    stock: Stock,
    sessions: tuple[Session, Session],
    ledger: sqlite3.Connection,
    events: int,
    rounds: int,
) -> list[Rates]:
    ours, theirs = sessions
    pids = {name: platform.pid(name) for name in ("discord", "orchestrator")}
    total, found = 0, []

    async def recorded() -> None:
        last = "select max(id) from events"
        await until(f"{total} events in the ledger", lambda: (ledger.execute(last).fetchone()[0] or 0) >= total)

    async def handled() -> None:
        await stock.reached(theirs.sequence)

    for number in range(rounds + 1):  # the first one warms up
        count = events if number else max(1000, events // 10)
        frames = build_frames(simulator, count)
        total += count
        found.append(await timed(ours, frames, pids, recorded))
        found.append(await timed(theirs, frames, {"stock": stock.process.pid}, handled))
        for name, rate in {**found[-2].of, **found[-1].of}.items():
            say(f"recording, {f'round {number}' if number else 'warm-up'}: {name} {rate:,.0f} events/CPU-second")
    rows = ledger.execute("select count(*) from events").fetchone()[0]
    if rows != total:
        raise RuntimeError(f"the ledger has {rows} events, and {total} were sent")
    return found[2:]


@contextlib.asynccontextmanager
async def silent_model() -> AsyncIterator[str]:
    """A model's server that takes requests and never answers; its base URL."""
    ended = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        ended.set()
        server.close()


# -- answers and memory --------------------------------------------------------------------------------------------------


async def answers(messages: int, rate: float, folder: Path) -> list[Figure]:
    """From a message to the answer, through everything."""
    tools = str(messages // 10)
    arguments = ["--messages", str(messages), "--rate", str(rate), "--with-tools", tools]
    outcome = await main_job.check(main_job.parse(arguments), folder)
    if not outcome["ok"]:
        raise RuntimeError(f"the main job failed: {outcome['problems']}")
    about = {"messages": messages, "a_second": rate, "with_tools": outcome["with_tools"], "max_ms": outcome["max_ms"]}
    return [
        Figure(name="answer_p50", value=outcome["p50_ms"], unit="ms", aim=25, at_most=True, beside=about),
        Figure(name="answer_p99", value=outcome["p99_ms"], unit="ms", aim=100, at_most=True),
    ]


async def memory(sizes: list[int], folder: Path) -> list[Figure]:
    """MiB for each 1,000 guilds, ours and stock discord.py's."""
    alone = await _resident(1, folder)
    figures = []
    for guilds in sizes:
        many = await _resident(guilds, folder)
        ours, theirs = ((full - bare) / guilds * 1000 for full, bare in zip(many, alone, strict=True))
        beside = {
            "rss_mib": round(many[0], 1),
            "stock_discord_py": round(theirs, 1),
            "stock_rss_mib": round(many[1], 1),
        }
        name = f"memory_at_{guilds}_guilds"
        figures.append(Figure(name=name, value=ours, unit="MiB/1,000 guilds", aim=5, at_most=True, beside=beside))
    return figures


async def _resident(guilds: int, folder: Path) -> tuple[float, float]:
    """RSS in MiB of discord-service and of stock discord.py, once they know so many guilds."""
    shards = -(-guilds // LARGEST_SHARD)
    say(f"memory: {guilds} guilds on {shards} shards …")
    async with simulator_of(guilds, shards) as simulator:
        async with platform_on(simulator, folder / str(guilds), shards) as platform:
            about = next(part for part in platform.about["parts"] if part["name"] == "discord")
            url = f"http://{about['addresses']['http']}/metrics"
            async with asyncio.timeout(DEADLINE):
                while await _dispatches(platform, url) < guilds:  # noqa: ASYNC110
                    await asyncio.sleep(POLL)
            ours = memory_mib(platform.pid("discord"))
        async with stock_on(simulator, shards) as stock:
            theirs = memory_mib(stock.process.pid)
    return ours, theirs


async def _dispatches(platform: RunningPlatform, url: str) -> float:
    """GUILD_CREATEs that discord-service has handled, and what else isn't a message."""
    text = (await platform.http.get(url)).text
    found = re.search(r'^botswain_discord_dispatches_total\{kind="other"\} (\S+)', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def measure(options: argparse.Namespace, folder: Path) -> list[Figure]:
    """The figures that were asked for."""
    figures: list[Figure] = []
    if "recording" in options.parts:
        figures += await recording(options.events, options.rounds, folder / "recording")
    if "answers" in options.parts:
        figures += await answers(options.messages, options.rate, folder / "answers")
    if "memory" in options.parts:
        figures += await memory([1_000, 10_000], folder / "memory")
    return figures


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "--parts", type=lambda text: text.split(","), default=list(PARTS), help=f"some of {', '.join(PARTS)}"
    )
    parser.add_argument("--events", type=int, default=20_000, help="events of each round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds after the warm-up (%(default)s)")
    parser.add_argument("--messages", type=int, default=500, help="messages that are answered (%(default)s)")
    parser.add_argument("--rate", type=float, default=50.0, help="messages a second (%(default)s)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"--parts: unknown {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


def main() -> None:
    options = parse()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="botswain-bench-") as folder:
        figures = asyncio.run(measure(options, Path(folder)))
    report("pipeline", figures, load_before=round(load, 1), load_after=round(os.getloadavg()[0], 1))


if __name__ == "__main__":
    main()
