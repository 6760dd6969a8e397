"""Which addresses a page may be fetched from: public ones. A model chooses the URL, and who writes to the bot can make it choose;
so nothing inside the machine, the cluster or the cloud's metadata service may be reachable through it.

A name is resolved once, every address that it has is checked, and the connection goes to one of those that were checked. Asking
the resolver again for the connection would let a name answer with a public address first and a private one after (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""NAT64: the last four bytes are an IPv4 address [RFC 6052]."""


class RefusedUrlError(Exception):
    """A URL may not be fetched; the message says why."""


def parse_url(url: str) -> SplitResult:
    """Split an http or https URL. Raises `RefusedUrlError` for any other, and for one with credentials in it."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise RefusedUrlError(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise RefusedUrlError(f"{url!r}: only http and https can be fetched")
    if not host:
        raise RefusedUrlError(f"{url!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise RefusedUrlError("a URL with a user name or password in it is not fetched")
    return parts


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet, also where one address wraps another."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int, *, allow_private: bool = False) -> Address:
    """An address of `host` to connect to.

    Raises:
        RefusedUrlError: it has none, or one that isn't public. One suffices: which of them would be used is chance.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedUrlError(f"the host {host!r} can't be found") from None
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses:
        raise RefusedUrlError(f"the host {host!r} has no address")
    if not allow_private and not all(is_public(address) for address in addresses):
        raise RefusedUrlError(f"the host {host!r} is at a private address, and only public ones may be asked")
    return addresses[0]
