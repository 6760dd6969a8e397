"""The command `botswain-discord-simulator`."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botswain_simulator import logs
from botswain_simulator.errors import SettingsError, SimulatorError
from botswain_simulator.settings import RATE_LIMIT_PROFILES, Settings
from botswain_simulator.simulator import Simulator, WorldBuilder
from botswain_simulator.world import World
from botswain_simulator.world.defaults import build_default, build_from_file

_LEVELS = ("debug", "info", "warning", "error")
_FORMATS = ("json", "console")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="botswain-discord-simulator",
        description="A stand-in for Discord: gateway, REST, files, a chat page and fault injection on one port.",
        epilog="Every option can be set by an environment variable too: SIMULATOR_PORT, SIMULATOR_RATE_LIMITS, …",
    )

    def add(flag: str, default: object, help_text: str, **more: Any) -> None:
        name = "SIMULATOR_" + flag.removeprefix("--").replace("-", "_").upper()
        parser.add_argument(
            flag, default=os.environ.get(name, default), help=f"{help_text} [{name}; {default}]", **more
        )

    add("--host", "127.0.0.1", "address to listen on")
    add("--port", 8090, "port to listen on; 0 picks a free one", type=int)
    add("--port-file", None, "write the port to this file once it is known", type=Path)
    add(
        "--public-url",
        None,
        "address that links to files carry, when bots reach the simulator by another one than host and port",
    )
    add("--tls-cert", None, "PEM certificate to serve TLS with, for clients that speak nothing else")
    add("--tls-key", None, "its key, when it is in another file")
    add("--rate-limits", "relaxed", "REST limits: Discord's own, hardly any, or none", choices=RATE_LIMIT_PROFILES)
    add("--max-concurrency", 1, "IDENTIFYs let through at the same time", type=int)
    add("--session-start-limit", 1000, "IDENTIFYs a bot has a day", type=int)
    add("--session-retention", 180.0, "seconds a session can be resumed after its connection is gone", type=float)
    add("--nonce-window", 300.0, "seconds for which enforce_nonce remembers", type=float)
    add("--world", None, "JSON file to fill the world from", type=Path)
    add("--log-level", "info", "least level to log", choices=_LEVELS)
    add("--log-format", "console", "how to log", choices=_FORMATS)
    return parser


def _check_choices(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Defaults, and so environment variables, escape argparse's own check."""
    for name, allowed in (("rate_limits", RATE_LIMIT_PROFILES), ("log_level", _LEVELS), ("log_format", _FORMATS)):
        value = getattr(arguments, name)
        if value not in allowed:
            parser.error(f"SIMULATOR_{name.upper()}: {value!r} is not one of {', '.join(allowed)}")


def _settings(arguments: argparse.Namespace) -> Settings:
    names = (
        "host",
        "port",
        "public_url",
        "tls_cert",
        "tls_key",
        "rate_limits",
        "max_concurrency",
        "session_start_limit",
        "session_retention",
        "nonce_window",
    )
    return Settings(**{name: getattr(arguments, name) for name in names})


def _builder(path: Path | None) -> WorldBuilder:
    if path is None:
        return build_default
    file = path

    def build(world: World) -> None:
        build_from_file(world, file)

    return build


async def _serve(simulator: Simulator, port_file: Path | None) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with simulator:
        if port_file is not None:
            _write(port_file, str(simulator.port))
        token = next(iter(simulator.world.applications.values()), None)
        lines = [
            f"page   {simulator.url}/",
            f"api    {simulator.api_url}",
            f"token  {token.token if token else 'none: the world has no bot'}",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await ended.wait()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise SettingsError(f"--port-file: {path} can't be written: {error.strerror}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM. Returns the exit code: 0, or 2 for a setting or port that can't be used."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    _check_choices(parser, arguments)
    logs.configure(arguments.log_level, arguments.log_format)
    try:
        simulator = Simulator(_settings(arguments), build=_builder(arguments.world))
        asyncio.run(_serve(simulator, arguments.port_file))
    except SimulatorError as error:
        sys.stderr.write(f"botswain-discord-simulator: {error}\n")
        return 2
    return 0
