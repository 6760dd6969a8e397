"""Processes from start to end: signals, failing starts, slow clients."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest
from botswain_services import Service, ServiceSettings, StartupError, lifecycle

PROGRAM = """
import asyncio, sys
from botswain_services import Service, StartupError, run_service, load_settings, ServiceSettings

class Sample(Service):
    async def startup(self):
        if "fail" in sys.argv:
            raise StartupError("no database")
        if "hang" in sys.argv:
            print("hanging", flush=True)
            await asyncio.Event().wait()
        print("started", flush=True)

    async def drain(self):
        print("draining", flush=True)
        if "stubborn" in sys.argv:
            await asyncio.Event().wait()

    async def shutdown_cleanup(self):
        print("cleaned", flush=True)

sys.exit(run_service(lambda: Sample(settings=load_settings(ServiceSettings), host="127.0.0.1", port=0, grpc_port=0)))
"""


@contextlib.contextmanager
def program(*arguments, **variables):
    environment = {**os.environ, "BOTSWAIN_ENV": "development", "SHUTDOWN_GRACE_SECONDS": "2", **variables}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_cleans_up(number):
    """Exit code 0, in order."""
    with program() as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
        assert (out, process.returncode) == ("draining\ncleaned\n", 0)


def test_a_signal_during_the_start_ends_it():
    """A start that hangs can be given up, and is cleaned up after."""
    with program("hang") as process:
        assert process.stdout.readline() == "hanging\n"
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
        assert (out.splitlines()[-1], process.returncode) == ("cleaned", 0)


def test_a_drain_that_hangs_is_bounded():
    """The grace period holds; clean-up still runs."""
    with program("stubborn", SHUTDOWN_GRACE_SECONDS="0.2") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
        assert (out, process.returncode) == ("draining\ncleaned\n", 0)
        assert "shutdown_step_timed_out" in err


def test_a_second_signal_ends_at_once():
    """Who insists is obeyed."""
    with program("stubborn", SHUTDOWN_GRACE_SECONDS="600") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "draining\n"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        assert (out, process.returncode) == ("", -signal.SIGTERM)


def test_a_failed_start_says_why_in_one_line():
    """Exit code 1, cleaned up, no traceback."""
    with program("fail") as process:
        out, err = process.communicate(timeout=20)
        assert process.returncode == 1
        assert out.endswith("cleaned\n")
        assert err.splitlines()[-1] == "start-up: no database"
        assert "Traceback" not in err


def test_wrong_settings_are_exit_code_2():
    """Named, a line each."""
    with program(BOTSWAIN_ENV="production", LOG_LEVEL="LOUD") as process:
        _, err = process.communicate(timeout=20)
        assert process.returncode == 2
        assert "settings: LOG_LEVEL" in err


def test_a_taken_port_is_said_with_its_owner():
    """By whom, as far as that can be seen."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(StartupError, match=rf"in use by process {os.getpid()} \("),
    ):
        lifecycle.bind("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(StartupError, match="can't listen on 203"):
        lifecycle.bind("203.0.113.1", 1)


class Slow(Service):
    """Answers when it is let."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.entered, self.release, self.drained = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.order = []
        self.add_endpoint("wait", self.wait)
        self.add_endpoint("take", self.take)

    async def wait(self):
        self.entered.set()
        await self.release.wait()
        self.order.append("answered")
        return {"done": True}

    async def take(self, anything):
        return {"size": len(str(anything))}

    async def drain(self):
        self.order.append("drained")
        self.drained.set()

    async def shutdown_cleanup(self):
        self.order.append("cleaned")


@contextlib.asynccontextmanager
async def served(service):
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(lifecycle.serve(service, stop=stop, on_ready=ready.set))
    await ready.wait()
    try:
        yield stop, task
    finally:
        stop.set()
        await task


def settings(**values):
    return ServiceSettings(botswain_env="development", shutdown_grace_seconds=5, **values)


async def exchange(port, data):
    """Send raw bytes; everything that comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_requests_under_way_are_answered_before_clean_up():
    """Drain, then answers, then clean-up: nothing is pulled away under a request."""
    service = Slow(settings=settings(), host="127.0.0.1", port=0)
    async with served(service) as (stop, task):
        request = b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        answering = asyncio.create_task(exchange(service.port, request))
        await service.entered.wait()
        stop.set()
        await service.drained.wait()
        service.release.set()
        assert b'{"done":true}' in await answering
        await task
    assert service.order == ["drained", "answered", "cleaned"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /take HTTP/1.1\r\nHost:", b"408"),
        (b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/json\r\n\r\n{", b"408"),
        (b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n", b"413"),
        (
            b"POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + b"x" * 0x400 + b"\r\n",
            b"413",
        ),
        (b"nonsense\r\n\r\n", b"400"),
        (b"POST /take HTTP/1.1\r\nHost: x\r\n" + b"X-Much: " + b"y" * 1000 + b"\r\n", b"431"),
    ],
)
async def test_slow_and_huge_requests_are_cut_off(sent, status, monkeypatch):
    """Headers that never end, a body that never comes, and either without bounds."""
    monkeypatch.setattr("botswain_services.http_server.MAX_HEADER_BYTES", 500)
    limits = settings(request_timeout_seconds=0.1, max_body_bytes=1000)
    service = Slow(settings=limits, host="127.0.0.1", port=0)
    async with served(service):
        answer = await exchange(service.port, sent)
    assert answer.split(b"\r\n")[0].split(b" ")[1] == status


async def test_a_later_request_may_not_be_slow_either():
    """A connection that was good once has no more time for its next headers."""
    service = Slow(settings=settings(request_timeout_seconds=0.1), host="127.0.0.1", port=0)
    whole = (
        b'POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"anything": 1}'
    )
    async with served(service):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(whole)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
        writer.write(b"POST /take HT")
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 408")
        writer.close()
