"""The ledger's SQLite file: what that engine alone has."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from botswain_orchestrator.errors import LedgerError
from botswain_orchestrator.ledger import Database, Ledger, Started
from botswain_proto.v1 import event_pb2

from .test_ledger_database import differences


async def test_commits_are_on_the_disk(tmp_path: Path) -> None:
    """WAL with synchronous=FULL."""
    database = Database(f"sqlite:///{tmp_path}/new/folder/ledger.db")
    await database.open()
    modes = await database.read(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    )
    await database.close()
    assert modes == ["wal", 2]


async def test_a_second_orchestrator_is_kept_out(tmp_path: Path) -> None:
    """Two on one file would both answer; the error says what to do. After the first has closed, the file is free."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    first, second = Database(url), Database(url)
    await first.open()
    with pytest.raises(LedgerError, match="in use by another orchestrator"):
        await second.open()
    await first.close()
    await second.close()
    third = Database(url)
    await third.open()
    await third.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The error names the setting and the file."""
    (tmp_path / "ledger.db").write_text("this is not a database, and longer than a header is")
    one = Database(f"sqlite:///{tmp_path}/ledger.db")
    with pytest.raises(LedgerError, match=r"DATABASE_URL: can't open .*ledger\.db: file is not a database"):
        await one.open()
    await one.close()


async def test_a_later_schema_is_refused(tmp_path: Path) -> None:
    """A database of a later program isn't touched."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    one = Database(url)
    await one.open()
    await one.close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    two = Database(url)
    with pytest.raises(LedgerError, match="schema version 9999, this program knows 0"):
        await two.open()
    await two.close()


FIRST_SCHEMA = """
CREATE TABLE schema_version (version INTEGER NOT NULL, PRIMARY KEY (version));
INSERT INTO schema_version VALUES (1);
CREATE TABLE events (
    id INTEGER NOT NULL, bot_id VARCHAR(256) NOT NULL, event_id VARCHAR(256) NOT NULL, lane VARCHAR(1024) NOT NULL,
    correlation_id VARCHAR(256) NOT NULL, payload BLOB NOT NULL, status SMALLINT NOT NULL, attempts INTEGER NOT NULL,
    received_at BIGINT NOT NULL, finished_at BIGINT, PRIMARY KEY (id), UNIQUE (bot_id, event_id)
);
CREATE INDEX events_unfinished ON events (id) WHERE finished_at IS NULL;
CREATE TABLE runs (
    id VARCHAR(32) NOT NULL, event INTEGER NOT NULL, status SMALLINT NOT NULL, delivery SMALLINT NOT NULL,
    result BLOB NOT NULL, finished_at BIGINT NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX ix_runs_event ON runs (event);
CREATE TABLE cursors (
    bot_id VARCHAR(256) NOT NULL, shard_count INTEGER NOT NULL, shard_id INTEGER NOT NULL,
    session_id VARCHAR(256) NOT NULL, seq BIGINT NOT NULL, cursor BLOB NOT NULL, updated_at BIGINT NOT NULL,
    PRIMARY KEY (bot_id, shard_count, shard_id)
);
CREATE TABLE checkpoints (
    thread_id VARCHAR(1024) NOT NULL, namespace VARCHAR(256) NOT NULL, checkpoint_id VARCHAR(64) NOT NULL,
    encoding VARCHAR(32) NOT NULL, checkpoint BLOB NOT NULL, details BLOB NOT NULL, updated_at BIGINT NOT NULL,
    PRIMARY KEY (thread_id, namespace)
);
"""
"""What the first version made."""


async def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    """Its events are kept and go on; a second start finds nothing to do."""
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.executescript(FIRST_SCHEMA)
        connection.execute(
            "INSERT INTO events VALUES (1, '9', 'discord:message:1', 'a', 'c', ?, 0, 0, 0, NULL)",
            (event_pb2.InternalEvent(event_id="discord:message:1", bot_id="9", content="text 1").SerializeToString(),),
        )
    connection.close()
    for _ in range(2):
        database = Database(f"sqlite:///{tmp_path}/ledger.db")
        await database.open()
        ledger = Ledger(database)
        (entry,) = await ledger.unfinished()
        started = await ledger.start(entry)
        assert isinstance(started, Started)
        assert started.event.content == "text 1"
        assert await database.read(differences) == []
        await database.close()
