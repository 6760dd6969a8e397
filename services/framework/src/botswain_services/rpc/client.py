"""The calling side: one channel a peer, with fresh credentials and the current trace on every call.

Pass `timeout=` on every unary call: deadlines travel with the call, and nothing here adds one.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import grpc
import structlog

from botswain_services import tracing
from botswain_services.auth import TokenIssuer
from botswain_services.errors import SettingsError

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A peer that restarts is back within a second or two; waiting up to gRPC's default two minutes would look like an outage.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Connections are otherwise shared by address in the whole process, and with them the backoff of one that failed before.
    ("grpc.use_local_subchannel_pool", 1),
]

Metadata = tuple[tuple[str, str], ...]


def parse_target(url: str, *, variable: str) -> tuple[str, bool]:
    """Split `grpc://host:port` or `grpcs://host:port` into ("host:port", whether TLS is used).

    Raises:
        SettingsError: naming `variable`, the setting that holds the URL.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("grpc", "grpcs") or not parts.hostname or port is None or parts.path not in ("", "/"):
        raise SettingsError(f"{variable}: {url!r} is not of the form grpc://host:port or grpcs://host:port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}", parts.scheme == "grpcs"


class Peer:
    """Another service: its channel, and the metadata each call to it carries."""

    def __init__(self, channel: grpc.aio.Channel, tokens: TokenIssuer) -> None:
        self.channel = channel
        self._tokens = tokens

    def metadata(self, *, traceparent: str | None = None) -> Metadata:
        """Credentials, correlation and request id, and trace of the current task. `traceparent` overrides the current span's."""
        pairs = [("authorization", f"Bearer {self._tokens.token()}")]
        trace = traceparent if traceparent is not None else tracing.current_traceparent()
        if trace:
            pairs.append(("traceparent", trace))
        bound = structlog.contextvars.get_contextvars()
        ids = (("x-correlation-id", bound.get("correlation_id")), ("x-request-id", bound.get("request_id")))
        return (*pairs, *((name, str(value)) for name, value in ids if value))

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.close()


def connect(url: str, tokens: TokenIssuer, *, variable: str) -> Peer:
    """A lazy connection to the service at `url`.

    Args:
        url: `grpc://host:port`, or `grpcs://host:port` for TLS with the system's roots.
        tokens: makes the tokens that the peer accepts.
        variable: the setting that holds `url`, for the error's sake.

    Raises:
        SettingsError: `url` is of another form.
    """
    target, tls = parse_target(url, variable=variable)
    if tls:
        channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=CHANNEL_OPTIONS)
    else:
        channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
    return Peer(channel, tokens)
