"""Tool calls through execution-service against their aims: gRPC in, four warm processes of an MCP server behind it.

    .venv/bin/python tests/benchmarks/bench_execution.py [--seconds 5] [--rounds 3]

Calls a second: 64 in flight, the best of its rounds; this process, the service and the four servers share the processors, so
calls for each second of the service's own processor time stand beside. Latency: 200 calls a second, evenly spaced, each
counted from the moment when it was due. The peer is the official SDK's own client with four sessions over stdio and the same
calls in flight, in the same run. Figures go to standard error, one JSON line to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "checks"))

import httpx
import psutil
import uvloop
from answers import percentile
from botswain_cli.ports import find_free
from botswain_proto.v1 import execution_pb2, execution_pb2_grpc
from botswain_services.auth import TokenIssuer
from botswain_services.rpc import connect
from measuring import Figure, cpu_seconds, report

REPLICAS = 4
IN_FLIGHT = 64
SECRET = "a-secret-of-the-benchmark-that-is-long"
SERVER = str(Path(__file__).with_name("echo_server.py"))
READY_DEADLINE = 60.0

Call = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[int, Call]]:
    """execution-service in a process of its own: its process id, and a call of the tool through it."""
    config = folder / "mcp_servers.json"
    entry = {"command": sys.executable, "args": [SERVER], "replicas": REPLICAS, "required": True}
    config.write_text(json.dumps({"mcpServers": {"echo": entry}}))
    http_port, grpc_port = find_free("127.0.0.1", 2)
    environment = os.environ | {
        "SERVICE_AUTH_SECRET": SECRET,
        "MCP_SERVERS_CONFIG": str(config),
        "HTTP_PORT": str(http_port),
        "GRPC_PORT": str(grpc_port),
    }
    with (folder / "execution.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "botswain_execution"), env=environment, stderr=log
        )
    try:
        await _replicas_up(f"http://127.0.0.1:{http_port}/tools", folder / "execution.log")
        tokens = TokenIssuer(SECRET, issuer="orchestrator-service", audience="execution-service")
        peer = connect(f"grpc://127.0.0.1:{grpc_port}", tokens, variable="GRPC_PORT")
        stub = execution_pb2_grpc.ExecutionServiceStub(peer.channel)
        request = execution_pb2.CallToolRequest(name="echo", idempotency_key="run-of-a-benchmark-1")
        request.arguments.update({"text": "hello there " * 10})
        request.context.bot_id = request.context.correlation_id = "benchmark"

        async def call() -> None:
            response = await stub.CallTool(request, timeout=30, metadata=peer.metadata())
            if response.is_error:
                raise RuntimeError(response.content[0].text)

        yield process.pid, call
        await peer.close()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _replicas_up(url: str, log: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            async with asyncio.timeout(READY_DEADLINE):
                while True:
                    with contextlib.suppress(httpx.ConnectError):
                        (server,) = (await http.get(url)).json()["servers"]
                        if server["replicas"]["ready"] == REPLICAS:
                            return
                    await asyncio.sleep(0.1)
        except TimeoutError:
            said = await asyncio.to_thread(log.read_text)
            raise TimeoutError(f"execution-service isn't ready; its log ends: {said[-500:]}") from None


@contextlib.asynccontextmanager
async def sdk_sessions() -> AsyncIterator[Call]:
    """The peer: a call goes to each of four sessions of the SDK's client in turn."""
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async with contextlib.AsyncExitStack() as stack:
        sessions = []
        for _ in range(REPLICAS):
            streams = await stack.enter_async_context(
                stdio_client(StdioServerParameters(command=sys.executable, args=[SERVER, "--sdk"]))
            )
            session = await stack.enter_async_context(ClientSession(*streams))
            await session.initialize()
            await session.list_tools()
            sessions.append(session)
        turn = 0

        async def call() -> None:
            nonlocal turn
            turn += 1
            await sessions[turn % REPLICAS].call_tool("echo", {"text": "hello there " * 10})

        yield call


async def throughput(call: Call, seconds: float) -> int:
    """Calls made in that time."""
    made, end = 0, time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal made
        while time.perf_counter() < end:
            await call()
            made += 1

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return made


async def latencies(call: Call, rate: float, seconds: float) -> list[float]:
    """Milliseconds of each call, evenly spaced."""
    clock = time.perf_counter  # uvloop's own counts milliseconds
    begin = clock()
    taken: list[float] = []

    async def one(due: float) -> None:
        await call()
        taken.append(1000 * (clock() - due))

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            await asyncio.sleep(max(0.0, due - clock()))
            group.create_task(one(due))
    return taken


async def peer(seconds: float, rounds: int) -> None:
    """In a process of its own: calls a second, and for a second of processor time, of the SDK's client."""
    async with sdk_sessions() as call:
        await throughput(call, 0.5)
        found = []
        for _ in range(rounds):
            before = cpu_seconds(os.getpid())
            made = await throughput(call, seconds)
            found.append((made / seconds, made / (cpu_seconds(os.getpid()) - before)))
    print(json.dumps({"a_second": max(a for a, _ in found), "per_cpu_second": max(b for _, b in found)}))


async def peer_figures(seconds: float, rounds: int) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--peer", "--seconds", str(seconds), "--rounds", str(rounds)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the peer failed; what it said is above")
    return {f"sdk_client_{name}": round(value) for name, value in json.loads(out).items()}


async def measure(seconds: float, rounds: int, folder: Path) -> list[Figure]:
    """All figures."""
    async with service(folder) as (pid, call):
        await throughput(call, 1.0)
        found = []
        servers = [child.pid for child in psutil.Process(pid).children()]
        for _ in range(rounds):
            before = cpu_seconds(pid), sum(map(cpu_seconds, servers)), cpu_seconds(os.getpid())
            made = await throughput(call, seconds)
            after = cpu_seconds(pid), sum(map(cpu_seconds, servers)), cpu_seconds(os.getpid())
            used = [1000 * (end - start) / made for start, end in zip(before, after, strict=True)]
            found.append((made / seconds, *used))
        taken = await latencies(call, 200.0, 2 * seconds)
    costs = {
        f"{who}_cpu_ms_a_call": round(min(one[place] for one in found), 3)
        for place, who in enumerate(("service", "server", "caller"), start=1)
    }
    beside = await peer_figures(seconds, rounds) | costs
    median = {"p50_ms": round(statistics.median(taken), 2), "max_ms": round(max(taken), 1)}
    per_cpu = 1000 / min(one[1] for one in found)
    return [
        Figure(name="tool_calls", value=max(one[0] for one in found), unit="calls/s", aim=1500, beside=beside),
        Figure(name="tool_calls_of_the_service", value=per_cpu, unit="calls/CPU-second"),
        Figure(
            name="p99_at_200_a_second", value=percentile(taken, 0.99), unit="ms", aim=20, at_most=True, beside=median
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each throughput (%(default)s)")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        uvloop.run(peer(options.seconds, options.rounds))
        return
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="botswain-bench-") as folder:
        figures = uvloop.run(measure(options.seconds, options.rounds, Path(folder)))
    report("execution", figures, load_before=round(load, 1), load_after=round(os.getloadavg()[0], 1))


if __name__ == "__main__":
    main()
