"""Events per CPU-second of discord-service: gateway frame in, acknowledged by the orchestrator out.

The measured process runs the whole service: discord.py's WebSocket with zstd, normalisation, outbox, Publish stream, under a
claim. Beside it, by turns, a process with discord.py as it comes and an `on_message` that does nothing. Simulator and a bare
orchestrator run in another process, whose CPU time doesn't count. Prints one JSON line.

    .venv/bin/python tests/benchmarks/discord_events.py [events]
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

ROUNDS = 2
GRACE = 10.0
"""Seconds a process has to end by itself."""
SECRET = "a-secret-of-the-benchmark-that-is-long"


async def feeder() -> None:
    """The other process: says where it is, then sends as many messages as each line on stdin asks for."""
    from botswain_proto.v1 import coordination_pb2_grpc, orchestrator_pb2_grpc
    from botswain_proto.v1.coordination_pb2 import ClaimGranted, ClaimResponse, PermitIdentifyResponse
    from botswain_proto.v1.orchestrator_pb2 import PublishResponse
    from botswain_services.auth import TokenVerifier
    from botswain_services.rpc import RpcServer
    from botswain_simulator import Simulator
    from gateway_feed import build_frames, feed

    class Orchestrator(orchestrator_pb2_grpc.OrchestratorServiceServicer):
        async def Process(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
            raise NotImplementedError

        async def Publish(self, request_iterator: Any, context: Any) -> AsyncIterator[PublishResponse]:  # noqa: N802
            async for request in request_iterator:
                yield PublishResponse(batch_id=request.batch_id, recorded=len(request.events))

    class Coordination(coordination_pb2_grpc.CoordinationServiceServicer):
        """Grants whatever is asked for."""

        async def Claim(self, request_iterator: Any, context: Any) -> AsyncIterator[ClaimResponse]:  # noqa: N802
            async for request in request_iterator:
                if request.WhichOneof("step") == "start":
                    yield ClaimResponse(granted=ClaimGranted(epoch=1))
                else:
                    yield ClaimResponse(renewed={})

        async def PermitIdentify(self, request: Any, context: Any) -> PermitIdentifyResponse:  # noqa: N802
            return PermitIdentifyResponse(permitted=True)

    server = RpcServer("127.0.0.1", 0, TokenVerifier(SECRET, audience="orchestrator-service"))
    add = orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server
    server.add_servicer("botswain.v1.OrchestratorService", add, Orchestrator())
    coordinate = coordination_pb2_grpc.add_CoordinationServiceServicer_to_server
    server.add_servicer("botswain.v1.CoordinationService", coordinate, Coordination())
    await server.start()
    async with Simulator(port=0, rate_limits="off", replay_limit=10_000_000, identify_interval=0.0) as simulator:
        application = next(iter(simulator.world.applications.values()))
        variables = {
            "discord_bot_token": application.token,
            "discord_application_id": application.id,
            "discord_api_url": simulator.api_url,
            "gateway_service_url": f"grpc://127.0.0.1:{server.port}",
            "service_auth_secret": SECRET,
            "health_port": "0",
        }
        print(json.dumps(variables), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            (session,) = (each for each in simulator.hub.sessions.values() if each.sink is not None)
            await feed(session, build_frames(simulator, int(line)))
            print("fed", flush=True)


async def forward() -> None:
    """The service: says when it reads, then how much processor time each number of messages from stdin took."""
    from botswain_discord import DiscordAdapter, DiscordSettings, metrics
    from botswain_services.lifecycle import serve
    from botswain_services.logs import configure_logging

    configure_logging("discord-service", level="INFO")
    service = DiscordAdapter(DiscordSettings.model_validate(json.loads(sys.stdin.readline())))
    stop = asyncio.Event()
    running = asyncio.create_task(serve(service, stop=stop))
    while service.bot.problem() is not None:  # noqa: ASYNC110 - a benchmark may poll
        await asyncio.sleep(0.02)
    await report(lambda: int(metrics.FORWARDED._value.get()))
    stop.set()
    await running


async def listen() -> None:
    """discord.py as it comes, with an `on_message` that does nothing but count: the same for a bot that forwards nothing."""
    import discord
    import yarl
    from discord.gateway import DiscordWebSocket
    from discord.http import Route

    variables = json.loads(sys.stdin.readline())
    Route.BASE = variables["discord_api_url"]
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(
        variables["discord_api_url"].replace("http", "ws").removesuffix("/api/v10")
    )
    intents = discord.Intents.none()
    intents.guilds = intents.guild_messages = intents.message_content = True
    client = discord.Client(intents=intents)
    count = 0

    @client.event
    async def on_message(message: discord.Message) -> None:
        nonlocal count
        count += 1

    running = asyncio.create_task(client.start(variables["discord_bot_token"]))
    while not client.is_ready():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await report(lambda: count)
    await client.close()
    await asyncio.wait({running})


async def report(seen: Callable[[], int]) -> None:
    """Say that messages may come; for each number from stdin, wait for as many and say what they took."""
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        goal = seen() + int(line)
        cpu, wall = time.process_time(), time.monotonic()
        print("go", flush=True)
        while seen() < goal:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"cpu": cpu, "wall": wall, "rss_mib": round(rss)}), flush=True)


class Child:
    """One of the modes above, as a process."""

    def __init__(self, mode: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(mode: str, feeder: Child, variables: str, events: int) -> dict[str, float]:
    """What `events` messages took, after some to warm up."""
    child = Child(mode)
    figures: dict[str, float] = {}
    try:
        child.tell(variables)
        assert child.hear() == "ready"
        for count in (2_000, events):
            child.tell(str(count))
            assert child.hear() == "go"
            feeder.tell(str(count))
            assert feeder.hear() == "fed"
            figures = json.loads(child.hear())
    finally:
        child.end()
    return figures


def main(events: int) -> None:
    """Service and stock library by turns; one JSON line."""
    feeder = Child("--feed")
    variables = feeder.hear()
    taken: dict[str, list[dict[str, float]]] = {"--forward": [], "--listen": []}
    for _ in range(ROUNDS):
        for mode, figures in taken.items():
            figures.append(run(mode, feeder, variables, events))
    feeder.end()
    rates = {mode: round(events * ROUNDS / sum(each["cpu"] for each in figures)) for mode, figures in taken.items()}
    result = {
        "events": events * ROUNDS,
        "events_per_cpu_second": rates["--forward"],
        "aim": 25_000,
        "stock_events_per_cpu_second": rates["--listen"],
        "ratio": round(rates["--forward"] / rates["--listen"], 2),
        "rounds": [round(events / each["cpu"]) for each in taken["--forward"]],
        "stock_rounds": [round(events / each["cpu"]) for each in taken["--listen"]],
        "wall_seconds": round(sum(each["wall"] for each in taken["--forward"]), 2),
        "max_rss_mib": max(each["rss_mib"] for each in taken["--forward"]),
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    import uvloop

    modes = {"--feed": feeder, "--forward": forward, "--listen": listen}
    if len(sys.argv) > 1 and sys.argv[1] in modes:
        loop = asyncio.run if sys.argv[1] == "--feed" else uvloop.run
        loop(modes[sys.argv[1]]())
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
