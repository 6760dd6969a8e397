"""What `/metrics` tells of tools and servers."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter(
    "botswain_tool_calls",
    "Tool calls by outcome: ok, tool_error, refused, needs_approval, failed.",
    ["server", "tool", "outcome"],
)
SECONDS = Histogram(
    "botswain_tool_call_seconds",
    "Time of a tool call in its server.",
    ["server"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
READY = Gauge("botswain_mcp_server_ready_replicas", "Replicas of a server that take calls.", ["server"])
RESTARTS = Gauge("botswain_mcp_server_restarts", "Processes of a server that ended unasked.", ["server"])
