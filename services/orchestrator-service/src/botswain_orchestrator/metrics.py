"""What `/metrics` counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

EVENTS = Counter("botswain_orchestrator_events", "Events that came in, by what became of them.", ["outcome"])
TURNS = Counter(
    "botswain_orchestrator_turns",
    "Turns that ended, by how, and how their answer was delivered.",
    ["status", "delivery"],
)
TURN_SECONDS = Histogram(
    "botswain_orchestrator_turn_seconds",
    "Time of a turn, from its start to the answer's delivery.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
TOOL_CALLS = Counter("botswain_orchestrator_tool_calls", "Tool calls, the fallback's included.", ["tool", "outcome"])
LANES = Gauge("botswain_orchestrator_lanes", "Conversations with something to do.")
WAITING = Gauge("botswain_orchestrator_waiting_events", "Recorded events whose turn has not started in this process.")
PARTITIONS_HELD = Gauge(
    "botswain_orchestrator_partitions",
    "Partitions of lanes that this orchestrator answers, where several share a database.",
)
CLAIMS = Counter("botswain_orchestrator_claims", "Claims of shards, by what became of them.", ["outcome"])
IDENTIFIES = Counter("botswain_orchestrator_identify_permits", "Asked for an IDENTIFY, by the answer.", ["outcome"])
RETRIES = Counter("botswain_orchestrator_turn_retries", "Turns that failed and are tried again.")
DEAD_LETTERS = Counter("botswain_orchestrator_dead_letters", "Events that were given up: their last turn failed.")
SUPERSEDED = Counter("botswain_orchestrator_superseded_events", "Events without a turn of their own.", ["policy"])
APPROVALS = Counter(
    "botswain_orchestrator_approvals", "Tool calls that a person was asked about, by outcome.", ["outcome"]
)
