"""What `botswain dev` runs: the parts, their ports, and the environment each gets. Plain functions on plain data.

Each part gets what it needs and no secret of another's: the bot's token goes to the two that speak to Discord, the model's key
to the one that speaks to the model.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botswain_cli.ports import Wanted

HOST = "127.0.0.1"
SIMULATED_APPLICATION_ID = "1191168914227200001"
SIMULATED_TOKEN = "MTE5MTE2ODkxNDIyNzIwMDAwMQ.H4dEAA.-l7g8QtKShP6BGvnGTQmN33xicGF3mpMVR8rTA"  # noqa: S105
"""The simulator's default bot: always the same, and good for nothing else."""
INTENTS = "guilds,guild_messages,dm_messages,message_content,guild_reactions,dm_reactions"
DISCORD_API_URL = "https://discord.com/api/v10"
DRAIN_SECONDS = 8.0
"""What the parts get for finishing their work at the end, unless SHUTDOWN_GRACE_SECONDS says otherwise."""

_TOKEN_USERS = ("discord", "execution")
_SECRETS = {
    "DISCORD_BOT_TOKEN": _TOKEN_USERS,
    "MODEL_API_KEY": ("orchestrator",),
    "OPENAI_API_KEY": ("orchestrator",),
    "DATABASE_URL": ("orchestrator",),
}
"""Variables that only these parts inherit."""


@dataclass(frozen=True, slots=True)
class PortUse:
    """One port of one part: the variable the part reads, and the option and variable of `botswain dev`."""

    part: str
    kind: str
    reads: str
    default: int
    option: str
    variable: str


PORT_USES = (
    PortUse("simulator", "http", "SIMULATOR_PORT", 8090, "--simulator-port", "SIMULATOR_PORT"),
    PortUse("execution", "http", "HTTP_PORT", 8001, "--execution-port", "EXECUTION_PORT"),
    PortUse("execution", "grpc", "GRPC_PORT", 50052, "--execution-grpc-port", "EXECUTION_GRPC_PORT"),
    PortUse("orchestrator", "http", "HTTP_PORT", 8000, "--orchestrator-port", "ORCHESTRATOR_PORT"),
    PortUse("orchestrator", "grpc", "GRPC_PORT", 50051, "--orchestrator-grpc-port", "ORCHESTRATOR_GRPC_PORT"),
    PortUse("discord", "http", "HEALTH_PORT", 8003, "--discord-port", "HEALTH_PORT"),
)
_NEEDS = {
    "simulator": (),
    "execution": (),
    "orchestrator": ("execution",),  # it would wait by itself, but warn about it
    "discord": ("simulator", "orchestrator"),
}


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of each use, by part and kind."""

    of: Mapping[tuple[str, str], int]

    def __getitem__(self, use: tuple[str, str]) -> int:
        return self.of[use]

    def wanted(self) -> list[Wanted]:
        """For the check that they are free."""
        return [
            Wanted(use.part, self.of[use.part, use.kind], use.option, use.variable)
            for use in PORT_USES
            if (use.part, use.kind) in self.of
        ]


@dataclass(frozen=True, slots=True)
class Discord:
    """Which Discord the bot speaks to. `api_url` is empty for Discord's own; `simulated` means that we run it."""

    simulated: bool
    application_id: str
    token: str = field(repr=False)
    api_url: str = ""


UNLIMITED_REQUESTS = 5000
"""A second: what the simulator allows unless it keeps Discord's limits."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person asked for, beyond ports. `files_dir` is what the filesystem tools may touch."""

    secret: str = field(repr=False)
    database_url: str = field(repr=False)
    files_dir: Path
    model: str = "scripted"
    log_level: str = "INFO"
    rate_limits: str = "discord"
    host: str = HOST


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """One process to run."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    needs: tuple[str, ...]
    addresses: Mapping[str, str]
    """`http` and, where it has one, `grpc`: host:port."""

    @property
    def url(self) -> str:
        """Where `/health` and `/ready` are."""
        return f"http://{self.addresses['http']}"


def part_names(simulated: bool) -> list[str]:
    """The parts, in the order of their start."""
    return [name for name in _NEEDS if simulated or name != "simulator"]


def simulated_discord(host: str, ports: Ports) -> Discord:
    """The simulator's default bot."""
    url = f"http://{host}:{ports['simulator', 'http']}/api/v10"
    return Discord(True, SIMULATED_APPLICATION_ID, SIMULATED_TOKEN, url)


def plan(wishes: Wishes, ports: Ports, discord: Discord, environ: Mapping[str, str]) -> list[PlannedPart]:
    """The parts to run, in the order of their start.

    Args:
        environ: the environment of the command: what it sets beyond the wiring (a model's address, limits) reaches the parts.
    """
    names = part_names(discord.simulated)
    return [
        PlannedPart(
            name=name,
            argv=(sys.executable, "-m", f"botswain_{name}"),
            environment={
                **_inherited(name, environ),
                **_common(wishes, environ),
                **_wiring(name, wishes, ports, discord),
                **_intents(name, environ),
            },
            needs=tuple(need for need in _NEEDS[name] if need in names),
            addresses={use.kind: f"{wishes.host}:{ports[name, use.kind]}" for use in PORT_USES if use.part == name},
        )
        for name in names
    ]


def choose_ports(chosen: Mapping[tuple[str, str], int | None], simulated: bool) -> Ports:
    """The chosen ports, and the defaults for the others."""
    names = part_names(simulated)
    uses = {(use.part, use.kind): use.default for use in PORT_USES if use.part in names}
    return Ports({use: chosen.get(use) or default for use, default in uses.items()})


def _inherited(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if name in _SECRETS.get(key, (name,))}


def _common(wishes: Wishes, environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "BOTSWAIN_ENV": "development",
        "SERVICE_AUTH_SECRET": wishes.secret,
        "BIND_HOST": wishes.host,
        "LOG_FORMAT": "json",
        "LOG_LEVEL": wishes.log_level,
        "PYTHONUNBUFFERED": "1",
        "SHUTDOWN_GRACE_SECONDS": environ.get("SHUTDOWN_GRACE_SECONDS") or f"{DRAIN_SECONDS:g}",
    }


def _wiring(name: str, wishes: Wishes, ports: Ports, discord: Discord) -> dict[str, str]:
    own = {use.reads: str(ports[use.part, use.kind]) for use in PORT_USES if use.part == name}
    if name == "simulator":
        level = wishes.log_level.lower().replace("critical", "error")
        about = {"HOST": wishes.host, "RATE_LIMITS": wishes.rate_limits, "LOG_LEVEL": level, "LOG_FORMAT": "json"}
        return {**own, **{f"SIMULATOR_{name}": value for name, value in about.items()}}
    if name == "orchestrator":
        own["EXECUTION_SERVICE_URL"] = f"grpc://{wishes.host}:{ports['execution', 'grpc']}"
        return {**own, "DATABASE_URL": wishes.database_url, "MODEL": wishes.model}
    credentials = {"DISCORD_BOT_TOKEN": discord.token, "DISCORD_APPLICATION_ID": discord.application_id}
    if discord.api_url:
        credentials["DISCORD_API_URL"] = discord.api_url
    if name == "execution":
        own["FILESYSTEM_ROOT"] = str(wishes.files_dir)
        if discord.simulated and wishes.rate_limits != "discord":
            own["DISCORD_REQUESTS_PER_SECOND"] = str(UNLIMITED_REQUESTS)
    else:
        credentials["GATEWAY_SERVICE_URL"] = f"grpc://{wishes.host}:{ports['orchestrator', 'grpc']}"
    return {**own, **credentials}


def _intents(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Reactions too, so that calls can be approved, unless the command's own environment says what to ask Discord for."""
    return {"DISCORD_INTENTS": INTENTS} if name == "discord" and not environ.get("DISCORD_INTENTS") else {}


def drain_seconds(environ: Mapping[str, str]) -> float:
    """What the parts get for finishing their work. A wrong SHUTDOWN_GRACE_SECONDS is theirs to refuse."""
    try:
        return float(environ.get("SHUTDOWN_GRACE_SECONDS") or DRAIN_SECONDS)
    except ValueError:
        return DRAIN_SECONDS


def database_in(data_dir: Path) -> str:
    """The URL of the ledger's SQLite file in `data_dir`."""
    return f"sqlite:///{data_dir.resolve() / 'botswain.db'}"


def with_free_ports(ports: Ports, chosen: Mapping[tuple[str, str], int | None], free: list[int]) -> Ports:
    """The chosen ports, and free ones for the others."""
    rest = iter(free)
    return Ports({use: chosen.get(use) or next(rest) for use in ports.of})
