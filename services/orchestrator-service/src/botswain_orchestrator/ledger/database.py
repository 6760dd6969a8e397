"""The database behind the ledger: a writer or two with group commit, a few reader threads.

SQLAlchemy is used synchronously, in threads of our own: a whole transaction costs one hop to a thread, where the
async engine pays one for each statement; and the same code serves any engine that has a synchronous driver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from botswain_services.logs import get_logger
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from botswain_orchestrator.errors import LedgerError, LedgerUnavailableError
from botswain_orchestrator.ledger import schema
from botswain_orchestrator.ledger.commits import Writer
from botswain_orchestrator.ledger.engines import backend, disconnected, parse_database_url, reason_of

T = TypeVar("T")
READERS = 2
START_PATIENCE = 60.0
"""Seconds that a start waits for a server that is away."""
log = get_logger(__name__)


class Database:
    """Open with `await open()`, close with `await close()`."""

    def __init__(self, url: str) -> None:
        self._backend = backend(parse_database_url(url))
        self.shared = self._backend.shared
        """Whether other orchestrators may use it at the same time."""
        self._engine: Engine | None = None
        self._closing = False
        self._common = Writer("ledger-write", self._backend.begin_common)
        # SQLite has one writer at a time anyway.
        self._own = Writer("ledger-turns", lambda _: None) if self.shared else self._common
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ledger-read")

    async def open(self) -> None:
        """Make the file where it is missing, and bring its tables up to date. A server that is away is waited for.

        Raises:
            LedgerError: it can't be opened, is in use by another process, or of a later version.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + START_PATIENCE
        told = False
        while self._engine is None:
            try:
                self._engine = await loop.run_in_executor(self._readers, self._open)
            except LedgerUnavailableError as error:
                if loop.time() >= give_up:
                    raise
                if not told:
                    log.warning("database_is_away", reason=str(error))
                told = True
                await asyncio.sleep(0.5)
        self._common.start(self._engine)
        if self._own is not self._common:
            self._own.start(self._engine)

    async def close(self) -> None:
        """Commit what waits and close."""
        self._closing = True
        for writer in {self._common, self._own}:
            await writer.close()
        self._readers.shutdown()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        self._backend.close()

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` reads, in a reader thread.

        Raises:
            LedgerUnavailableError: the server can't be reached.
        """
        engine = self.engine

        def once() -> T:
            with engine.connect() as connection:
                return work(connection)

        def run() -> T:
            try:
                return once()
            except SQLAlchemyError as error:
                if not disconnected(error):
                    raise
            try:  # the pool's connection was an old one
                return once()
            except SQLAlchemyError as error:
                if not disconnected(error):
                    raise
                raise LedgerUnavailableError(f"the ledger's database can't be reached: {reason_of(error)}") from error

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def write(
        self,
        work: Callable[[Connection], T],
        *,
        committed: Callable[[T], None] | None = None,
        own: bool = False,
        early: bool = False,
    ) -> T:
        """Do `work` in the next transaction and wait until that is committed.

        Args:
            work: runs in a writer thread; may run twice, when the transaction it shared failed, or its end got lost.
            committed: called in the event loop right after the commit, in the order of the writes.
            own: touches only what this orchestrator's turns own, so it need not wait for other orchestrators.
            early: return as soon as the work has run. For what matters only together with a later write of the same kind,
                which is committed after it: writes of one kind keep their order.

        Raises:
            LedgerUnavailableError: the server can't be reached; nobody knows whether it was done.
        """
        _ = self.engine
        result: T = await (self._own if own else self._common).write(work, committed, early=early)
        return result

    @property
    def engine(self) -> Engine:
        """The engine; an error when it isn't open."""
        if self._engine is None or self._closing:
            raise LedgerError(f"the ledger {self._backend.describe()} is not open")
        return self._engine

    def _open(self) -> Engine:
        try:
            engine = self._backend.open()
            try:
                with engine.begin() as connection:
                    self._backend.begin_migration(connection)
                    schema.prepare(connection)
            except BaseException:
                engine.dispose()
                raise
        except (OSError, SQLAlchemyError) as error:
            kind = LedgerUnavailableError if disconnected(error) else LedgerError
            raise kind(f"DATABASE_URL: can't open {self._backend.describe()}: {reason_of(error)}") from error
        return engine
