"""The `botswain` command's options and help. What a command does lies in a module of its own, loaded when it runs."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

DATA_DIR = Path(".botswain")
ORCHESTRATOR_TIMEOUT = 30.0
"""Seconds: a large ledger is counted row by row."""

app = typer.Typer(
    name="botswain",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Discord agents on this machine: run the whole platform, and ask how it is.",
)
deadletters_app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})
app.add_typer(deadletters_app, name="deadletters")

DataDir = Annotated[
    Path, typer.Option(envvar="BOTSWAIN_DATA_DIR", file_okay=False, help="Data directory of that `botswain dev`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON in place of the table.")]
Timeout = Annotated[float, typer.Option(min=0.01, max=600, help="Seconds to wait for an answer.")]
Url = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="HTTP port, host:port or URL of the orchestrator to ask, with the secret in SERVICE_AUTH_SECRET; "
        "without it: what `botswain dev` started.",
    ),
]


class LogFormat(StrEnum):
    """How `botswain dev` writes logs."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """Least level the parts log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class RateLimits(StrEnum):
    """Whose rate limits the simulator keeps."""

    DISCORD = "discord"
    RELAXED = "relaxed"
    OFF = "off"


def _port(flag: str, variable: str, default: int, of: str) -> Any:
    return typer.Option(
        flag,
        envvar=variable,
        min=1,
        max=65535,
        metavar="PORT",
        show_default=str(default),
        help=f"Port of {of}.",
        rich_help_panel="Ports",
    )


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"botswain {version('botswain-cli')}")
        raise typer.Exit


@app.callback()
def botswain(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Discord agents on this machine: run the whole platform, and ask how it is."""


@app.command()
def dev(
    model: Annotated[
        str,
        typer.Option(envvar="MODEL", metavar="NAME", help="Who answers: scripted, openai:<model> or ollama:<model>."),
    ] = "scripted",
    data_dir: Annotated[
        Path, typer.Option(envvar="BOTSWAIN_DATA_DIR", file_okay=False, help="Where the ledger and dev.json lie.")
    ] = DATA_DIR,
    rate_limits: Annotated[
        RateLimits, typer.Option(case_sensitive=False, help="Rate limits of the simulator.")
    ] = RateLimits.DISCORD,
    log_level: Annotated[
        LogLevel, typer.Option(envvar="LOG_LEVEL", case_sensitive=False, help="Least level that is logged.")
    ] = LogLevel.INFO,
    log_format: Annotated[
        LogFormat, typer.Option(case_sensitive=False, help="console: for people; json: the parts' lines as they are.")
    ] = LogFormat.CONSOLE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Once all is ready print one line of JSON in place of the table.")
    ] = False,
    free_ports: Annotated[
        bool,
        typer.Option("--free-ports", help="Free ports for all that aren't chosen below.", rich_help_panel="Ports"),
    ] = False,
    simulator_port: Annotated[
        int | None, _port("--simulator-port", "SIMULATOR_PORT", 8090, "the simulator: page, REST, gateway")
    ] = None,
    orchestrator_port: Annotated[
        int | None, _port("--orchestrator-port", "ORCHESTRATOR_PORT", 8000, "the orchestrator, HTTP")
    ] = None,
    orchestrator_grpc_port: Annotated[
        int | None, _port("--orchestrator-grpc-port", "ORCHESTRATOR_GRPC_PORT", 50051, "the orchestrator, gRPC")
    ] = None,
    execution_port: Annotated[int | None, _port("--execution-port", "EXECUTION_PORT", 8001, "execution, HTTP")] = None,
    execution_grpc_port: Annotated[
        int | None, _port("--execution-grpc-port", "EXECUTION_GRPC_PORT", 50052, "execution, gRPC")
    ] = None,
    discord_port: Annotated[int | None, _port("--discord-port", "HEALTH_PORT", 8003, "discord, probes")] = None,
) -> None:
    """Run the platform here until Ctrl-C: simulator, execution, orchestrator, discord.

    With DISCORD_BOT_TOKEN set it runs against Discord itself, without the simulator; nothing else changes.

    What runs where goes to standard output once all is ready; logs go to standard error. A part that dies is started again.
    """
    from botswain_cli.dev import Options, run

    options = Options(
        data_dir=data_dir,
        chosen_ports={
            ("simulator", "http"): simulator_port,
            ("orchestrator", "http"): orchestrator_port,
            ("orchestrator", "grpc"): orchestrator_grpc_port,
            ("execution", "http"): execution_port,
            ("execution", "grpc"): execution_grpc_port,
            ("discord", "http"): discord_port,
        },
        free_ports=free_ports,
        model=model,
        log_level=log_level.upper(),
        raw_logs=log_format is LogFormat.JSON,
        rate_limits=rate_limits,
        as_json=as_json,
    )
    run(options, os.environ)


@app.command()
def status(
    addresses: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ADDRESS]...", help="Ports, host:port or URLs to ask; without any: what `botswain dev` started."
        ),
    ] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
    timeout: Timeout = 3.0,
) -> None:
    """Ask each part's /health and /ready. The exit code is 0 when all are ready, else 1."""
    from botswain_cli import status as answers

    rows = answers.gather(addresses or [], data_dir, timeout)
    if as_json:
        print(answers.as_json(rows))
    else:
        from botswain_cli import tables

        tables.console().print(tables.status_table(rows))
    if not answers.all_ready(rows):
        raise typer.Exit(1)


@app.command()
def ledger(
    url: Url = None, data_dir: DataDir = DATA_DIR, as_json: AsJson = False, timeout: Timeout = ORCHESTRATOR_TIMEOUT
) -> None:
    """Tell what the orchestrator's ledger holds: how much of each kind, and how old."""
    from botswain_cli import ledger as holdings
    from botswain_cli.orchestrator import find

    where = find(url, data_dir, timeout)
    found = holdings.gather(where)
    if as_json:
        print(holdings.as_json(where, found))
    else:
        from botswain_cli import tables

        tables.console().print(tables.ledger_table(found))


@deadletters_app.callback(invoke_without_command=True)
def deadletters(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The most that are listed, oldest first.")] = 100,
    url: Url = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
    timeout: Timeout = ORCHESTRATOR_TIMEOUT,
) -> None:
    """List messages that were given up after all their attempts failed, with the reasons; `requeue` has them tried again."""
    if context.invoked_subcommand is not None:  # options may stand before its name or behind it
        context.default_map = {
            context.invoked_subcommand: {"url": url, "data_dir": data_dir, "as_json": as_json, "timeout": timeout}
        }
        return
    from botswain_cli import deadletters as letters
    from botswain_cli.orchestrator import find

    where = find(url, data_dir, timeout)
    listing = letters.gather(where, limit)
    if as_json:
        print(letters.listing_as_json(where, listing))
    else:
        from botswain_cli import tables

        tables.show_deadletters(listing)


@deadletters_app.command()
def requeue(
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID", min=1, help="Ids from the list.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    url: Url = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
    timeout: Timeout = ORCHESTRATOR_TIMEOUT,
) -> None:
    """Have dead letters tried again, at the end of their channels' lines. The exit code is 1 when an id isn't that of one."""
    if bool(ids) == every:
        raise typer.BadParameter("give the ids of dead letters, or --all")
    from botswain_cli import deadletters as letters
    from botswain_cli.orchestrator import find

    where = find(url, data_dir, timeout)
    done = letters.requeue_all(where) if every else letters.requeue(where, ids or [])
    print(letters.requeued_as_json(where, done) if as_json else letters.in_words(done))
    if done.unknown:
        raise typer.Exit(1)


def main() -> None:
    """Entry point. What a person can mend is said in words, without a traceback; exit code 1, or 2 for wrong usage."""
    from botswain_cli.errors import CliError

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a table must not fail on a terminal that lacks its lines
    try:
        app()
    except CliError as error:
        print(f"botswain: {error}", file=sys.stderr)
        sys.exit(1)
