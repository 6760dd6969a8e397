"""Which processes make up the platform, and what each is told: plain functions on plain data.

Shards are run by sets: the processes of one shard count, each with a part of the shards. Where there are more processes than
parts, the others stand by for them. A re-shard starts another set beside the one that runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos.processes import Program, clean_environment

HOST = "127.0.0.1"
APPLICATION_ID = "1191168914227200001"
TOKEN = "MTE5MTE2ODkxNDIyNzIwMDAwMQ.Chaos0.the-simulators-own-bot-and-good-for-nothing"
GUILDS, CHANNELS_PER_GUILD = 4, 4
CHANNELS = GUILDS * CHANNELS_PER_GUILD
GRACE = "8"
"""SHUTDOWN_GRACE_SECONDS of every process."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How many of what. `shards` is the first shard count, the others are those that re-shards go to, in turn."""

    name: str
    orchestrators: int
    discords: int
    shards: tuple[int, ...]

    @property
    def without(self) -> frozenset[str]:
        """Faults that this layout has no part for."""
        return frozenset() if self.name == "postgres" else frozenset({"database-outage"})


LAYOUTS = {
    "sqlite": Layout("sqlite", orchestrators=1, discords=1, shards=(1, 2)),
    "postgres": Layout("postgres", orchestrators=2, discords=3, shards=(2, 3)),
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where everything is. `orchestrators` holds pairs of HTTP and gRPC ports, `execution` is one."""

    api_url: str
    database_url: str = field(repr=False)
    secret: str = field(repr=False)
    folder: Path
    orchestrators: tuple[tuple[int, int], ...]
    execution: tuple[int, int]


def world() -> str:
    """The simulator's world, as its `--world` takes it: guilds spread evenly over shards, and enough channels for lanes."""
    channels = [f"channel-{number}" for number in range(CHANNELS_PER_GUILD)]
    return json.dumps(
        {
            "users": [{"username": "ada"}],
            "bots": [{"username": "botswain", "id": APPLICATION_ID, "token": TOKEN}],
            "guilds": [{"name": "Harbour", "count": GUILDS, "channels": channels}],
        }
    )


def parts(shard_count: int, processes: int) -> list[tuple[int, ...]]:
    """The shards of each process of a set. More processes than shards: the rest stands by for the first ones."""
    workers = min(shard_count, processes)
    split = [tuple(range(worker, shard_count, workers)) for worker in range(workers)]
    return [split[process % workers] for process in range(processes)]


def execution(wiring: Wiring) -> Program:
    """execution-service, with the Discord server alone: the others have nothing to do here."""
    http, grpc = wiring.execution
    return Program(
        "execution",
        "execution",
        "botswain_execution",
        _environment(
            wiring,
            HTTP_PORT=http,
            GRPC_PORT=grpc,
            DISCORD_BOT_TOKEN=TOKEN,
            DISCORD_API_URL=wiring.api_url,
            DISCORD_REQUESTS_PER_SECOND=5000,
            MCP_SERVERS_CONFIG=wiring.folder / "mcp_servers.json",
        ),
        f"http://{HOST}:{http}",
    )


def mcp_servers(shipped: Path) -> str:
    """The shipped file of MCP servers, without those but Discord's."""
    config = json.loads(shipped.read_text())
    entry = config["mcpServers"]["discord"]
    entry["cwd"] = str((shipped.parent / entry["cwd"]).resolve())
    return json.dumps({"mcpServers": {"discord": entry}})


def orchestrator(wiring: Wiring, index: int) -> Program:
    """One of the orchestrators."""
    http, grpc = wiring.orchestrators[index]
    return Program(
        f"orchestrator-{index}",
        "orchestrator",
        "botswain_orchestrator",
        _environment(
            wiring,
            HTTP_PORT=http,
            GRPC_PORT=grpc,
            DATABASE_URL=wiring.database_url,
            EXECUTION_SERVICE_URL=f"grpc://{HOST}:{wiring.execution[1]}",
        ),
        f"http://{HOST}:{http}",
    )


def discord(wiring: Wiring, name: str, shard_ids: tuple[int, ...], shard_count: int, port: int) -> Program:
    """A discord-service for some shards."""
    addresses = ",".join(f"{HOST}:{grpc}" for _, grpc in wiring.orchestrators)
    return Program(
        name,
        "discord",
        "botswain_discord",
        _environment(
            wiring,
            HEALTH_PORT=port,
            DISCORD_BOT_TOKEN=TOKEN,
            DISCORD_APPLICATION_ID=APPLICATION_ID,
            DISCORD_API_URL=wiring.api_url,
            GATEWAY_SERVICE_URL=f"grpc://{addresses}",
            SHARD_IDS=",".join(map(str, shard_ids)),
            SHARD_COUNT=shard_count,
        ),
        f"http://{HOST}:{port}",
    )


def _environment(wiring: Wiring, **own: object) -> Mapping[str, str]:
    common = {
        "BOTSWAIN_ENV": "development",
        "SERVICE_AUTH_SECRET": wiring.secret,
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "INFO",
        "SHUTDOWN_GRACE_SECONDS": GRACE,
    }
    return {**clean_environment(), **common, **{name: str(value) for name, value in own.items()}}
