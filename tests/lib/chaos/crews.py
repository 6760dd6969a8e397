"""The running platform: its keepers by kind, and what a rollout does with them."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx
from botswain_cli.ports import find_free

from chaos import layouts
from chaos.layouts import Layout, Wiring
from chaos.processes import Keeper, Life, Program, Reaper
from chaos.waiting import until

READY_DEADLINE = 60.0
START_DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class HandOver:
    """A process that was asked to end while another could take over."""

    old: Life
    shard_ids: tuple[int, ...]
    shard_count: int


class NotReadyError(Exception):
    """The platform did not become ready."""


class Crew:
    """All processes but the simulator."""

    def __init__(self, layout: Layout, wiring: Wiring, reaper: Reaper, http: httpx.AsyncClient) -> None:
        self.all: list[Keeper] = []
        """Every keeper there ever was."""
        self.hand_overs: list[HandOver] = []
        self.shards_started = 0
        """Over all sets: each needs a session of its own."""
        self._layout = layout
        self._wiring = wiring
        self._reaper = reaper
        self._http = http
        self._names = itertools.count()
        self._shard_counts = itertools.cycle(layout.shards)
        self._parts: dict[str, tuple[tuple[int, ...], int]] = {}
        self.execution = self._keeper(layouts.execution(wiring))
        self.orchestrators = [
            self._keeper(layouts.orchestrator(wiring, index)) for index in range(layout.orchestrators)
        ]
        self.discords: list[Keeper] = []

    async def start(self) -> None:
        """Start everything, and wait until it is ready."""
        for keeper in (self.execution, *self.orchestrators):
            keeper.start()
        await self._until_ready((self.execution, *self.orchestrators), START_DEADLINE)
        self.discords = self._new_set()
        await self._until_ready(self.discords, START_DEADLINE)

    async def end(self) -> None:
        """End everything: first what reads, last what sends."""
        for keepers in (self.discords, self.orchestrators, [self.execution]):
            await asyncio.gather(*(keeper.end() for keeper in keepers))

    async def kill(self) -> None:
        """End whatever still runs, at once."""
        await asyncio.gather(*(keeper.end(signal.SIGKILL) for keeper in self.all))

    def of(self, kind: str) -> list[Keeper]:
        """The keepers of a kind: `discord`, `orchestrator` or `execution`."""
        return {"discord": self.discords, "orchestrator": self.orchestrators, "execution": [self.execution]}[kind]

    async def until_ready(self, deadline: float = READY_DEADLINE) -> None:
        """Wait until every process is ready. Raises `NotReadyError`."""
        await self._until_ready((self.execution, *self.orchestrators, *self.discords), deadline)

    async def replace(self, target: int, *, broken: bool) -> None:
        """Roll one discord-service over: the next is ready, then the old one is asked to end. `broken`: then the next is killed.

        Raises:
            NotReadyError: the next did not get ready.
        """
        active = await self._active(self.discords)
        old = active[target % len(active)]
        shard_ids, count = self._parts[old.program.name]
        new = self._discord(shard_ids, count)
        new.start()
        await self._until_ready([new], READY_DEADLINE)
        life = old.life
        if life is not None and not broken:
            self.hand_overs.append(HandOver(life, shard_ids, count))
        ending = asyncio.create_task(old.end())
        if broken:
            await asyncio.sleep(0)
            new.kill(signal.SIGKILL)
        self.discords[self.discords.index(old)] = new
        await ending

    async def reshard(self) -> None:
        """Start a set for the next shard count beside the one that runs; when it reads, end the old one."""
        new = self._new_set()
        old, self.discords = self.discords, [*self.discords, *new]
        await self._until_ready(new, READY_DEADLINE)
        await self._active(new)
        self.discords = new
        await asyncio.gather(*(keeper.end() for keeper in old))

    def _new_set(self) -> list[Keeper]:
        count = next(self._shard_counts)
        self.shards_started += count
        keepers = [self._discord(shard_ids, count) for shard_ids in layouts.parts(count, self._layout.discords)]
        for keeper in keepers:
            keeper.start()
        return keepers

    def _discord(self, shard_ids: tuple[int, ...], count: int) -> Keeper:
        name = f"discord-{next(self._names)}"
        (port,) = find_free(layouts.HOST, 1)
        self._parts[name] = (shard_ids, count)
        return self._keeper(layouts.discord(self._wiring, name, shard_ids, count, port))

    def _keeper(self, program: Program) -> Keeper:
        keeper = Keeper(program, self._wiring.folder / "logs", self._reaper, self._http)
        self.all.append(keeper)
        return keeper

    async def _active(self, keepers: Sequence[Keeper]) -> list[Keeper]:
        """Wait until all are ready and every shard of the set is read; those that read."""
        shard_count = self._parts[keepers[0].program.name][1]
        roles: dict[str, str] = {}

        async def all_read() -> list[Keeper]:
            for keeper in keepers:
                roles[keeper.program.name] = (await keeper.ready() or {}).get("role", "not ready")
            active = [keeper for keeper in keepers if roles[keeper.program.name] == "active"]
            read = {shard for keeper in active for shard in self._parts[keeper.program.name][0]}
            return active if len(read) == shard_count and "not ready" not in roles.values() else []

        active = await until(all_read, READY_DEADLINE)
        if not active:
            raise NotReadyError(f"not every shard is read after {READY_DEADLINE:g} s: {roles}")
        return active

    async def _until_ready(self, keepers: Iterable[Keeper], deadline: float) -> None:
        keepers = list(keepers)
        ready = await asyncio.gather(*(keeper.until_ready(deadline) for keeper in keepers))
        if late := [keeper.program.name for keeper, there in zip(keepers, ready, strict=True) if not there]:
            raise NotReadyError(f"not ready within {deadline:g} s: {', '.join(late)}")


def crashes(crew: Crew) -> list[str]:
    """What ended without having been asked to."""
    return [crash for keeper in crew.all for crash in keeper.crashes]
