"""Faults carried out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from postgres import PostgresServer

from chaos.crews import Crew
from chaos.discord import Discord
from chaos.load import Load
from chaos.plans import FREEZES, GATEWAY, NEW_SESSION, Step
from chaos.processes import Keeper

PATIENCE = 15.0
"""Seconds that a fault waits for something to hit."""
KINDS = ("discord", "orchestrator", "execution")
OUTAGE = 60
"""Messages that are written while the orchestrators, or their database, are away."""
OUTAGE_DEADLINE = 10.0
REST_SECONDS = 3.0
REST_OUTAGE_SECONDS = 6.0
"""Longer than the Discord server goes on trying by itself."""
FREEZE_SECONDS = 13.0
"""Longer than a claim lasts without being renewed (10 s)."""
MCP_SERVER = "discord_server.py"
SIGNALS = {"kill": signal.SIGKILL, "end": signal.SIGTERM}
_MESSAGES = "/messages"

REST_FAULTS: dict[str, dict[str, Any]] = {
    "rest-5xx": {"kind": "http_status", "status": 502, "probability": 0.3, "duration": REST_SECONDS},
    "rest-5xx-hidden": {
        "kind": "http_status",
        "status": 500,
        "side": "after",
        "probability": 0.3,
        "duration": REST_SECONDS,
        "route": _MESSAGES,
    },
    "rest-429": {"kind": "rate_limit", "retry_after": 0.4, "probability": 0.4, "duration": REST_SECONDS},
    "rest-slow": {"kind": "latency", "seconds": 0.5, "jitter": 1.0, "duration": REST_SECONDS, "side": "after"},
    "rest-outage": {"kind": "http_status", "status": 503, "duration": REST_OUTAGE_SECONDS},
}


def gateway_fault(fault: str) -> dict[str, Any]:
    """What the simulator is told."""
    if fault.startswith("close-"):
        return {"kind": "close", "code": int(fault.removeprefix("close-"))}
    return {
        "dropped-connection": {"kind": "drop"},
        "reconnect-request": {"kind": "reconnect"},
        "invalid-session-resumable": {"kind": "invalid_session", "resumable": True},
        "invalid-session": {"kind": "invalid_session", "resumable": False},
        "expired-session": {"kind": "expire_sessions"},
    }[fault]


class Deeds:
    """Carries out steps, and counts them."""

    def __init__(self, crew: Crew, discord: Discord, load: Load, database: PostgresServer | None) -> None:
        self.done: Counter[str] = Counter()
        """By fault."""
        self._patient: set[asyncio.Task[None]] = set()
        self.missed: Counter[str] = Counter()
        """Faults that found nobody to hit."""
        self.sessions_ended = 0
        self.kills = 0
        """Processes that got SIGKILL."""
        self._crew = crew
        self._discord = discord
        self._load = load
        self._database = database
        self._rollouts: dict[str, Callable[[Step], Awaitable[bool]]] = {
            "orchestrator-outage": self._outage,
            "database-outage": self._database_outage,
            "hand-over": self._hand_over,
            "broken-hand-over": self._hand_over,
            "re-shard": self._reshard,
        }

    async def do(self, step: Step) -> str:
        """Carry out one step; in words what it hit."""
        if step.fault in REST_FAULTS:
            await self._discord.fault(**REST_FAULTS[step.fault], **self._seed(step))
            hit = "REST"
        elif step.fault in GATEWAY:
            hit = await self._gateway(step)
        elif step.fault in FREEZES:
            hit = await self._freeze(step)
        elif step.fault in self._rollouts:
            await self.settle()
            hit = step.fault if await self._rollouts[step.fault](step) else ""
        else:
            hit = await self._signal(step)
        (self.done if hit else self.missed)[step.fault] += 1
        return hit

    @staticmethod
    def _seed(step: Step) -> dict[str, int]:
        return {"seed": step.target} if "probability" in REST_FAULTS[step.fault] else {}

    async def _signal(self, step: Step) -> str:
        """Send a signal; a patient one when its target has come up, while the plan goes on."""
        if step.patience is None:
            return await self._signal_now(step)
        task = asyncio.create_task(self._signal_later(step, step.patience), name=step.fault)
        self._patient.add(task)
        return "(as soon as it is up)"

    async def _signal_later(self, step: Step, patience: float) -> None:
        whom = step.fault.partition("-")[2]
        if whom in KINDS:
            await self._target(whom, step).until_ready(PATIENCE)
        await asyncio.sleep(patience)
        if not await self._signal_now(step):
            self.done[step.fault] -= 1
            self.missed[step.fault] += 1

    async def _signal_now(self, step: Step) -> str:
        verb, _, whom = step.fault.partition("-")
        if whom in KINDS:
            keeper = self._target(whom, step)
            return keeper.program.name if self._kill(keeper, SIGNALS[verb]) else ""
        if whom != "mcp-server":
            return await self._kill_several(step)
        found = await self._crew.execution.offspring(MCP_SERVER, PATIENCE)
        return self._signal_process(found[step.target % len(found)].pid, SIGNALS[verb]) if found else ""

    def _target(self, kind: str, step: Step) -> Keeper:
        keepers = self._crew.of(kind)
        return keepers[step.target % len(keepers)]

    async def settle(self) -> None:
        """Return when every patient signal was sent."""
        if self._patient:
            await asyncio.gather(*self._patient)
            self._patient.clear()

    def _signal_process(self, pid: int, number: signal.Signals) -> str:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            self.kills += number == signal.SIGKILL
            return f"{MCP_SERVER} ({pid})"
        return ""

    async def _kill_several(self, step: Step) -> str:
        """Some processes, or all: those that the bits of `target` choose."""
        keepers = [*self._crew.of("discord"), *self._crew.of("orchestrator"), *self._crew.of("execution")]
        servers = await self._crew.execution.offspring(MCP_SERVER, 0.0)
        chosen = (1 << len(keepers) + 1) - 1 if step.fault == "kill-node" else step.target
        hit = [keeper.program.name for bit, keeper in enumerate(keepers) if chosen >> bit & 1 and self._kill(keeper)]
        if chosen >> len(keepers) & 1:
            hit += [self._signal_process(server.pid, signal.SIGKILL) for server in servers]
        return ", ".join(filter(None, hit))

    def _kill(self, keeper: Keeper, number: signal.Signals = signal.SIGKILL) -> bool:
        sent = keeper.kill(number)
        self.kills += sent and number == signal.SIGKILL
        return sent

    async def _freeze(self, step: Step) -> str:
        keeper = self._target(step.fault.removeprefix("freeze-"), step)
        await keeper.until_ready(PATIENCE)
        return keeper.program.name if await keeper.freeze(FREEZE_SECONDS) else ""

    async def _gateway(self, step: Step) -> str:
        sessions = await self._discord.until_connected(PATIENCE)
        if not sessions:
            return ""
        session = sessions[step.target % len(sessions)]
        answer = await self._discord.fault(**gateway_fault(step.fault), session=session["session_id"])
        if step.fault in NEW_SESSION:
            self.sessions_ended += answer["hits"]
        return f"shard {session['shard']}" if answer["hits"] else ""

    async def _outage(self, _step: Step) -> bool:
        async with contextlib.AsyncExitStack() as away:
            for keeper in self._crew.orchestrators:
                await away.enter_async_context(keeper.away())
            await self._load.until(len(self._load.asked) + OUTAGE, OUTAGE_DEADLINE)
        return True

    async def _database_outage(self, _step: Step) -> bool:
        if self._database is None:
            return False
        await asyncio.to_thread(self._database.stop)
        try:
            await self._load.until(len(self._load.asked) + OUTAGE, OUTAGE_DEADLINE)
        finally:
            await asyncio.to_thread(self._database.start)
        return True

    async def _hand_over(self, step: Step) -> bool:
        await self._crew.replace(step.target, broken=step.fault == "broken-hand-over")
        return True

    async def _reshard(self, _step: Step) -> bool:
        await self._crew.reshard()
        return True


async def no_faults(discord: Discord) -> None:
    """End those that go on."""
    await discord.sim("DELETE", "/faults")
