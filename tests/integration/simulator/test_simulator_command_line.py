"""The program: how it starts, what it says, how it ends."""

import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from botswain_simulator.world import World
from botswain_simulator.world.defaults import BOT_ID, build_default

MODULE = ("-m", "botswain_simulator")


async def test_it_prints_where_it_is_and_ends_on_sigterm(run: Any, tmp_path: Path) -> None:
    """Page, API and token; the port also goes to a file; a clean end with code 0."""
    program = await run(*MODULE, "--port", "0", "--port-file", str(tmp_path / "port"))
    page = (await program.line("page")).split()[1]
    assert page == f"http://127.0.0.1:{(tmp_path / 'port').read_text()}/"
    world = World()
    build_default(world)
    assert (await program.line("token")).split()[1] == world.application(BOT_ID).token
    async with aiohttp.ClientSession() as http, http.get(page + "health") as response:
        assert response.status == 200
    program.process.send_signal(signal.SIGTERM)
    assert await program.process.wait() == 0


async def test_it_ends_on_sigint_with_clients_connected(run: Any) -> None:
    """Gateway connections and event streams do not hold it up; the client gets a going-away code."""
    program = await run(*MODULE, SIMULATOR_PORT="0")
    page = (await program.line("page")).split()[1]
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(page.replace("http", "ws") + "?v=10") as gateway,
        http.get(page + "sim/events"),
    ):
        await gateway.receive()
        program.process.send_signal(signal.SIGINT)
        assert (await gateway.receive(timeout=10)).type == aiohttp.WSMsgType.CLOSE
        assert gateway.close_code == 1001
    assert await program.process.wait() == 0


async def test_a_taken_port_is_named(run: Any) -> None:
    """One line, exit code 2."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        program = await run(*MODULE, "--port", str(port))
        assert await program.process.wait() == 2
    await program.end()
    taken = f"botswain-discord-simulator: port {port} on 127.0.0.1 is taken by another program"
    assert program.lines == [f"{taken}; choose another with --port (0 picks a free one)", "(ended)"]


@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        (["--rate-limits", "soft"], {}, "invalid choice: 'soft'"),
        ([], {"SIMULATOR_RATE_LIMITS": "soft"}, "SIMULATOR_RATE_LIMITS: 'soft' is not one of discord, relaxed, off"),
        ([], {"SIMULATOR_PORT": "http"}, "invalid int value: 'http'"),
        (["--port", "70000"], {}, "port: 70000 is not between 0 and 65535"),
        (["--max-concurrency", "0"], {}, "max concurrency: 0 must be above 0"),
        (["--tls-cert", "/nonexistent.pem"], {}, "--tls-cert /nonexistent.pem or --tls-key None is not there"),
        (["--world", "/nonexistent.json"], {}, "the world file /nonexistent.json can't be read"),
    ],
)
async def test_wrong_settings_are_explained(
    run: Any, arguments: list[str], environment: dict[str, str], complaint: str
) -> None:
    """The setting and its value are named; exit code 2."""
    program = await run(*MODULE, *arguments, **environment)
    assert await program.process.wait() == 2
    await program.end()
    assert any(complaint in line for line in program.lines), program.lines


async def test_a_world_file_and_json_logs(run: Any, tmp_path: Path) -> None:
    """The file's world is served, and each REST request is one JSON line with its trace id and no token."""
    file = tmp_path / "world.json"
    file.write_bytes(
        orjson.dumps(
            {"users": [{"username": "u"}], "bots": [{"username": "b", "token": "s3cret"}], "guilds": [{"name": "G"}]}
        )
    )
    program = await run(*MODULE, "--port", "0", "--world", str(file), "--log-format", "json")
    api = (await program.line("api")).split()[1]
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"Authorization": "Bot s3cret", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    async with aiohttp.ClientSession() as http, http.get(api + "/users/@me/guilds", headers=headers) as response:
        assert [g["name"] for g in await response.json()] == ["G"]
    line = orjson.loads(await program.line("{"))
    assert (line["event"], line["path"], line["status"], line["trace_id"]) == (
        "rest",
        "/api/v10/users/@me/guilds",
        200,
        trace,
    )
    assert not any("s3cret" in text for text in program.lines if text.startswith("{"))
