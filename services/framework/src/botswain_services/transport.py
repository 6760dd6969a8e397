"""HTTP from this process to services: connections are kept, only what is safe to repeat is repeated, deadlines hold.

A call whose bytes never left (no connection, a kept connection that was closed meanwhile) may be repeated whatever its
method; one that left may be repeated only if its method is idempotent. All attempts share one deadline.

The sync side stands on http.client, the async side on aiohttp: at a few thousand calls a second, general-purpose clients
would take most of the time.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import random
import select
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botswain_services.urls import Url, parse_url

if TYPE_CHECKING:
    import aiohttp

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
ATTEMPTS = 3
IDLE_SECONDS = 30.0
"""How long an unused connection is kept; services keep theirs longer."""


@dataclass(slots=True)
class Answer:
    """What a service answered. Headers are to be asked for in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class CallFailedError(Exception):
    """No answer came. `timed_out`: because the deadline passed."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


def may_repeat(method: str, *, sent: bool, attempt: int) -> bool:
    """Whether a failed attempt (the first is 1) may be followed by another."""
    return attempt < ATTEMPTS and (not sent or method in IDEMPOTENT)


def pause(attempt: int) -> float:
    """Seconds to wait after a failed attempt: about 50 ms, 100 ms, …"""
    return float(0.05 * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing


class SyncTransport:
    """Blocking calls, from any number of threads."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, int | None], deque[tuple[http.client.HTTPConnection, float]]] = {}
        if hasattr(os, "register_at_fork"):  # elsewhere no process is forked
            os.register_at_fork(after_in_child=self._idle.clear)

    def request(
        self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        """Call and wait.

        Raises:
            CallFailedError: no answer within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        target = parse_url(url)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        attempt = 0
        while True:
            attempt += 1
            sent = False
            connection, used_before = self._take(target, deadline)
            try:
                if connection.sock is None:
                    connection.connect()
                sent = True
                _limit(connection, deadline)
                connection.request(method, path, body=body, headers=dict(headers))
                return self._read(connection, target, deadline)
            except TimeoutError:
                connection.close()
                raise CallFailedError(f"no answer within {timeout:g} s", timed_out=True) from None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                wait = 0.0 if used_before else pause(attempt)
                if not may_repeat(method, sent=sent, attempt=attempt) or time.monotonic() + wait >= deadline:
                    raise CallFailedError(_reason(error)) from None
                time.sleep(wait)

    def _take(self, target: Url, deadline: float) -> tuple[http.client.HTTPConnection, bool]:
        idle = self._idle.setdefault((target.scheme or "http", target.host or "", target.port), deque())
        while True:
            try:
                connection, since = idle.pop()
            except IndexError:
                break
            if time.monotonic() - since < IDLE_SECONDS and not _closed_by_peer(connection):
                return connection, True
            connection.close()
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        return kind(target.host or "", target.port, timeout=max(0.001, deadline - time.monotonic())), False

    def _read(self, connection: http.client.HTTPConnection, target: Url, deadline: float) -> Answer:
        _limit(connection, deadline)
        response = connection.getresponse()
        parts = []
        while part := response.read(65536):
            parts.append(part)
            if connection.sock is not None:
                _limit(connection, deadline)
        answer = Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, b"".join(parts))
        if response.will_close:
            connection.close()
        else:
            key = (target.scheme or "http", target.host or "", target.port)
            self._idle[key].append((connection, time.monotonic()))
        return answer


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    connection.sock.settimeout(remaining)


def _closed_by_peer(connection: http.client.HTTPConnection) -> bool:
    """An idle connection has nothing to say; if it can be read, it is its end."""
    if connection.sock is None:
        return True
    try:
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(connection.sock, select.POLLIN)
            return bool(poller.poll(0))
        return bool(select.select([connection.sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host's name can't be resolved: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


class AsyncTransport:
    """Calls from asyncio; one pool of connections an event loop, closed with it."""

    def __init__(self) -> None:
        self._sessions: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, AsyncGenerator[None]]
        ] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    async def request(
        self, method: str, url: str, *, body: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        """Call and wait.

        Raises:
            CallFailedError: no answer within `timeout` seconds.
        """
        import aiohttp

        session = await self._session()
        attempt = 0
        try:
            async with asyncio.timeout(timeout):
                while True:
                    attempt += 1
                    try:
                        return await _attempt(session, method, url, body, headers)
                    except aiohttp.ClientError as error:
                        sent = not isinstance(error, aiohttp.ClientConnectorError)
                        if not may_repeat(method, sent=sent, attempt=attempt):
                            raise CallFailedError(_client_reason(error)) from None
                    await asyncio.sleep(pause(attempt))
        except TimeoutError:
            raise CallFailedError(f"no answer within {timeout:g} s", timed_out=True) from None

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        known = self._sessions.get(loop)
        if known is not None and not known[0].closed:
            return known[0]
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "botswain"},
            skip_auto_headers=("Accept-Encoding",),  # no service of the platform compresses
        )
        closer = _close_with_loop(session)
        with self._lock:
            self._sessions[loop] = (session, closer)
        await closer.__anext__()
        return session


async def _attempt(
    session: aiohttp.ClientSession, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
        data = await response.read()
        return Answer(response.status, response.headers, data)


async def _close_with_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    """A generator that is never finished: event loops close those when they end, and with it the session."""
    try:
        yield
    finally:
        await session.close()


def _client_reason(error: aiohttp.ClientError) -> str:
    os_error = getattr(error, "os_error", None)
    return _reason(os_error if os_error is not None else error)


SYNC = SyncTransport()
ASYNC = AsyncTransport()
