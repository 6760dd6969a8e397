"""The two engines a ledger can have: a SQLite file for one orchestrator, PostgreSQL for any number of them.

SQLite runs in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns (0.2 ms on an SSD, measured;
`NORMAL` would lose the last commits at a power cut). A lock beside the file keeps a second orchestrator out, which
would answer the same events again.

On PostgreSQL orchestrators work side by side. What they have in common (events, claims, who answers which lanes) is
written one transaction at a time over all of them, under an advisory lock: so events are numbered in the order in which
they become visible, and transactions that take many rows can't wait for each other in a ring. What belongs to one
orchestrator's turns is written beside that.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from botswain_orchestrator.errors import LedgerError

LOCK = 0x626F7473
"""The advisory lock of writers of what orchestrators have in common; `LOCK + 1` is that of migrations."""
_STALLED = 3
"""Seconds after which PostgreSQL ends a session that stopped in the middle of a transaction, as a frozen process does: well
below a lease, because the others wait for it to renew theirs.
"""
_AGAIN = {"40001", "40P01", "55P03"}
"""SQLSTATEs of transactions that failed because of others: serialization, deadlock, lock not available."""
_FORM = "not of the form sqlite:///relative/path.db, sqlite:////absolute/path.db or postgresql://user:password@host:port/database"


def parse_database_url(value: str) -> URL:
    """`DATABASE_URL` as SQLAlchemy has it, with the driver that is used.

    Raises:
        ValueError: it is of no form that is taken. The message holds no password.
    """
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(_FORM) from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        if not url.database:
            raise ValueError("names no database: postgresql://user:password@host:port/database")
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite" or not url.database:
        raise ValueError(_FORM)
    if ":memory:" in url.database or "mode" in url.query:
        raise ValueError(f"{_FORM} (a database in memory would lose events)")
    return url


class Backend(Protocol):
    """What differs between the engines."""

    shared: bool
    """Whether other orchestrators may use the database at the same time."""

    def open(self) -> Engine:
        """An engine for it. Raises OSError, SQLAlchemyError or LedgerError."""

    def close(self) -> None:
        """Let go of what isn't the engine's."""

    def begin_common(self, connection: Connection) -> None:
        """Called first in a transaction that writes what orchestrators have in common."""

    def begin_migration(self, connection: Connection) -> None:
        """Called first in the transaction that migrates."""

    def describe(self) -> str:
        """What to call the database, without a password."""


class SqliteFile:
    """One file, one orchestrator."""

    shared = False

    def __init__(self, url: URL) -> None:
        self._url = url
        self._path = Path(url.database or "")
        self._lock_file: int | None = None

    def open(self) -> Engine:
        """Make the folders and the file where they are missing, and lock it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        engine = create_engine(self._url, hide_parameters=True)
        _configure_sqlite(engine)
        return engine

    def close(self) -> None:
        """Unlock it."""
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def begin_common(self, connection: Connection) -> None:
        """There is one writer anyway."""

    def begin_migration(self, connection: Connection) -> None:
        """The file is this process's alone."""

    def describe(self) -> str:
        """The file's path."""
        return str(self._path)

    def _take_lock(self) -> None:
        path = self._path.with_name(self._path.name + ".lock")
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise LedgerError(
                f"DATABASE_URL: {self._path} is in use by another orchestrator. End that one, give this one a file of its own, "
                "or use PostgreSQL, which several can share."
            ) from None
        self._lock_file = lock


class PostgresDatabase:
    """A database that orchestrators share."""

    shared = True

    def __init__(self, url: URL) -> None:
        self._url = url

    def open(self) -> Engine:
        """Connections are made when they are needed, and noticed within seconds when the other side is gone."""
        return create_engine(
            self._url,
            hide_parameters=True,
            pool_size=6,
            connect_args={
                "connect_timeout": 5,
                "application_name": "botswain-orchestrator",
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 15_000,
                "options": f"-c timezone=UTC -c idle_in_transaction_session_timeout={_STALLED}s",
            },
        )

    def close(self) -> None:
        """Nothing is held."""

    def begin_common(self, connection: Connection) -> None:
        """Wait for the others' transactions, then look at the clock that all of them go by."""
        connection.execute(_TAKE_LOCK, {"key": LOCK})
        connection.info["now"] = float(connection.execute(_CLOCK).scalar_one())

    def begin_migration(self, connection: Connection) -> None:
        """One at a time: several may start together."""
        connection.execute(_TAKE_LOCK, {"key": LOCK + 1})

    def describe(self) -> str:
        """Server and database."""
        return self._url.set(drivername="postgresql", password=None, username=None, query={}).render_as_string()


def backend(url: URL) -> Backend:
    """The one for a URL that `parse_database_url()` gave."""
    return SqliteFile(url) if url.drivername == "sqlite" else PostgresDatabase(url)


def now_in(connection: Connection) -> float:
    """Seconds since 1970 by the clock that all orchestrators of the database share; in transactions that write what they
    have in common.
    """
    told: float | None = connection.info.get("now")
    return time.time() if told is None else told


def conflicted(error: BaseException) -> bool:
    """Whether a transaction failed because of another one, and does well to be repeated at once."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _AGAIN


def disconnected(error: BaseException) -> bool:
    """Whether the server can't be reached, or ended the connection."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None) or ""
    # 57P0x: shutting down, starting up; 53300: too many connections; 25P03: it took us for frozen.
    gone = error.connection_invalidated or state.startswith(("08", "57P0")) or state in ("53300", "25P03")
    no_server = (
        isinstance(error, OperationalError | InterfaceError) and not state and "psycopg" in type(error.orig).__module__
    )
    return gone or no_server


def reason_of(error: BaseException) -> str:
    """An engine's error in one line."""
    words = str(getattr(error, "orig", None) or error)
    return " ".join(words.split())


def _configure_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins no transactions of its own; `on_begin` does
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


_TAKE_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_CLOCK = text("SELECT extract(epoch FROM clock_timestamp())")
