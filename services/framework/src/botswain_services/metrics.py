"""Prometheus metrics that every service keeps, and the text form of `/metrics`.

With several worker processes each writes to files of its own (prometheus_client's multi-process mode), and whichever worker
answers `/metrics` adds them up.
"""

from __future__ import annotations

import os

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import Scope

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Set before this module is first imported, it selects the multi-process mode."""

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)

HTTP_REQUESTS = Counter("http_requests_total", "Requests answered.", ["method", "route", "status"])
HTTP_SECONDS = Histogram(
    "http_request_seconds", "Seconds from request to end of answer.", ["method", "route"], buckets=_BUCKETS
)
RPC_CALLS = Counter("grpc_calls_total", "gRPC calls answered.", ["method", "code"])
RPC_SECONDS = Histogram("grpc_call_seconds", "Seconds from call to end of answer.", ["method"], buckets=_BUCKETS)


def observe_http(scope: Scope, status: int, seconds: float) -> None:
    """Count an answer under its route's template: paths themselves would be without number."""
    route = getattr(scope.get("route"), "path", None) or scope.get("botswain.route") or "unmatched"
    method = scope["method"] if scope["method"] in _METHODS else "other"
    key = (method, route, status)
    series = _series.get(key)
    if series is None:
        counter = HTTP_REQUESTS.labels(method, route, str(status or 499))
        series = _series[key] = (counter, HTTP_SECONDS.labels(method, route))
    series[0].inc()
    series[1].observe(seconds)


_series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
"""Finding a series by its labels takes longer than counting."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def exposition() -> bytes:
    """All metrics of this service in Prometheus' text form."""
    if MULTIPROCESS_VARIABLE in os.environ:
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own has no types
        return generate_latest(registry)
    return generate_latest()
