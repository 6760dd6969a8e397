"""What goes wrong, and in which order: a pure function of the seed.

A step names a fault of `FAULTS` and comes due when so many messages were written after the step before it: progress, not time,
drives the plan. Whom it hits is a number that the edge takes modulo what runs then.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

SURVIVED_CLOSE_CODES = (4000, 4001, 4002, 4003, 4005, 4007, 4008, 4009)
"""After which a client connects again [topics/opcodes-and-status-codes]; 4007 and 4009 end the session."""
NEW_SESSION = ("close-4007", "close-4009", "invalid-session", "expired-session")
"""Faults after which a shard has to IDENTIFY."""

KILLS = {
    "kill-discord": 16,
    "kill-orchestrator": 16,
    "kill-execution": 10,
    "kill-mcp-server": 30,
    "kill-several": 10,
    "kill-node": 2,
    "end-discord": 3,
    "end-orchestrator": 3,
    "end-execution": 2,
    "end-mcp-server": 2,
}
"""Signals to processes, and how often each is drawn: `kill` is SIGKILL, `end` SIGTERM. Whatever ends is started again at once.
`kill-several` hits some processes of any kind at the same moment, `kill-node` all.
"""
FREEZES = {"freeze-discord": 1, "freeze-orchestrator": 1}
"""A process stands still (SIGSTOP) for longer than its claim and its leases last, and goes on as if nothing had happened."""
GATEWAY = {
    "dropped-connection": 4,
    "reconnect-request": 3,
    "invalid-session-resumable": 2,
    "invalid-session": 1,
    "expired-session": 1,
    **dict.fromkeys((f"close-{code}" for code in SURVIVED_CLOSE_CODES), 1),
}
REST = {"rest-5xx": 2, "rest-5xx-hidden": 2, "rest-429": 2, "rest-slow": 1, "rest-outage": 1}
ROLLOUTS = {"hand-over": 3, "broken-hand-over": 1, "re-shard": 1}
OUTAGES = {"orchestrator-outage": 1, "database-outage": 1}
FAULTS = {**KILLS, **FREEZES, **GATEWAY, **REST, **ROLLOUTS, **OUTAGES}


@dataclass(frozen=True, slots=True)
class Step:
    """One fault.

    `gap` is the number of messages that are written before, counted from the end of the step before; `target` picks whom it hits.
    `patience`: None, or a process that is to be killed may come up first, and work for so many seconds.
    """

    gap: int
    fault: str
    target: int
    patience: float | None


PATIENT = 0.7
"""Share of kills that let the process come up first."""
MOST_PATIENCE = 3.0


def make_plan(seed: int, *, steps: int, spacing: float, faults: Sequence[str] = tuple(FAULTS)) -> list[Step]:
    """A plan.

    Args:
        seed: equal seeds, equal plans.
        steps: how many; with at least as many as there are faults each comes once or more.
        spacing: messages from one step to the next, on average.
        faults: those that may be drawn.
    """
    dice = random.Random(f"plan {seed}")
    drawn = list(faults)
    drawn += dice.choices(faults, weights=[FAULTS[fault] for fault in faults], k=max(0, steps - len(drawn)))
    dice.shuffle(drawn)
    return [
        Step(
            gap=round(dice.uniform(0.0, 2.0) * spacing),
            fault=fault,
            target=dice.randrange(1 << 30),
            patience=dice.uniform(0.0, MOST_PATIENCE) if dice.random() < PATIENT else None,
        )
        for fault in drawn[:steps]
    ]
