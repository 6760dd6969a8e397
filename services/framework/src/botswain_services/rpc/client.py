"""The calling side: one channel a peer, with fresh credentials and the current trace on every call.

A peer may have several replicas: addresses named in its URL, or behind its one name. A channel has one connection, to the
first replica that takes it, and looks for another when that one breaks. Each channel tries them in an order of its own, so that
processes spread. gRPC resolves one name a channel; hence several addresses have to be IP addresses.

Pass `timeout=` on every unary call: deadlines travel with the call, and nothing here adds one.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import grpc
import structlog

from botswain_services import tracing
from botswain_services.auth import TokenIssuer
from botswain_services.errors import SettingsError

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
CHANNEL_OPTIONS: list[tuple[str, int | str]] = [
    # A peer whose machine is gone, or that stands still, is missed within the ten seconds that leases and claims last.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # of any ping: while another is under way, gRPC sends none to keep alive
    ("grpc.http2.max_pings_without_data", 0),  # no bound: by default the pings stop on a connection that only waits
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A peer that restarts is back within a second or two; waiting up to gRPC's default two minutes would look like an outage.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long an attempt may take at least, whatever gRPC calls it: a busy peer's handshake takes more than a moment.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Connections are otherwise shared by address in the whole process, and with them the backoff of one that failed before.
    ("grpc.use_local_subchannel_pool", 1),
    # A replica that took another's place has another address, which gRPC would ask the DNS for after half a minute.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": True}}]})),
]
FORM = "grpc://host:port or grpcs://host:port, with several addresses grpc://10.0.0.1:port,10.0.0.2:port"

Metadata = tuple[tuple[str, str], ...]


class Target(NamedTuple):
    """Where a peer is: its addresses, `host:port` each with IPv6 in brackets, and whether it speaks TLS."""

    addresses: tuple[str, ...]
    tls: bool

    @property
    def name(self) -> str:
        """gRPC's name for it. In a list of both kinds IPv4 addresses are written as IPv6 has them: a list is of one kind."""
        if len(self.addresses) == 1:
            return self.addresses[0]
        if any(address.startswith("[") for address in self.addresses):
            mapped = (address if address.startswith("[") else _mapped(address) for address in self.addresses)
            return f"ipv6:{','.join(mapped)}"
        return f"ipv4:{','.join(self.addresses)}"


def parse_target(url: str, *, variable: str) -> Target:
    """Read `grpc://host:port`, `grpcs://host:port`, or either with several IP addresses, separated by commas.

    Raises:
        SettingsError: naming `variable`, the setting that holds the URL.
    """
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    hosts = [_host(part.strip()) for part in rest.removesuffix("/").split(",")]
    addresses = tuple(f"{host}:{port}" for host, port in filter(None, hosts))
    shown = f"{scheme}://{rest.rpartition('@')[2]}" if "://" in url else url  # without what may be a password
    if scheme not in ("grpc", "grpcs") or len(addresses) < len(hosts):
        raise SettingsError(f"{variable}: {shown!r} is not of the form {FORM}")
    names = [host for host, _ in filter(None, hosts) if not _is_ip(host)]
    if names and len(addresses) > 1:
        raise SettingsError(
            f"{variable}: {shown!r}: several addresses must be IP addresses, and {names[0]!r} is none. "
            "For replicas by name, give the one name that has all their addresses."
        )
    return Target(addresses, scheme == "grpcs")


def _host(authority: str) -> tuple[str, int] | None:
    """Host, IPv6 in brackets, and port; None: it is of another form."""
    try:
        parts = urlsplit(f"//{authority}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or port is None or parts.netloc != authority or parts.username is not None:
        return None
    return (f"[{host}]" if ":" in host else host), port


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _mapped(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"[::ffff:{host}]:{port}"


class Peer:
    """Another service: its channel, and the metadata each call to it carries."""

    def __init__(self, open_channel: Callable[[], grpc.aio.Channel], tokens: TokenIssuer) -> None:
        self.channel = open_channel()
        self._open_channel = open_channel
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

    def afresh(self) -> Peer:
        """The same service by a channel of its own, which knows nothing of what this one's replica does, nor waits after its
        failures.
        """
        return Peer(self._open_channel, self._tokens)

    async def close(self) -> None:
        """Close the channel."""
        await self.channel.close()


def connect(url: str, tokens: TokenIssuer, *, variable: str) -> Peer:
    """A lazy connection to the service at `url`.

    Args:
        url: as `parse_target` takes it. `grpcs` is TLS with the usual roots; with several addresses, each one's certificate
            has to be good for the first address.
        tokens: makes the tokens that the peer accepts.
        variable: the setting that holds `url`, for the error's sake.

    Raises:
        SettingsError: `url` is of another form.
    """
    target = parse_target(url, variable=variable)
    options = [*CHANNEL_OPTIONS, *([("grpc.default_authority", target.addresses[0])] if target.addresses[1:] else [])]

    def open_channel() -> grpc.aio.Channel:
        if target.tls:
            return grpc.aio.secure_channel(target.name, grpc.ssl_channel_credentials(), options=options)
        return grpc.aio.insecure_channel(target.name, options=options)

    return Peer(open_channel, tokens)
