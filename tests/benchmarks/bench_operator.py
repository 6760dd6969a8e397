"""The operator with many bots, against the API server emulator: how fast it makes them, how fast one change arrives, what it
holds in memory, and what a restart writes. Prints progress, then one JSON line.

    python tests/benchmarks/bench_operator.py [--bots 1000] [--changes 200]

The emulator is Python too and takes its share of the time: figures are a floor for the operator, not a measure of an API server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from measuring import cpu_seconds, memory_mib
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


async def main(bots: int, count: int) -> None:
    async with running(chart_roles(), LEASE_SECONDS="60") as world:
        idle = memory_mib(world.operator.pid, "VmRSS")
        before = cpu_seconds(world.operator.pid)
        rate = await burst(world, bots)
        cpu = cpu_seconds(world.operator.pid) - before
        print(f"burst: {bots} bots, {rate:.1f} bots/s, {len(world.emulator.writes())} writes", flush=True)
        await world.quiet()
        taken = sorted(await changes(world, count, bots))
        print(f"one change: p50 {statistics.median(taken):.1f} ms", flush=True)
        rss, peak = memory_mib(world.operator.pid, "VmRSS"), memory_mib(world.operator.pid, "VmHWM")
        writes, seconds = await restart(world)
        defects = world.operator.defects()
    result = {
        "bots": bots,
        "burst_bots_per_s": round(rate, 1),
        "burst_bots_per_cpu_s": round(bots / cpu, 1),
        "change_p50_ms": round(statistics.median(taken), 1),
        "change_p99_ms": round(taken[int(len(taken) * 0.99) - 1], 1),
        "rss_idle_mib": round(idle, 1),
        "rss_mib": round(rss, 1),
        "rss_peak_mib": round(peak, 1),
        "restart_writes": writes,
        "restart_seconds": round(seconds, 1),
        "defects": len(defects),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bots", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=200)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.bots, arguments.changes))
