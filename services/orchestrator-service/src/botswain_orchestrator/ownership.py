"""Whose turn it is to answer: hands this orchestrator the recorded events that it is to answer, in order.

`SoleOwner` has the database for itself: everything is its own. `SharedOwner` shares it with others, by partitions of
lanes (`ledger.partitions`). It renews its lease, takes free partitions, lets go of those that are to be another's once
their turns are over, and reads its partitions' events from the database, in the order of their ids, which is the order
in which they became visible: so it doesn't matter which orchestrator recorded them. Notices (`ledger.notices`) make
that quick; a look every third of a lease makes it certain.

An owner that was frozen or cut off for longer than its lease is fenced: its turns can't write any more
(`replicas.check`), and their lanes are dropped here with the next look.
"""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from botswain_services.logs import get_logger
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from botswain_orchestrator.errors import LedgerUnavailableError
from botswain_orchestrator.ledger import Database, Entry, Ledger, replicas
from botswain_orchestrator.ledger.engines import now_in, reason_of
from botswain_orchestrator.ledger.notices import PARTITIONS as MOVED
from botswain_orchestrator.ledger.notices import announce
from botswain_orchestrator.ledger.partitions import PARTITIONS, partition_of, plan
from botswain_orchestrator.metrics import PARTITIONS_HELD

log = get_logger(__name__)

LEASE = 10.0
"""Seconds after which an orchestrator that isn't heard from is dead to the others."""
_LOOKS = 3
"""Looks, and renewals, per lease."""
_PAGE = 5000
"""Events read at a time."""


class Desk(Protocol):
    """Where an owner's events go."""

    def deliver(self, entry: Entry, *, fresh: bool) -> None:
        """An event of this orchestrator; `fresh`: it came after the partition was its own."""

    def withdraw(self, matches: Callable[[str], bool]) -> None:
        """Drop what waits in some lanes, and call `Owner.done()` for each; what runs goes on."""


class Owner(Protocol):
    """What the service asks of an owner."""

    async def start(self) -> bool:
        """Begin to deliver, what is left from before first; whether this is the only orchestrator alive."""

    def problem(self) -> str | None:
        """Why it may not be able to answer, if so."""

    def recorded(self, entries: Iterable[Entry]) -> None:
        """Events were committed by this orchestrator, for whoever owns them."""

    def requeued(self, entries: Iterable[Entry]) -> None:
        """So were dead letters that are to be tried again."""

    def keeps(self, entry: Entry) -> bool:
        """Whether an event that was delivered is still this orchestrator's to answer."""

    def done(self, entry: Entry) -> None:
        """An event that was delivered is no longer in its lane."""

    def events_came(self) -> None:
        """Somebody recorded events."""

    def partitions_moved(self) -> None:
        """Somebody let go of partitions, came or went."""

    def leave(self) -> None:
        """Start to let go of everything: this orchestrator is ending."""

    async def close(self) -> None:
        """Let go of what is left."""


class SoleOwner:
    """The only orchestrator of its database."""

    def __init__(self, ledger: Ledger, desk: Desk) -> None:
        self._ledger = ledger
        self._desk = desk

    async def start(self) -> bool:
        """Deliver what was recorded before and not answered."""
        left = await self._ledger.unfinished()
        self.requeued(left)
        if left:
            log.info("turns_resumed", events=len(left))
        return True

    def problem(self) -> str | None:
        """Nothing can come between."""
        return None

    def recorded(self, entries: Iterable[Entry]) -> None:
        """They are delivered at once."""
        for entry in entries:
            self._desk.deliver(entry, fresh=True)

    def requeued(self, entries: Iterable[Entry]) -> None:
        """So are these."""
        for entry in entries:
            self._desk.deliver(entry, fresh=False)

    def keeps(self, entry: Entry) -> bool:
        """Nobody else could."""
        return True

    def done(self, entry: Entry) -> None:
        """Nobody asks."""

    def events_came(self) -> None:
        """Nobody else records any."""

    def partitions_moved(self) -> None:
        """There are none."""

    def leave(self) -> None:
        """Nobody takes over."""

    async def close(self) -> None:
        """Nothing is left."""


@dataclass(slots=True)
class _Held:
    """A partition of this orchestrator."""

    epoch: int
    read: int = 0
    """The last id that was read."""
    settled: bool = False
    """What had been recorded before it was taken has been read."""
    giving: bool = False
    """It is let go of when its turns are over."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at the tables found, and did."""

    epochs: Mapping[int, int]
    """Of this orchestrator's partitions."""
    give: frozenset[int]
    living: list[str]


class SharedOwner:
    """One of several orchestrators.

    Args:
        database: theirs.
        ledger: over it.
        desk: gets the events.
        lease: seconds.
        name: its own among the others; None: a new one. What an earlier process of that name held is taken over at once.
    """

    def __init__(
        self, database: Database, ledger: Ledger, desk: Desk, *, lease: float = LEASE, name: str | None = None
    ) -> None:
        self.id = name or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.living: list[str] = []
        """All orchestrators that are alive, as they were at the last look."""
        self._database = database
        self._ledger = ledger
        self._desk = desk
        self._lease = lease
        self._held: dict[int, _Held] = {}
        self._pending: Counter[int] = Counter()
        self._wanted = asyncio.Event()
        self._looking = False
        self._leaving = False
        self._renewed_at = 0.0
        self._task: asyncio.Task[None] | None = None
        PARTITIONS_HELD.set_function(lambda: len(self._held))

    async def start(self) -> bool:
        """Take a share of the partitions, and go on by itself."""
        await self._look()
        await self._read()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ownership")
        return self.living == [self.id]

    def problem(self) -> str | None:
        """Why its turns may be another's by now, if so."""
        silent = asyncio.get_running_loop().time() - self._renewed_at
        return f"the lease was last renewed {silent:.0f} s ago" if silent > self._lease else None

    def recorded(self, entries: Iterable[Entry]) -> None:
        """They are read from the database, as others' are: that keeps the order."""
        self.events_came()

    def requeued(self, entries: Iterable[Entry]) -> None:
        """So are these."""
        self.events_came()

    def events_came(self) -> None:
        """Look for new events soon."""
        self._wanted.set()

    def partitions_moved(self) -> None:
        """Look for free partitions soon."""
        self._looking = True
        self._wanted.set()

    def keeps(self, entry: Entry) -> bool:
        """Whether its partition is held as it was, and isn't given away."""
        held = self._held.get(partition_of(entry.lane))
        return held is not None and held.epoch == entry.epoch and not held.giving

    def done(self, entry: Entry) -> None:
        """When a partition that is given away has nothing left here, it is let go of."""
        partition = partition_of(entry.lane)
        self._pending[partition] -= 1
        held = self._held.get(partition)
        if held is not None and held.giving and not self._pending[partition]:
            self._wanted.set()

    def leave(self) -> None:
        """Give everything away."""
        self._leaving = True
        self.partitions_moved()

    async def close(self) -> None:
        """Let go of what is left, and sign off."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

        def work(connection: Connection) -> None:
            replicas.let_go(connection, self.id, list(self._held))
            replicas.leave(connection, self.id)
            announce(connection, MOVED)

        if self._task is not None:
            try:
                await self._database.write(work)
            except LedgerUnavailableError as error:
                log.warning("partitions_not_released", reason=str(error))
        self._held.clear()

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        pause = self._lease / _LOOKS
        next_look = clock() + pause
        while True:
            try:
                async with asyncio.timeout(max(0.0, next_look - clock())):
                    await self._wanted.wait()
            except TimeoutError:
                self._looking = True
            self._wanted.clear()
            try:
                if self._looking:
                    self._looking = False
                    next_look = clock() + pause
                    await self._look()
                await self._release()
                await self._read()
            except (LedgerUnavailableError, SQLAlchemyError) as error:
                log.warning("ownership_not_renewed", reason=reason_of(error))

    async def _look(self) -> None:
        """Be heard from; see what is whose; take and give."""
        newcomer = not self.living

        def work(connection: Connection) -> _Look:
            now = now_in(connection)
            replicas.heard_from(connection, self.id, now=now, lease=self._lease, leaving=self._leaving)
            if newcomer:
                replicas.let_go(connection, self.id, range(PARTITIONS))
                announce(connection, MOVED)
            living = replicas.living(connection, now=now)
            table = replicas.owners(connection)
            todo = plan(
                self.id,
                [replica for replica, leaving in living.items() if not leaving],
                {number: owner if owner in living else None for number, (owner, _) in table.items()},
            )
            mine = {number: epoch for number, (owner, epoch) in table.items() if owner == self.id}
            return _Look(mine | replicas.take(connection, self.id, todo.take), todo.give, list(living))

        began = asyncio.get_running_loop().time()
        self._saw(await self._database.write(work))
        self._renewed_at = began

    def _saw(self, look: _Look) -> None:
        if look.living != self.living:
            log.info("orchestrators", living=look.living, partitions=len(look.epochs))
        self.living = look.living
        lost = {number for number, held in self._held.items() if look.epochs.get(number) != held.epoch}
        if lost:
            log.warning("partitions_lost", partitions=len(lost), reason="this orchestrator wasn't heard from in time")
            for number in lost:
                del self._held[number]
        going = set()
        for number, epoch in look.epochs.items():
            held = self._held.setdefault(number, _Held(epoch))
            if number in look.give and not held.giving:
                going.add(number)
                held.read = 0  # should it stay after all, it is read anew
            held.giving = number in look.give
        if lost or going:
            self._desk.withdraw(lambda lane: partition_of(lane) in lost | going)

    async def _release(self) -> None:
        """Let go of partitions that are given away and have nothing running here."""
        idle = [number for number, held in self._held.items() if held.giving and not self._pending[number]]
        if not idle:
            return

        def work(connection: Connection) -> None:
            replicas.let_go(connection, self.id, idle)
            announce(connection, MOVED)

        await self._database.write(work)
        for number in idle:
            del self._held[number]
        log.info("partitions_released", partitions=len(idle))

    async def _read(self) -> None:
        """Deliver what has come since the last time."""
        kept = {number: held for number, held in self._held.items() if not held.giving}
        if not kept:
            return
        epochs = {number: held.epoch for number, held in kept.items()}
        # Ids become visible in order: what was read in one partition says how far the others are read as well.
        newest = max(held.read for held in kept.values())
        after = min(held.read for held in kept.values())
        while page := await self._ledger.unfinished_in(epochs, after=after, limit=_PAGE):
            for entry in page:
                self._deliver(entry, kept[partition_of(entry.lane)])
            after = page[-1].id
            if len(page) < _PAGE:
                break
        for held in kept.values():
            held.read = max(held.read, after, newest)
            held.settled = True

    def _deliver(self, entry: Entry, held: _Held) -> None:
        if entry.id > held.read:
            held.read = entry.id
            self._pending[partition_of(entry.lane)] += 1
            self._desk.deliver(entry, fresh=held.settled)
