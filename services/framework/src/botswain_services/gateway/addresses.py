"""Which URLs a gateway may forward to. A proxy that takes any URL opens its whole network to whoever may register one."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from botswain_services.urls import Url, parse_url

_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")
)


def allowed_hosts(setting: str) -> tuple[str, ...]:
    """The hosts that a comma-separated setting names, in lower case."""
    return tuple(host.strip().strip("[]").lower() for host in setting.split(",") if host.strip())


def check_url(url: str, allowed: Iterable[str]) -> Url:
    """The URL in parts, when it may be forwarded to.

    Raises:
        ValueError: it may not; says why.
    """
    parsed = parse_url(url)
    host = (parsed.host or "").rstrip(".").lower()
    if parsed.auth is not None:
        raise ValueError("the URL holds a user name or password; applications are reached without")
    if parsed.query is not None or parsed.fragment is not None:
        raise ValueError("the URL holds a query or fragment; give the address below which the application serves")
    if host in _METADATA_NAMES or is_forbidden(host):
        raise ValueError(f"{host} is an address that is never forwarded to")
    if not any(_matches(host, pattern) for pattern in allowed):
        raise ValueError(f"{host} is not among GATEWAY_ALLOWED_HOSTS")
    return parsed


def is_forbidden(host: str) -> bool:
    """Whether `host` is an IP address that no application has: metadata services, link-local, multicast, unspecified."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped if mapped is not None else address
    return address in _METADATA_ADDRESSES or address.is_link_local or address.is_multicast or address.is_unspecified


def _matches(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return host == pattern
