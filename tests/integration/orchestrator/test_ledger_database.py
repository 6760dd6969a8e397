"""The ledger, on each engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from botswain_orchestrator.errors import LedgerError
from botswain_orchestrator.ledger import Checkpoint, Database, Entry, Ledger, Recording, Started, replicas
from botswain_orchestrator.ledger.partitions import PARTITIONS
from botswain_orchestrator.ledger.tables import metadata
from botswain_proto.v1 import event_pb2, orchestrator_pb2
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from .conftest import database_url, until


def event(number: int, bot: str = "9") -> event_pb2.InternalEvent:
    return event_pb2.InternalEvent(event_id=f"discord:message:{number}", bot_id=bot, content=f"text {number}")


def completed(run: str) -> orchestrator_pb2.ProcessResponse:
    return orchestrator_pb2.ProcessResponse(
        run_id=run, status=orchestrator_pb2.TURN_STATUS_COMPLETED, response="the answer"
    )


@pytest.fixture
async def database(each_engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    """An open database that was empty, every partition of it held under epoch 1."""
    one = Database(database_url(tmp_path))
    await one.open()
    await one.write(lambda connection: replicas.take(connection, "me", range(PARTITIONS)))
    yield one
    await one.close()


async def recorded(ledger: Ledger, *events: event_pb2.InternalEvent) -> list[Entry]:
    """Events as their owner has them."""
    recording = await ledger.record([("a", one) for one in events])
    return [replace(entry, epoch=1) for entry in recording.new]


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
    (entry,) = await recorded(ledger, event(1))
    assert [one.id for one in await ledger.unfinished()] == [entry.id]
    started = await ledger.start(entry)
    assert isinstance(started, Started)
    assert (started.event.content, started.attempt, started.failures) == ("text 1", 1, 0)
    assert [one.id for one in await ledger.unfinished()] == [entry.id]
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
    (entry,) = await recorded(ledger, event(1))
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


async def test_migrations_make_the_tables_that_the_code_has(database: Database) -> None:
    """Nothing to add, drop or change between the two."""
    assert await database.read(differences) == []


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_after_closing_nothing_is_taken(each_engine: str, tmp_path: Path) -> None:
    """A write to a closed ledger is an error, not a wait; it doesn't show a password."""
    one = Database(database_url(tmp_path))
    await one.open()
    await one.close()
    with pytest.raises(LedgerError, match="not open") as caught:
        await Ledger(one).record([("a", event(1))])
    assert "secret" not in str(caught.value)


async def test_an_early_result_comes_before_its_commit(database: Database) -> None:
    """Its caller goes on; what is written after it is committed after it."""
    order: list[str] = []
    begun = asyncio.Event()
    go_on = threading.Event()
    loop = asyncio.get_running_loop()

    def work(connection: Connection) -> str:
        return "worked"

    def held(connection: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    async def early() -> None:
        order.append(await database.write(work, own=True, early=True))

    async def late() -> None:
        await database.write(held, own=True)
        order.append("committed")

    async with asyncio.TaskGroup() as tasks:
        # Both wait for the same transaction, which can't be committed before `go_on`.
        tasks.create_task(early())
        tasks.create_task(late())
        await begun.wait()
        await until(lambda: bool(order))
        assert order == ["worked"]
        go_on.set()
    assert order == ["worked", "committed"]
