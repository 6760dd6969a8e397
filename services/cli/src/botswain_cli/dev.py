"""`botswain dev`: the platform on this machine, until Ctrl-C.

Before anything starts it holds the data directory, asks Discord about the token (when there is one) and looks at the ports, so
that what a person can mend is said first, and once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from botswain_cli import plan, ports, probes, state_file, tables
from botswain_cli.discord_api import application_id, check_token
from botswain_cli.errors import PartFailedError
from botswain_cli.logs import last_words
from botswain_cli.output import LogWriter, write_line
from botswain_cli.plan import Discord, PlannedPart, Ports
from botswain_cli.state_file import Running, RunningPart
from botswain_cli.supervisor import Part, Supervisor
from botswain_cli.supervisor.supervisor import Listener

KILL_AFTER_DRAIN = 3.0
"""Seconds between the end of a part's own grace and SIGKILL."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for. `chosen_ports` by (part, kind); None: the default."""

    data_dir: Path
    chosen_ports: Mapping[tuple[str, str], int | None] = field(default_factory=dict)
    free_ports: bool = False
    model: str = "scripted"
    log_level: str = "INFO"
    raw_logs: bool = False
    rate_limits: str = "discord"
    as_json: bool = False


def run(options: Options, environ: Mapping[str, str]) -> None:
    """Run the platform until a signal comes.

    Raises:
        CliError: it can't run, or a part can't be kept running.
    """
    with state_file.locked(options.data_dir):
        token = check_token(environ.get("DISCORD_BOT_TOKEN", ""))
        if token:
            api_url = environ.get("DISCORD_API_URL", "")
            known = environ.get("DISCORD_APPLICATION_ID", "").strip()
            app = known or application_id(token, api_url or plan.DISCORD_API_URL)
            found = _find_ports(options, simulated=False)
            discord = Discord(False, app, token, api_url)
        else:
            found = _find_ports(options, simulated=True)
            discord = plan.simulated_discord(plan.HOST, found)
        wishes = plan.Wishes(
            secret=secrets.token_urlsafe(32),
            database_url=environ.get("DATABASE_URL") or plan.database_in(options.data_dir),
            files_dir=Path(environ.get("FILESYSTEM_ROOT") or options.data_dir / "files").resolve(),
            model=options.model,
            log_level=options.log_level,
            rate_limits=options.rate_limits,
        )
        planned = plan.plan(wishes, found, discord, environ)
        state_file.write_secret(options.data_dir, wishes.secret)
        asyncio.run(_Run(options, planned, discord, plan.drain_seconds(environ) + KILL_AFTER_DRAIN).until_signal())


def _find_ports(options: Options, *, simulated: bool) -> Ports:
    found = plan.choose_ports(options.chosen_ports, simulated)
    if options.free_ports:
        found = plan.with_free_ports(found, options.chosen_ports, ports.find_free(plan.HOST, len(found.of)))
    ports.check_free(plan.HOST, found.wanted())
    return found


class _Run:
    """One run: the supervisor, what it writes, and the signals that end it."""

    def __init__(self, options: Options, planned: Sequence[PlannedPart], discord: Discord, grace: float) -> None:
        self._options = options
        self._planned = planned
        self._discord = discord
        self._grace = grace
        self._stop = asyncio.Event()
        self._writer: LogWriter = LogWriter(sys.stderr, raw=options.raw_logs, on_gone=self._stop.set)
        self._supervisor: Supervisor | None = None
        self._save_failed = False
        self._created = state_file.process_created(os.getpid()) or 0.0

    async def until_signal(self) -> None:
        """Run, announce, wait, end."""
        async with probes.make_client() as client:
            parts = [
                Part(one.name, one.argv, one.environment, partial(probes.is_ready, client, one.url), one.needs)
                for one in self._planned
            ]
            listener = Listener(self._writer.line, self._writer.says, self._save, last_words)
            with self._signals():
                async with Supervisor(parts, listener, grace=self._grace) as self._supervisor:
                    await self._watch(self._supervisor)
        self._writer.says("info", "everything has ended")

    async def _watch(self, supervisor: Supervisor) -> None:
        try:
            if await self._before_stop(supervisor.wait_ready()):
                self._announce()
                await self._before_stop(supervisor.watch())
        except PartFailedError as error:
            self._writer.says("error", f"{error}; ending the rest")
            raise
        self._writer.says("info", "ending everything (Ctrl-C again: at once)")

    async def _before_stop(self, work: Coroutine[None, None, None]) -> bool:
        """Whether `work` was done before a signal came. Raises what it raises."""
        task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False

    def _running(self) -> Running:
        assert self._supervisor is not None
        page = f"{self._planned[0].url}/" if self._discord.simulated else ""
        parts = []
        for one in self._planned:
            child = self._supervisor.children[one.name]
            parts.append(RunningPart(one.name, child.state, child.pid, one.addresses, child.restarts))
        return Running(os.getpid(), self._created, page, tuple(parts))

    def _save(self) -> None:
        """For `botswain status`, without which everything else goes on."""
        try:
            state_file.write(self._options.data_dir, self._running())
        except OSError as error:
            if not self._save_failed:
                self._writer.says(
                    "warning", f"{state_file.FILE} can't be written, `botswain status` won't know: {error}"
                )
            self._save_failed = True

    def _announce(self) -> None:
        """Say what runs where: one line of JSON, or a table."""
        running = self._running()
        if self._options.as_json:
            text = state_file.as_json(running)
        else:
            text = tables.announcement(running, self._discord.application_id)
        if not write_line(sys.stdout, text):
            self._writer.says("warning", "nobody reads standard output; `botswain status` tells what runs where")

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """First signal: end in order. Second: at once."""
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            if self._stop.is_set() and self._supervisor is not None:
                self._supervisor.hurry()
            self._stop.set()

        for number in SIGNALS:
            loop.add_signal_handler(number, on_signal)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
