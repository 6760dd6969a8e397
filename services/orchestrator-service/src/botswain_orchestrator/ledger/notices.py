"""What orchestrators that share a database tell each other: that something has changed, and what it was.

PostgreSQL's NOTIFY carries it, with the commit of the change itself. A notice saves time and nothing else: what it tells
of is in the tables, and is looked for there now and then anyway. So notices that get lost, while a connection breaks,
do no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
from botswain_services.logs import get_logger
from sqlalchemy import Connection, Engine, text

CHANNEL = "botswain"
EVENTS = "events"
"""Events were recorded, or re-queued."""
PARTITIONS = "partitions"
"""Partitions were let go of, or an orchestrator came or went."""
CLAIMS = "claims"
"""A bot's line of claimants has changed; followed by the bot."""
_PAUSES = (0.2, 5.0)
"""First and longest pause between two connections, in seconds."""
log = get_logger(__name__)


def announce(connection: Connection, what: str, about: str = "") -> None:
    """Tell the others once the transaction is committed. Where there are none, nothing is done."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY, {"channel": CHANNEL, "notice": f"{what} {about}".rstrip()})


class Listener:
    """Hears notices, its own process's too. `start()`, then `close()`.

    Args:
        engine: of the database.
        hear: called with each notice and what it is about.
        again: called when some may have been missed.
    """

    def __init__(self, engine: Engine, hear: Callable[[str, str], None], again: Callable[[], None]) -> None:
        _, self._arguments = engine.dialect.create_connect_args(engine.url)
        self._hear = hear
        self._again = again
        self._heard = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ledger notices")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        first, longest = _PAUSES
        pause = first
        while True:
            self._heard = False
            try:
                await self._listen()
            except psycopg.Error as error:
                log.info("notices_interrupted", reason=" ".join(str(error).split()))
            pause = first if self._heard else min(longest, 2 * pause)
            await asyncio.sleep(pause)

    async def _listen(self) -> None:
        arguments: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 10, **self._arguments}
        async with await psycopg.AsyncConnection.connect(
            **arguments, autocommit=True, application_name="botswain-orchestrator-notices"
        ) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._heard = True
            self._again()
            async for notice in connection.notifies():
                what, _, about = notice.payload.partition(" ")
                self._hear(what, about)


_NOTIFY = text("SELECT pg_notify(:channel, :notice)")
