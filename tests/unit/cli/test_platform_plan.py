"""Which parts run, with which ports and environment."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from botswain_cli import plan
from botswain_cli.plan import Discord, PlannedPart, Wishes

WISHES = Wishes(
    secret="s3cret-of-this-run", database_url="sqlite:////tmp/x.db", files_dir=Path("/tmp/files"), model="openai:some"
)


def planned(environ: Mapping[str, str] | None = None, discord: Discord | None = None) -> dict[str, PlannedPart]:
    simulated = discord is None
    ports = plan.choose_ports({}, simulated)
    discord = discord or plan.simulated_discord(plan.HOST, ports)
    return {part.name: part for part in plan.plan(WISHES, ports, discord, environ or {})}


def test_with_the_simulator_four_parts_start_in_an_order_that_works() -> None:
    """Each part comes after those it needs."""
    parts = planned()
    assert list(parts) == ["simulator", "execution", "orchestrator", "discord"]
    seen: set[str] = set()
    for part in parts.values():
        assert seen.issuperset(part.needs)
        seen.add(part.name)


def test_with_a_token_the_simulator_stays_away_and_nothing_else_changes() -> None:
    """Against Discord itself the other parts get the real token and no address of a stand-in."""
    parts = planned(discord=Discord(False, "99", "real.token"))
    assert list(parts) == ["execution", "orchestrator", "discord"]
    assert parts["discord"].needs == ("orchestrator",)
    for name in ("discord", "execution"):
        assert parts[name].environment["DISCORD_BOT_TOKEN"] == "real.token"
        assert parts[name].environment["DISCORD_APPLICATION_ID"] == "99"
        assert "DISCORD_API_URL" not in parts[name].environment


def test_the_parts_are_wired_to_each_other() -> None:
    """Who calls whom, at the ports of this run."""
    parts = planned()
    assert parts["discord"].environment["GATEWAY_SERVICE_URL"] == "grpc://127.0.0.1:50051"
    assert parts["orchestrator"].environment["EXECUTION_SERVICE_URL"] == "grpc://127.0.0.1:50052"
    assert parts["discord"].environment["DISCORD_API_URL"] == "http://127.0.0.1:8090/api/v10"
    assert parts["orchestrator"].environment["GRPC_PORT"] == "50051"
    assert parts["execution"].environment["GRPC_PORT"] == "50052"
    assert parts["discord"].environment["HEALTH_PORT"] == "8003"


def test_reactions_are_heard_unless_the_shell_says_otherwise() -> None:
    """So that calls can be approved; DISCORD_INTENTS in the environment has the last word."""
    assert "guild_reactions" in planned()["discord"].environment["DISCORD_INTENTS"].split(",")
    parts = planned({"DISCORD_INTENTS": "guilds"})
    assert parts["discord"].environment["DISCORD_INTENTS"] == "guilds"


def test_a_secret_reaches_only_who_needs_it() -> None:
    """The bot's token, the model's key and the database stay away from the other parts, even when the shell has them."""
    environ = {"DISCORD_BOT_TOKEN": "t", "MODEL_API_KEY": "k", "DATABASE_URL": "d", "HTTPS_PROXY": "p"}
    parts = planned(environ)
    assert "DISCORD_BOT_TOKEN" not in parts["orchestrator"].environment
    assert "DISCORD_BOT_TOKEN" not in parts["simulator"].environment
    assert [name for name, part in parts.items() if "MODEL_API_KEY" in part.environment] == ["orchestrator"]
    assert [name for name, part in parts.items() if "DATABASE_URL" in part.environment] == ["orchestrator"]
    assert all(part.environment["HTTPS_PROXY"] == "p" for part in parts.values())


def test_no_secret_shows_when_a_plan_is_printed() -> None:
    """The repr of the plan's data holds neither token nor secret."""
    discord = Discord(False, "99", "real.token")
    assert "real.token" not in repr(discord) + repr(planned(discord=discord))
    assert WISHES.secret not in repr(WISHES) + repr(planned())


def test_chosen_ports_win_and_free_ones_fill_the_rest() -> None:
    """--free-ports leaves a port that was chosen alone."""
    chosen = {("discord", "http"): 7000}
    ports = plan.choose_ports(chosen, True)
    assert ports["discord", "http"] == 7000
    free = plan.with_free_ports(ports, chosen, [1, 2, 3, 4, 5, 6])
    assert free["discord", "http"] == 7000
    assert sorted(free.of.values()) == [1, 2, 3, 4, 5, 7000]


def test_the_simulated_token_names_its_application() -> None:
    """The constant token begins with the application's id in base64, as Discord's do."""
    first = plan.SIMULATED_TOKEN.partition(".")[0]
    assert base64.b64decode(first + "==").decode() == plan.SIMULATED_APPLICATION_ID


def test_the_drain_time_follows_the_environment() -> None:
    """SHUTDOWN_GRACE_SECONDS rules; what isn't a number is left for the parts to refuse."""
    assert plan.drain_seconds({"SHUTDOWN_GRACE_SECONDS": "3"}) == 3.0
    assert plan.drain_seconds({"SHUTDOWN_GRACE_SECONDS": "soon"}) == plan.DRAIN_SECONDS
    assert planned({"SHUTDOWN_GRACE_SECONDS": "soon"})["discord"].environment["SHUTDOWN_GRACE_SECONDS"] == "soon"


def test_the_database_lies_in_the_data_directory(tmp_path: Path) -> None:
    """The ledger's URL is absolute, so that it doesn't depend on where a part runs."""
    assert plan.database_in(tmp_path) == f"sqlite:///{tmp_path}/botswain.db"
