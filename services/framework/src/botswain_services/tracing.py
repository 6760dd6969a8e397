"""Traces: W3C `traceparent` from the Discord frame to the REST call, through every service.

The OpenTelemetry SDK is loaded by `configure_tracing()` only; without it spans have no ids and cost nothing.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("botswain")
"""A proxy: it finds the provider that `configure_tracing()` sets, whenever that is."""
_ids = random.Random()  # noqa: S311 - ids are no secrets, and asking the system for each costs more than the rest of one
if hasattr(os, "register_at_fork"):  # elsewhere no process is forked
    os.register_at_fork(after_in_child=_ids.seed)
_is_configured = False


def configure_tracing(service: str, *, endpoint: str | None = None) -> None:
    """Make spans with ids for this process; export them by OTLP/gRPC when `endpoint` is given."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if endpoint:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    global _is_configured
    _is_configured = True


def configured() -> bool:
    """Whether spans made here have ids of their own, that is, whether `configure_tracing()` ran."""
    return _is_configured


def shutdown_tracing() -> None:
    """Export what is left."""
    shutdown = getattr(trace.get_tracer_provider(), "shutdown", None)
    if shutdown is not None:
        shutdown()


def new_traceparent() -> str:
    """A `traceparent` that starts a sampled trace, made without a span: for paths too hot for one."""
    return f"00-{_ids.getrandbits(128) or 1:032x}-{_ids.getrandbits(64) or 1:016x}-01"


def new_request_id() -> str:
    """32 random hex digits."""
    return f"{_ids.getrandbits(128):032x}"


def new_correlation_id() -> str:
    """A random UUID (RFC 9562, version 4), for paths too hot for `uuid4()`."""
    bits = _ids.getrandbits(128) & ~(0xF << 76 | 0x3 << 62) | (0x4 << 76 | 0x2 << 62)
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def valid_traceparent(value: str) -> bool:
    """Whether `value` is a version 00 `traceparent` of a trace."""
    return _TRACEPARENT.fullmatch(value) is not None


def trace_id_of(traceparent: str) -> str | None:
    """The 32 hex digits of the trace, or None when `traceparent` isn't one."""
    return traceparent[3:35] if valid_traceparent(traceparent) else None


def current_ids() -> tuple[str, str] | None:
    """(trace id, span id) in hex, or None outside a span."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def current_traceparent() -> str:
    """The `traceparent` to hand on; empty outside a span."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


@contextmanager
def span(
    name: str,
    *,
    traceparent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Iterator[Span]:
    """Run the block in a span: a child of `traceparent` when given and valid, else of the current span."""
    parent = None
    if traceparent and valid_traceparent(traceparent):
        parent = _PROPAGATOR.extract({"traceparent": traceparent})
    with _TRACER.start_as_current_span(name, context=parent, kind=kind, attributes=attributes) as started:
        yield started
