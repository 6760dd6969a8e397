"""The ledger on a real SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from botswain_orchestrator.errors import LedgerError
from botswain_orchestrator.ledger import Checkpoint, Database, Ledger, Recording, Started
from botswain_orchestrator.ledger.tables import metadata
from botswain_proto.v1 import event_pb2, orchestrator_pb2
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError


def event(number: int, bot: str = "9") -> event_pb2.InternalEvent:
    return event_pb2.InternalEvent(event_id=f"discord:message:{number}", bot_id=bot, content=f"text {number}")


def completed(run: str) -> orchestrator_pb2.ProcessResponse:
    return orchestrator_pb2.ProcessResponse(
        run_id=run, status=orchestrator_pb2.TURN_STATUS_COMPLETED, response="the answer"
    )


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database in a folder that didn't exist."""
    one = Database(f"sqlite:///{tmp_path}/new/folder/ledger.db")
    await one.open()
    yield one
    await one.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    """Its ledger."""
    return Ledger(database)


async def test_an_event_is_recorded_once_per_bot(ledger: Ledger) -> None:
    """Within a batch, in a later one, and beside another bot's event of the same id."""
    first = await ledger.record([("a", event(1)), ("a", event(1)), ("a", event(2))])
    second = await ledger.record([("a", event(2)), ("a", event(1, bot="8"))])
    assert (len(first.new), first.duplicates) == (2, 1)
    assert (len(second.new), second.duplicates) == (1, 1)


async def test_a_large_batch_is_recorded_whole_and_in_order(ledger: Ledger) -> None:
    """More rows than one statement takes."""
    recording = await ledger.record([(str(number), event(number)) for number in range(5000)])
    assert [entry.lane for entry in recording.new] == [str(number) for number in range(5000)]


async def test_an_event_is_unfinished_until_its_turn_is_over(ledger: Ledger) -> None:
    """start() gives it back as it came; finish() closes it and keeps the result."""
    (entry,) = (await ledger.record([("a", event(1))])).new
    assert await ledger.unfinished() == [entry]
    started = await ledger.start(entry)
    assert isinstance(started, Started)
    assert (started.event.content, started.attempt, started.failures) == ("text 1", 1, 0)
    assert await ledger.unfinished() == [entry]
    await ledger.finish(entry, completed("run"))
    assert await ledger.unfinished() == []
    receipt = await ledger.receipt("9", "discord:message:1")
    assert receipt is not None
    assert receipt.result is not None
    assert receipt.result.response == "the answer"


async def test_a_receipt_of_nothing_is_none(ledger: Ledger) -> None:
    """An event never recorded is not known."""
    assert await ledger.receipt("9", "discord:message:1") is None


async def test_a_turn_and_its_memory_are_recorded_together(ledger: Ledger) -> None:
    """The latest checkpoint replaces the one before."""
    (entry,) = (await ledger.record([("a", event(1))])).new
    for number in (1, 2):
        checkpoint = Checkpoint("a", "", f"c{number}", "msgpack", b"state", b"{}")
        await ledger.finish(entry, completed("run"), checkpoint)
    assert await ledger.checkpoint("a", "") == Checkpoint("a", "", "c2", "msgpack", b"state", b"{}")
    assert await ledger.checkpoint("b", "") is None
    await ledger.forget("a")
    assert await ledger.checkpoint("a", "") is None


async def test_writes_that_wait_share_a_commit(database: Database) -> None:
    """A hundred writes at once take far fewer than a hundred transactions."""
    transactions: set[int] = set()

    def work(connection: Connection) -> None:
        transactions.add(id(connection.get_transaction()))
        kept.append(connection.get_transaction())

    kept: list[object] = []  # so that no id is used twice
    await asyncio.gather(*(database.write(work) for _ in range(100)))
    assert len(kept) == 100
    assert len(transactions) <= 3


async def test_a_failing_write_fails_alone(database: Database, ledger: Ledger) -> None:
    """The writes beside it are committed."""

    def broken(connection: Connection) -> None:
        connection.execute(text("INSERT INTO no_such_table VALUES (1)"))

    outcomes = await asyncio.gather(
        ledger.record([("a", event(1))]),
        database.write(broken),
        ledger.record([("a", event(2))]),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], SQLAlchemyError)
    assert len(await ledger.unfinished()) == 2


async def test_a_callers_end_does_not_undo_its_write(ledger: Ledger) -> None:
    """What was handed over is committed, and whoever is to be told is told."""
    told: list[Recording] = []
    recording = asyncio.ensure_future(ledger.record([("a", event(1))], committed=told.append))
    await asyncio.sleep(0)
    recording.cancel()
    await ledger.record([("a", event(2))])
    assert len(await ledger.unfinished()) == 2
    assert len(told) == 1


async def test_commits_are_on_the_disk(database: Database) -> None:
    """WAL with synchronous=FULL."""
    modes = await database.read(
        lambda connection: [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        ]
    )
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
            (event(1).SerializeToString(),),
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
        assert await database.read(_differences) == []
        await database.close()


async def test_migrations_make_the_tables_that_the_code_has(database: Database) -> None:
    """Nothing to add, drop or change between the two."""
    assert await database.read(_differences) == []


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_after_closing_nothing_is_taken(tmp_path: Path) -> None:
    """A write to a closed ledger is an error, not a wait."""
    one = Database(f"sqlite:///{tmp_path}/ledger.db")
    await one.open()
    await one.close()
    with pytest.raises(LedgerError, match="not open"):
        await Ledger(one).record([("a", event(1))])
