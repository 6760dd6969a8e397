"""What the operator has to know of a database URL: that it names a PostgreSQL, and where that is, for the NetworkPolicy."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from botswain_operator.errors import DatabaseUrlError

Address = tuple[str, int]
DEFAULT_PORT = 5432
_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")  # what the orchestrator takes


def addresses_of(url: str) -> tuple[Address, ...]:
    """Host and port of each server that the URL names: `a`, `a:5433`, `a:1,b:2`, or `?host=a&host=b`; none for a socket's path.

    Raises:
        DatabaseUrlError: it isn't a PostgreSQL URL. Says nothing of what is in it.
    """
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        raise DatabaseUrlError("is not a URL") from None
    if parts.scheme not in _SCHEMES:
        raise DatabaseUrlError("is not a postgresql:// URL")
    query = parse_qs(parts.query)
    ports = {port for value in query.get("port", []) for port in value.split(",")}
    hosts = parts.netloc.rpartition("@")[2]
    places = hosts.split(",") if hosts else [place for value in query.get("host", []) for place in value.split(",")]
    default = ports.pop() if len(ports) == 1 else str(DEFAULT_PORT)
    return tuple(_address(place, default) for place in places if place and not place.startswith("/"))


def _address(place: str, default: str) -> Address:
    host, _, port = place.rpartition(":")
    if not host or "]" in port:  # no port at all: a name, or an IPv6 address in brackets
        host, port = place, default
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise DatabaseUrlError("names a port that is no number from 1 to 65535")
    return host.strip("[]"), int(port)
