"""The operator's own metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
_PREFIX = "botswain_operator"

RECONCILES = Counter(f"{_PREFIX}_reconciles_total", "Reconciles of bots, by result.", ["result"], registry=REGISTRY)
ERRORS = Counter(f"{_PREFIX}_errors_total", "Failed reconciles, by kind of error.", ["error"], registry=REGISTRY)
WRITES = Counter(f"{_PREFIX}_writes_total", "Writes, by verb and kind.", ["verb", "kind"], registry=REGISTRY)
DRIFT = Counter(f"{_PREFIX}_drift_total", "Children that others had changed.", ["kind"], registry=REGISTRY)
SHARD_REPORTS = Counter(
    f"{_PREFIX}_shard_reports_total", "Answers of bots about their shards, by result.", ["result"], registry=REGISTRY
)
DURATION = Histogram(
    f"{_PREFIX}_reconcile_seconds",
    "Length of a reconcile.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
WAITED = Histogram(
    f"{_PREFIX}_queue_seconds",
    "How long a bot waited for a worker.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
    registry=REGISTRY,
)
QUEUE = Gauge(f"{_PREFIX}_queue_length", "Bots that wait for a worker.", registry=REGISTRY)
BOTS = Gauge(f"{_PREFIX}_bots", "DiscordBots that are known.", registry=REGISTRY)
LEADER = Gauge(f"{_PREFIX}_leader", "1 while this process holds the lease.", registry=REGISTRY)
