"""The operator process: settings, connection, lease; then informers, kopf and workers until it is told to stop.

Exit codes: 0 stopped; 1 it could not start, or lost the lease; 2 a setting is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import kopf

from botswain_operator import __version__, metrics
from botswain_operator.errors import ApiError, NotFound, OperatorError, SettingsError, WatchLost
from botswain_operator.handlers import make_registry, make_settings
from botswain_operator.kube.client import KubeClient, backoff
from botswain_operator.kube.connection import read_connection
from botswain_operator.kube.kinds import BOT
from botswain_operator.kube.lease import Lease
from botswain_operator.reconciler import Reconciler
from botswain_operator.resources import Defaults
from botswain_operator.server import State, start_server
from botswain_operator.settings import Settings, load_settings

log = logging.getLogger("botswain_operator")


class _StopAskedError(Exception):
    """The process was told to end."""


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def main() -> None:
    """The `botswain-operator` command."""
    parser = argparse.ArgumentParser(
        prog="botswain-operator", description="Operator of DiscordBot resources.", epilog=_settings_help()
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--version", action="version", version=__version__)
    parser.parse_args()
    try:
        settings = load_settings()
        _set_up_logs(settings.log_level)
        with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
            runner.run(run(settings))
    except SettingsError as error:
        sys.exit(_complain("settings", error, 2))
    except OperatorError as error:
        sys.exit(_complain(type(error).__name__, error, 1))


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.new_event_loop


def _complain(what: str, error: Exception, code: int) -> int:
    print(f"botswain-operator: {what}: {error}", file=sys.stderr)  # noqa: T201 - for the person who started it
    return code


def _settings_help() -> str:
    lines = ["Settings (environment variables):"]
    for name, field in Settings.model_fields.items():
        default = (
            ""
            if field.default_factory
            else f" [{','.join(field.default) if isinstance(field.default, tuple) else field.default}]"
        )
        lines.append(f"  {name.upper():24}{field.description or ''}{default}")
    return "\n".join(lines)


def _set_up_logs(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLevelName(level)))


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.set_exception_handler(_log_loop_error)
    # Threads only look up names here; each has memory of its own that it doesn't give back.
    loop.set_default_executor(ThreadPoolExecutor(2, thread_name_prefix="lookup"))
    state = State()
    server, port = await start_server(state, settings.bind_host, settings.http_port)
    log.info("version %s, serving /health, /ready and /metrics on %s:%s", __version__, settings.bind_host, port)
    try:
        async with KubeClient(read_connection()) as client:
            await _until(stop, _lead(client, settings, state))
    finally:
        await server.cleanup()


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """kopf leaves a watch generator open when it ends; that the loop closes it is no error."""
    if "asyncgen" in context:
        log.debug("%s", context["message"])
    else:
        loop.default_exception_handler(context)


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` until it ends or `stop` is set; raise what it raised."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not working.done():
            working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _lead(client: KubeClient, settings: Settings, state: State) -> None:
    """Wait for the lease, act while holding it, let go of it."""
    lease = Lease(client, settings.lease_namespace, settings.lease_name, settings.identity, settings.lease_seconds)
    await lease.acquire(state.say)
    client.before_write = lease.check
    ended: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lease.keep(), name="lease")
            tasks.create_task(_act(client, settings, state), name="operator")
    except* _StopAskedError:
        log.info("told to stop")
    except* OperatorError as group:
        ended = _first(group)
    finally:
        metrics.LEADER.set(0)
        state.role = "standby"
        await lease.release()
    if ended:
        raise ended  # not above: Python before 3.11.4 puts what is raised there into a group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in nested groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _act(client: KubeClient, settings: Settings, state: State) -> None:
    scopes: tuple[str | None, ...] = settings.watch_namespaces or (None,)
    reconciler = Reconciler(
        client,
        Defaults(
            image_registry=settings.image_registry,
            image_tag=settings.image_tag,
            image_pull_policy=settings.image_pull_policy,
            image_pull_secrets=settings.image_pull_secrets,
            discord_api_url=settings.discord_api_url,
            operator_namespace=settings.lease_namespace,
        ),
        namespaces=settings.watch_namespaces,
        resync_seconds=settings.resync_seconds,
        discord_check_seconds=settings.discord_check_seconds,
        shards_url=settings.shards_url,
        shard_check_seconds=settings.shard_check_seconds,
    )
    metrics.LEADER.set(1)
    state.role = "leader"
    state.reasons = ["reading the cluster"]
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(reconciler.cluster.run(), name="informers")
            await _wait_for_bots_kind(client, scopes, state)
            await reconciler.cluster.synced()
            for number in range(settings.workers):
                tasks.create_task(reconciler.work(), name=f"worker {number}")
            tasks.create_task(reconciler.shards.run(), name="shards")
            tasks.create_task(_resync(reconciler, scopes, settings.resync_seconds), name="resync")
            # Last: when kopf ends, it waits five seconds for every task that was made after it.
            tasks.create_task(_watch_bots(reconciler, settings), name="kopf")
            state.reasons = []
    finally:
        await reconciler.close()


async def _wait_for_bots_kind(client: KubeClient, scopes: tuple[str | None, ...], state: State) -> None:
    """Wait until DiscordBots can be listed: kopf looks for the kind once, and a chart may be installed in any order."""
    attempt = 0
    while True:
        try:
            for scope in scopes:
                await client.list_page(BOT, scope, {"limit": "1"})
            return
        except ApiError as error:
            reason = f"DiscordBots can't be listed: {error}"
            if isinstance(error, NotFound):
                reason = (
                    "the cluster doesn't know DiscordBots: apply the CustomResourceDefinition of charts/botswain/crds"
                )
            state.reasons = [reason]
            log.warning("%s", reason)
            await backoff(attempt, error)
            attempt += 1


async def _watch_bots(reconciler: Reconciler, settings: Settings) -> None:
    try:
        await kopf.operator(
            registry=make_registry(reconciler),
            settings=make_settings(),
            # kopf's own would have the user's name in it, and in the image the user has none.
            identity=settings.identity,  # type: ignore[arg-type] # a str, whose own type kopf doesn't make public
            standalone=True,
            clusterwide=not settings.watch_namespaces,
            namespaces=settings.watch_namespaces,
        )
    except Exception as error:  # kopf's own have no public names
        raise WatchLost(f"DiscordBots can't be watched any more: {error}") from error
    # kopf takes the signal handlers for itself, and ends in good order when it is told to.
    raise _StopAskedError


async def _resync(reconciler: Reconciler, scopes: tuple[str | None, ...], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await reconciler.sweep(scopes)
        except NotFound as error:
            raise WatchLost(f"DiscordBots can't be listed any more: {error}") from error
        except ApiError as error:
            log.warning("resync: %s", error)
