"""Which addresses may be fetched from."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import pytest
from botswain_execution.servers.addresses import RefusedUrlError, is_public, parse_url, resolve

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "198.18.0.1",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_inside_are_not_public(address: str) -> None:
    """Loopback, private, link-local, metadata, multicast and reserved ones, also wrapped in IPv6."""
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_outside_are_public(address: str) -> None:
    """Ordinary addresses of the internet."""
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("gopher://x/", "only http and https"),
        ("example.org", "only http and https"),
        ("http://", "names no host"),
        ("http://a:b@example.org/", "user name or password"),
        ("http://[::1", "is not a URL"),
        ("http://x:99999/", "is not a URL"),
    ],
)
def test_other_urls_are_refused(url: str, words: str) -> None:
    """The refusal says why."""
    with pytest.raises(RefusedUrlError, match=words):
        parse_url(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]".strip("[]")])
async def test_spellings_of_loopback_are_refused(host: str) -> None:
    """However an address is written, what it resolves to counts."""
    with pytest.raises(RefusedUrlError):
        await resolve(host, 80)


async def test_one_private_address_suffices_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a public and a private address is refused: which one would be used is chance."""

    async def answer(*_args: Any, **_kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
    with pytest.raises(RefusedUrlError, match="private address"):
        await resolve("example.org", 80)


async def test_private_addresses_may_be_allowed() -> None:
    """With the setting, loopback is resolved like any other."""
    assert str(await resolve("127.0.0.1", 80, allow_private=True)) == "127.0.0.1"
