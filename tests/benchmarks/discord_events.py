"""Events per CPU-second of discord-service: gateway frame in, acknowledged by the orchestrator out.

The measured process runs the whole service: discord.py's WebSocket with zstd, normalisation, outbox, Publish stream. Simulator
and a bare orchestrator run in another process, whose CPU time doesn't count. Prints one JSON line.

    .venv/bin/python tests/benchmarks/discord_events.py [events]
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

SECRET = "a-secret-of-the-benchmark-that-is-long"


async def feeder() -> None:
    """The other process: says where it is, then sends as many messages as each line on stdin asks for."""
    from botswain_proto.v1 import orchestrator_pb2_grpc
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

    server = RpcServer("127.0.0.1", 0, TokenVerifier(SECRET, audience="orchestrator-service"))
    add = orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server
    server.add_servicer("botswain.v1.OrchestratorService", add, Orchestrator())
    await server.start()
    async with Simulator(port=0, rate_limits="off", replay_limit=10_000_000) as simulator:
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
            (session,) = simulator.hub.sessions.values()
            await feed(session, build_frames(simulator, int(line)))


async def measure(events: int) -> None:
    """Run the service against the other process and print the figure."""
    from botswain_discord import DiscordAdapter, DiscordSettings, metrics
    from botswain_services.lifecycle import serve
    from botswain_services.logs import configure_logging

    configure_logging("discord-service", level="INFO")
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, __file__, "--feed", stdin=pipe, stdout=pipe)
    assert child.stdin is not None
    assert child.stdout is not None
    service = DiscordAdapter(DiscordSettings.model_validate(json.loads(await child.stdout.readline())))
    stop = asyncio.Event()
    running = asyncio.create_task(serve(service, stop=stop))

    async def forwarded(count: int) -> None:
        while metrics.FORWARDED._value.get() < count:  # noqa: ASYNC110 - a benchmark may poll
            await asyncio.sleep(0.02)

    async def send(count: int) -> None:
        before = metrics.FORWARDED._value.get()
        child.stdin.write(f"{count}\n".encode())
        await forwarded(before + count)

    while service.bot.problem() is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await send(2_000)
    cpu, wall = time.process_time(), time.monotonic()
    await send(events)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    result = {
        "events": events,
        "cpu_seconds": round(cpu, 3),
        "wall_seconds": round(wall, 3),
        "events_per_cpu_second": round(events / cpu),
        "max_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    stop.set()
    await running
    child.stdin.close()
    child.kill()
    await child.wait()
    print(json.dumps(result))


if __name__ == "__main__":
    if "--feed" in sys.argv:
        asyncio.run(feeder())
    else:
        import uvloop

        uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
