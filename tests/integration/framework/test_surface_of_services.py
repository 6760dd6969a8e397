"""The platform's own services, as processes, fed with generated input over HTTP: no answer is a server error."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time

import pytest
import schemathesis
from botswain_services.auth import TokenIssuer
from surfaces import check

SECRET = "a-secret-of-at-least-thirty-two-bytes"


@contextlib.contextmanager
def process(folder, module, **variables):
    """A service as a process; yields what its `service_ready` line says."""
    log = folder / f"{module}.log"
    environment = {**os.environ, "SERVICE_AUTH_SECRET": SECRET, "BOTSWAIN_ENV": "production", **variables}
    with log.open("w") as stderr:
        running = subprocess.Popen([sys.executable, "-m", module], env=environment, stderr=stderr, cwd=folder)
    try:
        yield ready(running, log)
    finally:
        running.terminate()
        try:
            running.wait(20)
        finally:
            running.kill()


def ready(running, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.poll() is None:
        for line in log.read_text().splitlines():
            if '"service_ready"' in line:
                return json.loads(line)
        time.sleep(0.05)
    pytest.fail(f"{log.name}: not ready\n{log.read_text()[-2000:]}")


def feed(ready_line, audience, **options):
    base = f"http://{ready_line['http']}"
    token = TokenIssuer(SECRET, issuer="tests", audience=audience).header()
    return check(schemathesis.openapi.from_url(f"{base}/openapi.json"), token, **options)


def execution(folder):
    """Without MCP servers: none is asked over HTTP."""
    config = folder / "mcp_servers.json"
    config.write_text('{"mcpServers": {}}')
    variables = {"HTTP_PORT": "0", "GRPC_PORT": "0", "MCP_SERVERS_CONFIG": str(config)}
    return process(folder, "botswain_execution", **variables)


def test_no_input_is_a_server_error_of_execution_service(tmp_path):
    """`/tools`, and what every service answers."""
    with execution(tmp_path) as line:
        assert feed(line, "execution-service", leave_out=["/shutdown"]) > 10


def test_no_input_is_a_server_error_of_orchestrator_service(tmp_path):
    """`/process` with all that an event may hold, the ledger and the dead letters."""
    with execution(tmp_path) as line:
        variables = {
            "HTTP_PORT": "0",
            "GRPC_PORT": "0",
            "DATABASE_URL": f"sqlite:///{tmp_path}/ledger.db",
            "EXECUTION_SERVICE_URL": f"grpc://127.0.0.1:{line['grpc']}",
            "TURN_ATTEMPTS": "1",
        }
        with process(tmp_path, "botswain_orchestrator", **variables) as own:
            assert feed(own, "orchestrator-service", leave_out=["/shutdown"]) > 60


def test_no_input_is_a_server_error_of_discord_service(tmp_path):
    """Also while Discord and the orchestrator can't be reached."""
    variables = {
        "HEALTH_PORT": "0",
        "DISCORD_BOT_TOKEN": "a.b.c",
        "DISCORD_APPLICATION_ID": "1",
        "DISCORD_API_URL": "http://127.0.0.1:9/api/v10",
        "GATEWAY_SERVICE_URL": "grpc://127.0.0.1:9",
    }
    with process(tmp_path, "botswain_discord", **variables) as line:
        assert feed(line, "discord-service", leave_out=["/shutdown"]) > 10


async def test_no_input_is_a_server_error_of_a_bot(tmp_path, environment):
    """`/execute_command` with whatever somebody may ask of a bot that is connected."""
    from botswain_discord import DiscordService
    from botswain_services.lifecycle import serve
    from botswain_simulator import Simulator

    async with Simulator(port=0, rate_limits="off", identify_interval=0) as simulator:
        environment.setenv("DISCORD_API_URL", simulator.api_url)
        environment.setenv("SERVICE_AUTH_SECRET", SECRET)
        bot = DiscordService(token=simulator.token, host="127.0.0.1", port=0)
        bot.register_command("roll", "Roll a die.", "/roll", lambda sides=6: f"{sides}")
        stop, started = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve(bot, stop=stop, on_ready=started.set))
        await asyncio.wait({serving, asyncio.create_task(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
        try:
            line = {"http": f"127.0.0.1:{bot.port}"}
            assert await asyncio.to_thread(feed, line, bot.name, leave_out=["/shutdown"]) > 40
        finally:
            stop.set()
            await serving
