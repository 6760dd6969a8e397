"""What the ledger tells and takes over HTTP, for people and for the command: what it holds, and dead letters."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from botswain_services import Service, TaskSchema
from botswain_services.logs import get_logger
from pydantic import BaseModel, Field, model_validator

from botswain_orchestrator.intake import Intake
from botswain_orchestrator.ledger import Database
from botswain_orchestrator.ledger.deadletters import DeadLetter, dead_letters, requeue
from botswain_orchestrator.ledger.upkeep import Holding, holdings

log = get_logger(__name__)
RowId = Annotated[int, Field(ge=0, le=2**63 - 1)]
"""The id of a row: no database has larger ones."""


class DeadLetterQuery(BaseModel):
    """Which dead letters."""

    after: RowId = Field(default=0, description="Those with an id above this.")
    limit: int = Field(default=100, ge=1, le=500)


class DeadLetterOut(BaseModel):
    """An event that was given up, and why."""

    id: int
    bot_id: str
    event_id: str
    lane: str
    correlation_id: str
    failures: int
    received_at: datetime
    parked_at: datetime
    reason: str


class DeadLetterList(BaseModel):
    """Dead letters, oldest first."""

    dead_letters: list[DeadLetterOut]
    total: int
    """All there are, listed here or not."""


class RequeueBody(BaseModel):
    """Which dead letters are to be tried again: some ids, or all."""

    ids: list[RowId] = Field(default=[], max_length=500)
    all: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> RequeueBody:
        if bool(self.ids) == self.all:
            raise ValueError('give either "ids" or "all": true')
        return self


class RequeueOut(BaseModel):
    """Those that wait for their turn again."""

    requeued: list[int]


class HoldingOut(BaseModel):
    """Rows of one kind."""

    name: str
    count: int
    oldest: datetime | None
    newest: datetime | None


class LedgerOut(BaseModel):
    """What the ledger holds, kind by kind."""

    holdings: list[HoldingOut]


def add_ledger_endpoints(service: Service, database: Database, intake: Intake) -> None:
    """Serve them, to callers with a token."""

    async def deadletters(query: DeadLetterQuery) -> DeadLetterList:
        """List events whose turns all failed, oldest first."""
        found, total = await dead_letters(database, after=query.after, limit=query.limit)
        return DeadLetterList(dead_letters=[_shown(letter) for letter in found], total=total)

    async def requeue_deadletters(body: RequeueBody) -> RequeueOut:
        """Have dead letters tried again, at the end of their lanes. Ids of others are left out. "all" takes up to 500."""
        ids, entries = await requeue(database, None if body.all else body.ids)
        intake.owner.requeued(entries)
        log.info("dead_letters_requeued", events=len(entries))
        return RequeueOut(requeued=ids)

    async def ledger() -> LedgerOut:
        """Counts and ages of what the ledger holds."""
        return LedgerOut(holdings=[_held(one) for one in await holdings(database)])

    service.add_endpoint("/ledger", ledger, methods=["GET"], scope="service")
    listing = TaskSchema(name="deadletters", input_schema=DeadLetterQuery, output_schema=DeadLetterList)
    service.add_endpoint("/deadletters", deadletters, schema=listing, methods=["GET"], scope="service")
    again = TaskSchema(name="requeue_deadletters", input_schema=RequeueBody, output_schema=RequeueOut)
    service.add_endpoint("/deadletters/requeue", requeue_deadletters, schema=again, scope="service")


def _held(holding: Holding) -> HoldingOut:
    return HoldingOut(
        name=holding.name, count=holding.count, oldest=_time(holding.oldest), newest=_time(holding.newest)
    )


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds is not None else None


def _shown(letter: DeadLetter) -> DeadLetterOut:
    times = {name: _time(getattr(letter, name)) for name in ("received_at", "parked_at")}
    return DeadLetterOut(**asdict(letter) | times)
