"""URLs of services: one value type, where they come from, and which of them stay on this machine."""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Url(NamedTuple):
    """A URL in parts, of the same form and order as urllib3's, so that either is taken for the other."""

    scheme: str | None = None
    auth: str | None = None
    host: str | None = None
    port: int | None = None
    path: str | None = None
    query: str | None = None
    fragment: str | None = None

    @property
    def url(self) -> str:
        """The whole, as text."""
        text = f"{self.scheme}://" if self.scheme is not None else ""
        if self.auth is not None:
            text += f"{self.auth}@"
        if self.host is not None:
            text += f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host
        if self.port is not None:
            text += f":{self.port}"
        text += self.path or ""
        if self.query is not None:
            text += f"?{self.query}"
        if self.fragment is not None:
            text += f"#{self.fragment}"
        return text

    def __str__(self) -> str:
        return self.url


def parse_url(url: Any) -> Url:
    """Take a URL apart: text, a `Url`, or anything whose `str()` is a URL. `host:port` means http.

    Raises:
        ValueError: it is no http or https URL with a host.
    """
    text = str(url)
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{_shown(text)!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{_shown(text)!r} is not of the form http://host:port")
    auth = parts.netloc.rpartition("@")[0] or None
    return Url(parts.scheme, auth, parts.hostname, port, parts.path or "/", parts.query or None, parts.fragment or None)


def _shown(text: str) -> str:
    """The URL without what may be a password."""
    scheme, separator, rest = text.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def is_loopback(host: str | None) -> bool:
    """Whether `host`, a name or an address, is this machine to itself."""
    if host is None:
        return False
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(authority: str) -> str:
    """The host of a `Host` header or another `host:port`."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]
