"""The service framework against its aims. Prints a line a figure on stderr, and all of them as one JSON line last.

    .venv/bin/python tests/benchmarks/bench_framework.py [--seconds 3] [--rounds 3]

Every figure is the best of its rounds: what the code can do, not what else the machine was doing. Throughput of servers is given
for a second of their own processor time too, which other work on the machine disturbs less. The original, where a figure
of it is given, did not run on this Python version; its figures are those of the design, measured on the same kind of machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import uvloop
from botswain_services import Gateway
from botswain_services.samples.echo_service import EchoService
from measuring import Figure, cpu_seconds, memory_mib, report

CONNECTIONS = 32


def best(rounds: int, measure: Callable[[], float], *, least: bool) -> float:
    """The best of several rounds."""
    values = [measure() for _ in range(rounds)]
    return min(values) if least else max(values)


def import_seconds() -> tuple[float, float]:
    """A Python process that imports the framework, from start to end: seconds, and seconds of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import botswain_services"], check=True)
    taken = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def launch_seconds() -> float:
    """From `launch()` to a client of a ready service."""
    started = time.perf_counter()
    manager = EchoService.launch(port=0, progress_bar=False)
    taken = time.perf_counter() - started
    manager.shutdown()
    return taken


def sync_rate(manager: Any, seconds: float) -> float:
    """Calls a second of the generated client, one after the other."""
    calls, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(50):
            manager.echo(message="hello")
        calls += 50
    return calls / (time.perf_counter() - started)


def async_rate(manager: Any, seconds: float) -> float:
    """Calls a second of the generated client, 32 in flight."""

    async def main() -> float:
        end = time.perf_counter() + seconds
        calls = 0

        async def caller() -> None:
            nonlocal calls
            while time.perf_counter() < end:
                await manager.aecho(message="hello")
                calls += 1

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
        return calls / (time.perf_counter() - started)

    return float(in_loop(main()))


def in_loop(main: Any) -> Any:
    """Run in the event loop that the services run in."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


class Raw(asyncio.Protocol):
    """One connection that sends the same request again and again. Answers are told apart by their length."""

    def __init__(self, request: bytes, end: float) -> None:
        self.request = request
        self.end = end
        self.done = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self._buffer = b""
        self._length = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._send()

    def _send(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(
            next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
        )
        if len(body) < length:
            return
        now = time.perf_counter()
        self.latencies.append(now - self.sent)
        self._buffer = b""
        if now < self.end:
            self._send()
        else:
            self.transport.close()
            self.done.set_result(None)


def raw_load(url: Any, path: str, connections: int, seconds: float) -> list[float]:
    """Latencies of all requests that `connections` connections made in `seconds`."""
    body = b'{"message":"hello"}'
    head = f"POST {path} HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        end = time.perf_counter() + seconds
        made = [
            await loop.create_connection(lambda: Raw(head.encode() + body, end), "127.0.0.1", url.port)
            for _ in range(connections)
        ]
        await asyncio.gather(*(protocol.done for _, protocol in made))
        return [latency for _, protocol in made for latency in protocol.latencies]

    return list(in_loop(main()))


def rates(pid: int, url: Any, path: str, seconds: float, rounds: int) -> tuple[float, float]:
    """(requests a second, requests a second of the server's processor time), each the best of its rounds."""
    found = []
    for _ in range(rounds):
        before = cpu_seconds(pid)
        count = len(raw_load(url, path, CONNECTIONS, seconds))
        found.append((count / seconds, count / (cpu_seconds(pid) - before)))
    return max(rate for rate, _ in found), max(rate for _, rate in found)


def client_rates(
    run: Callable[[Any, float], float], manager: Any, pid: int, seconds: float, rounds: int
) -> tuple[float, dict[str, Any]]:
    """Calls a second, and for a second of processor time of the client and of the service; each the best of its rounds."""
    run(manager, 0.3)  # connects, and imports what is imported with the first call
    found = []
    for _ in range(rounds):
        own, theirs = cpu_seconds(os.getpid()), cpu_seconds(pid)
        rate = run(manager, seconds)
        calls = rate * seconds
        found.append((rate, calls / (cpu_seconds(os.getpid()) - own), calls / (cpu_seconds(pid) - theirs)))
    rate, client, service = (max(values) for values in zip(*found, strict=True))
    return rate, {"per_cpu_second_of_the_client": round(client), "per_cpu_second_of_the_service": round(service)}


BARE = """
import socket, sys, uvicorn
from fastapi import FastAPI
from botswain_services.samples.echo_service import EchoInput, EchoOutput
app = FastAPI()
@app.post("/echo", response_model=EchoOutput)
def echo(payload: EchoInput): return EchoOutput(echoed=payload.message)
server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
server.run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def bare_fastapi(seconds: float, rounds: int) -> float:
    """Requests a second of processor time of the same endpoint in FastAPI under uvicorn, without logs, metrics, ids or limits."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        url = SimpleNamespace(host="127.0.0.1", port=listener.getsockname()[1])
        command = [sys.executable, "-c", BARE, str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
        try:
            raw_load(url, "/echo", CONNECTIONS, 0.5)
            return rates(process.pid, url, "/echo", seconds, rounds)[1]
        finally:
            process.terminate()
            process.wait()


def added_milliseconds(gateway: Any, echo: Any, seconds: float) -> float:
    """What the gateway adds to one request at p50: direct and through it in turns."""
    direct: list[float] = []
    through: list[float] = []
    for _ in range(5):
        direct += raw_load(echo.url, "/echo", 1, seconds / 10)
        through += raw_load(gateway.url, "/echo/echo", 1, seconds / 10)
    return (statistics.median(through) - statistics.median(direct)) * 1000


def measure(seconds: float, rounds: int) -> list[Figure]:
    """All figures."""
    importing, processing = map(min, zip(*(import_seconds() for _ in range(rounds + 2)), strict=True))
    figures = [
        Figure(
            name="import",
            value=importing,
            unit="s",
            aim=0.6,
            at_most=True,
            beside={"seconds_of_processor_time": round(processing, 2), "original": "4.7-6.3"},
        ),
        Figure(
            name="launch_to_ready",
            value=best(rounds, launch_seconds, least=True),
            unit="s",
            aim=1.5,
            at_most=True,
            beside={"original": "4.6-10.6"},
        ),
    ]
    echo = EchoService.launch(port=0, progress_bar=False)
    gateway = Gateway.launch(port=0, progress_bar=False)
    try:
        figures += served(echo, gateway, seconds, rounds)
    finally:
        gateway.shutdown()
        echo.shutdown()
    return figures


def served(echo: Any, gateway: Any, seconds: float, rounds: int) -> list[Figure]:
    """Figures of a service and a gateway that run."""
    pid = echo._launched.process.pid
    rss = memory_mib(pid)
    gateway.register_app(name="echo", url=str(echo.url))
    raw_load(echo.url, "/echo", CONNECTIONS, 0.5)
    raw_load(gateway.url, "/echo/echo", CONNECTIONS, 0.5)
    raw = rates(pid, echo.url, "/echo", seconds, rounds)
    proxied = rates(gateway._launched.process.pid, gateway.url, "/echo/echo", seconds, rounds)
    in_turns, turn_costs = client_rates(sync_rate, echo, pid, seconds, rounds)
    side_by_side, side_costs = client_rates(async_rate, echo, pid, seconds, rounds)
    added = best(rounds, lambda: added_milliseconds(gateway, echo, seconds), least=True)
    bare = bare_fastapi(seconds, rounds)
    peers = {"per_cpu_second": round(raw[1]), "bare_fastapi_per_cpu_second": round(bare), "original": "294-700"}
    through = {"per_cpu_second": round(proxied[1])}
    return [
        Figure(name="rss_of_a_plain_service", value=rss, unit="MiB", aim=80, at_most=True),
        Figure(
            name="client_sync_sequential",
            value=in_turns,
            unit="calls/s",
            aim=1000,
            beside={**turn_costs, "original": "15-22"},
        ),
        Figure(name="client_async_32_in_flight", value=side_by_side, unit="calls/s", aim=3000, beside=side_costs),
        Figure(name="raw_echo_32_connections", value=raw[0], unit="req/s", aim=2500, beside=peers),
        Figure(name="gateway_32_connections", value=proxied[0], unit="req/s", aim=1500, beside=through),
        Figure(name="gateway_added_p50", value=added, unit="ms", aim=2.0, at_most=True),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round (default: 3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each figure (default: 3)")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as state:
        os.environ["SERVICE_STATE_DIR"] = state
        for name in ("SERVICE_AUTH_SECRET", "BOTSWAIN_ENV", "API_GATEWAY_URL"):
            os.environ.pop(name, None)
        figures = measure(options.seconds, options.rounds)
    report("framework", figures, load_before=load)


if __name__ == "__main__":
    main()
