"""Group commit: one thread that writes, and what it does with the writes that wait for it.

While one transaction commits, the writes that arrive wait, and the next transaction takes all of them. Under load the
price of a durable commit is thus shared; an idle ledger commits at once. A write that fails is tried again alone, so it
can't take its neighbours down.

A transaction that another one's got in the way of is repeated. When the server is away, what waits goes on waiting, in
order, for as long as `PATIENCE`; what comes after that fails at once until the server is back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botswain_services.logs import get_logger
from sqlalchemy import Connection, Engine

from botswain_orchestrator.errors import LedgerUnavailableError
from botswain_orchestrator.ledger.engines import conflicted, disconnected, reason_of

LARGEST_GROUP = 1000
"""Writes in one transaction."""
PATIENCE = 15.0
"""Seconds that writes wait for a server that is away."""
_PAUSE = 0.25
_CONFLICTS = 5
"""Times that a transaction is repeated because of others."""
log = get_logger(__name__)


@dataclass(slots=True)
class _Write:
    work: Callable[[Connection], Any]
    committed: Callable[[Any], None] | None
    done: asyncio.Future[Any]
    early: bool


class Writer:
    """One thread's writes, in the order in which they were asked for. `start()`, then `close()`.

    Args:
        name: of the thread.
        begin: called first in each transaction.
    """

    def __init__(self, name: str, begin: Callable[[Connection], None]) -> None:
        self._begin = begin
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._waiting: deque[_Write] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._away = False

    def start(self, engine: Engine) -> None:
        """Begin to take writes."""
        self._task = asyncio.get_running_loop().create_task(self._run(engine), name="ledger commits")

    async def close(self) -> None:
        """Commit what waits."""
        self._closing = True
        if self._task is not None:
            self._wake.set()
            await self._task
        self._thread.shutdown()

    async def write(
        self, work: Callable[[Connection], Any], committed: Callable[[Any], None] | None, *, early: bool = False
    ) -> Any:
        """As `Database.write()`."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(work, committed, future, early))
        self._wake.set()
        # A caller that goes away doesn't undo what it asked for.
        return await asyncio.shield(future)

    async def _run(self, engine: Engine) -> None:
        while not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_GROUP))]
                for write, outcome in zip(group, await self._outcomes(engine, group), strict=True):
                    _settle(write, outcome)

    async def _outcomes(self, engine: Engine, group: list[_Write]) -> list[Any]:
        """Each write's result, or the exception it ended with."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + (0 if self._away else PATIENCE)
        while True:
            outcomes = await loop.run_in_executor(self._thread, _commit, engine, self._begin, group)
            lost = next((one for one in outcomes if isinstance(one, Exception) and disconnected(one)), None)
            if lost is None:
                if self._away:
                    log.info("database_is_back")
                self._away = False
                return outcomes
            if loop.time() >= give_up or self._closing:
                error = LedgerUnavailableError(f"the ledger's database can't be reached: {reason_of(lost)}")
                return [error if isinstance(one, Exception) and disconnected(one) else one for one in outcomes]
            if not self._away:
                log.warning("database_is_away", reason=reason_of(lost))
            self._away = True
            await asyncio.sleep(_PAUSE)


def _commit(engine: Engine, begin: Callable[[Connection], None], group: list[_Write]) -> list[Any]:
    """Each write's result, or the exception it ended with. When the connection is lost, all end with that."""
    error = _try(engine, begin, group)
    if isinstance(error, list):
        return error
    if len(group) == 1 or disconnected(error):
        return [error] * len(group)
    outcomes: list[Any] = []
    for write in group:
        outcome = _try(engine, begin, [write])
        outcomes += outcome if isinstance(outcome, list) else [outcome]
    return outcomes


def _try(engine: Engine, begin: Callable[[Connection], None], group: list[_Write]) -> list[Any] | Exception:
    """The results of one transaction, or why there was none."""
    for attempt in range(1, _CONFLICTS + 1):
        try:
            with engine.begin() as connection:
                begin(connection)
                return [_do(write, connection) for write in group]
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the writer's caller's, and other writes must go on
            if not conflicted(error) or attempt == _CONFLICTS:
                return error
            log.info("transaction_repeated", reason=reason_of(error))
    raise AssertionError


def _do(write: _Write, connection: Connection) -> Any:
    result = write.work(connection)
    if write.early:
        write.done.get_loop().call_soon_threadsafe(_settle, write, result)
    return result


def _settle(write: _Write, outcome: Any) -> None:
    if write.done.done():  # told early
        return
    if isinstance(outcome, BaseException):
        write.done.set_exception(outcome)
        return
    if write.committed is not None:
        write.committed(outcome)
    write.done.set_result(outcome)
