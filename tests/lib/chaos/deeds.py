"""Faults carried out."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from chaos.crews import Crew
from chaos.discord import Discord
from chaos.load import Load
from chaos.plans import GATEWAY, NEW_SESSION, Step

PATIENCE = 15.0
"""Seconds that a patient kill waits for its target to come up."""
OUTAGE = 60
"""Messages that are written while the orchestrators are away."""
OUTAGE_DEADLINE = 10.0
REST_SECONDS = 3.0
REST_OUTAGE_SECONDS = 6.0
"""Longer than the Discord server goes on trying by itself."""
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

    def __init__(self, crew: Crew, discord: Discord, load: Load) -> None:
        self.done: Counter[str] = Counter()
        """By fault."""
        self.missed: Counter[str] = Counter()
        """Faults that found nobody to hit."""
        self.sessions_ended = 0
        self._crew = crew
        self._discord = discord
        self._load = load
        self._rollouts: dict[str, Callable[[Step], Awaitable[bool]]] = {
            "orchestrator-outage": self._outage,
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
        elif step.fault in self._rollouts:
            hit = step.fault if await self._rollouts[step.fault](step) else ""
        else:
            hit = await self._signal(step)
        (self.done if hit else self.missed)[step.fault] += 1
        return hit

    @staticmethod
    def _seed(step: Step) -> dict[str, int]:
        return {"seed": step.target} if "probability" in REST_FAULTS[step.fault] else {}

    async def _signal(self, step: Step) -> str:
        verb, _, whom = step.fault.partition("-")
        if whom == "mcp-server":
            return await self._signal_mcp_server(step, SIGNALS[verb])
        keepers = self._crew.of(whom)
        keeper = keepers[step.target % len(keepers)]
        if step.patient:
            await keeper.until_ready(PATIENCE)
        return keeper.program.name if keeper.kill(SIGNALS[verb]) else ""

    async def _signal_mcp_server(self, step: Step, number: signal.Signals) -> str:
        keeper = self._crew.execution
        if step.patient:
            await keeper.until_ready(PATIENCE)
        found = await keeper.until_offspring(MCP_SERVER, PATIENCE)
        if not found:
            return ""
        process = found[step.target % len(found)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
            return f"{MCP_SERVER} ({process.pid})"
        return ""

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

    async def _hand_over(self, step: Step) -> bool:
        await self._crew.replace(step.target, broken=step.fault == "broken-hand-over")
        return True

    async def _reshard(self, _step: Step) -> bool:
        await self._crew.reshard()
        return True


async def no_faults(discord: Discord) -> None:
    """End those that go on."""
    await discord.sim("DELETE", "/faults")
