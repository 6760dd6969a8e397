"""The operator with many bots, against the API server emulator: how fast it makes them, how fast one change arrives, what it
holds in memory, and what a restart writes. Progress and figures go to standard error, one JSON line to standard output.

    python tests/benchmarks/bench_operator.py [--bots 1000] [--changes 200]

The emulator is Python too and takes its share of the time: figures are a floor for the operator, not a measure of an API server.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "checks"))

import uvloop
from answers import percentile
from measuring import Figure, cpu_seconds, memory_mib, report
from operator_world.world import World, chart_roles, running

LIMIT_SECONDS = 300.0


async def until(what: str, check: object) -> float:
    """Wait for `check()`; how long it took."""
    assert callable(check)
    started = time.perf_counter()
    while not check():
        if time.perf_counter() - started > LIMIT_SECONDS:
            raise TimeoutError(f"not within {LIMIT_SECONDS:g} s: {what}")
        await asyncio.sleep(0.001)
    return time.perf_counter() - started


def complete(world: World, count: int) -> bool:
    """Whether every bot says that its rollout is complete."""
    bots = world.store.list(world.store.kinds["botswain.dev", "discordbots"])
    done = 0
    for body in bots:
        conditions = (body.get("status") or {}).get("conditions") or []
        done += any(item["type"] == "Progressing" and item["reason"] == "Complete" for item in conditions)
    return done >= count


async def burst(world: World, count: int) -> float:
    """Bots per second from the first apply to the last one complete."""
    started = time.perf_counter()
    for number in range(count):
        world.bot(f"bot-{number}")
        if number % 10 == 9:
            await asyncio.sleep(0)
    while not complete(world, count):
        if time.perf_counter() - started > LIMIT_SECONDS:
            raise TimeoutError("the burst was not made in time")
        await asyncio.sleep(0.2)
    return count / (time.perf_counter() - started)


async def changes(world: World, count: int, bots: int) -> list[float]:
    """Milliseconds from a bot's change to its Deployment's, one after another."""
    taken = []
    for number in range(count):
        name, replicas = f"bot-{number * 7 % bots}", 2 + number // bots
        world.change(name, execution={"replicas": replicas})
        taken.append(1000 * await until(name, partial(_has, world, f"{name}-execution", replicas)))
    return taken


def _has(world: World, deployment: str, replicas: int) -> bool:
    return bool(world.deployment(deployment)["spec"]["replicas"] == replicas)


async def restart(world: World) -> tuple[int, float]:
    """Writes of a new process until it has looked at every bot, and the seconds it took."""
    await world.quiet()
    await world.operator.stop()
    before = len(world.emulator.requests)
    asked = world.discord.asked
    world.operator = world.new_operator()
    started = time.perf_counter()
    await world.operator.start()
    await world.ready()
    bots = len(world.names("botswain.dev", "discordbots"))
    await until("every token was checked", lambda: world.discord.asked >= asked + 2 * bots)
    taken = time.perf_counter() - started
    await world.quiet()
    writes = [found for found in world.emulator.requests[before:] if found[0] != "GET" and "/leases" not in found[1]]
    return len(writes), taken


async def measure(bots: int, count: int) -> list[Figure]:
    async with running(chart_roles(), LEASE_SECONDS="60") as world:
        pid = world.operator.pid
        idle = memory_mib(pid)
        before = cpu_seconds(pid), cpu_seconds(os.getpid())
        rate = await burst(world, bots)
        operator, server = (cpu_seconds(who) - start for who, start in zip((pid, os.getpid()), before, strict=True))
        writes = len(world.emulator.writes())
        print(f"burst: {bots} bots, {rate:.1f} bots/s, {writes} writes", file=sys.stderr, flush=True)
        await world.quiet()
        taken = sorted(await changes(world, count, bots))
        rss, peak = memory_mib(pid), memory_mib(pid, "VmHWM")
        rewritten, seconds = await restart(world)
        defects = world.operator.defects()
    assert not defects, defects
    cost = {
        "bots_per_cpu_second_of_the_operator": round(bots / operator, 1),
        "bots_per_cpu_second_of_the_emulator": round(bots / server, 1),
        "writes_a_bot": round(writes / bots, 1),
    }
    return [
        Figure(name="burst", value=rate, unit="bots/s", aim=50, beside=cost),
        Figure(name="one_change_p50", value=statistics.median(taken), unit="ms", aim=100, at_most=True),
        Figure(name="one_change_p99", value=percentile(taken, 0.99), unit="ms", aim=300, at_most=True),
        Figure(
            name="rss",
            value=rss,
            unit="MiB",
            aim=150,
            at_most=True,
            beside={"idle_mib": round(idle, 1), "peak_mib": round(peak, 1)},
        ),
        Figure(
            name="writes_after_restart",
            value=rewritten,
            unit="writes",
            aim=0,
            at_most=True,
            beside={"seconds": round(seconds, 1)},
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--bots", type=int, default=1000, help="how many bots (%(default)s)")
    parser.add_argument("--changes", type=int, default=200, help="how many changes, one after another (%(default)s)")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    figures = uvloop.run(measure(options.bots, options.changes))
    loads = {"load_before": round(load, 1), "load_after": round(os.getloadavg()[0], 1)}
    report("operator", figures, bots=options.bots, **loads)


if __name__ == "__main__":
    main()
