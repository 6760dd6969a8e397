"""A client for the few calls the operator makes: plain dicts in and out, every refusal an `ApiError`.

kopf's own client isn't public, and the typed clients bring a model of every kind there is; an apply is one PATCH. What to do
about an error is not decided here: a reconcile that fails is tried again as a whole, after the server's Retry-After if it
gave one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import SimpleNamespace
from typing import Any, Self

import aiohttp
import orjson

from botswain_operator import names
from botswain_operator.errors import ApiError, Unavailable, api_error
from botswain_operator.kube.connection import Connection, open_session, read_connection
from botswain_operator.kube.kinds import LEASE, Kind, kind_of

JsonObject = dict[str, Any]

APPLY = "application/apply-patch+yaml"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA_ONLY_WATCH = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

REQUEST_SECONDS = 30
REQUESTS_AT_ONCE = 32
"""Each connection has a quarter of a MiB for what it deciphers."""
_GUARDED = "guarded"
_LEASES = f"/apis/{LEASE.api_version}/"
TOKEN_SECONDS = 60
"""How often a service account's token is read again: the kubelet replaces it before it expires."""


class KubeClient:
    """One API server; use it as an async context manager.

    Requests share a bounded number of connections. A watch keeps its own for as long as it lasts, and there are as many as kinds
    times namespaces: counted among the others they would leave none for requests.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._read_at = time.monotonic()
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self.before_write: Callable[[], None] = lambda: None
        """Called before each request that could change something, but for the lease's; may raise, and then it isn't made."""

    async def __aenter__(self) -> Self:
        # The last moment before a request goes out is when it has its connection: getting one may take a while.
        last_look = aiohttp.TraceConfig()
        last_look.on_connection_create_end.append(self._look)
        last_look.on_connection_reuseconn.append(self._look)
        self._sessions = open_session(self._connection, REQUESTS_AT_ONCE, last_look), open_session(self._connection, 0)
        return self

    async def _look(self, _session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        if context.trace_request_ctx == _GUARDED:
            self.before_write()

    async def __aexit__(self, *_: object) -> None:
        for session in self._sessions or ():
            await session.close()

    @property
    def _requests(self) -> aiohttp.ClientSession:
        assert self._sessions is not None, "use `async with`"
        return self._sessions[0]

    @property
    def _watches(self) -> aiohttp.ClientSession:
        assert self._sessions is not None, "use `async with`"
        return self._sessions[1]

    async def get(self, kind: Kind, namespace: str | None, name: str) -> JsonObject:
        return await self._json("GET", kind.path(namespace, name))

    async def list_page(
        self, kind: Kind, namespace: str | None, params: Mapping[str, str], *, accept: str | None = None
    ) -> JsonObject:
        return await self._json("GET", kind.path(namespace), params=params, accept=accept)

    async def create(self, kind: Kind, namespace: str, body: JsonObject) -> JsonObject:
        params = {"fieldManager": names.FIELD_MANAGER}
        return await self._json("POST", kind.path(namespace), params=params, body=body)

    async def replace(self, kind: Kind, namespace: str, name: str, body: JsonObject) -> JsonObject:
        params = {"fieldManager": names.FIELD_MANAGER}
        return await self._json("PUT", kind.path(namespace, name), params=params, body=body)

    async def apply(
        self, manifest: Mapping[str, Any], *, force: bool, manager: str = names.FIELD_MANAGER
    ) -> JsonObject:
        """Server-side apply. Without `force`, a field that another manager owns with another value is a Conflict."""
        metadata = manifest["metadata"]
        return await self._json(
            "PATCH",
            kind_of(manifest).path(metadata["namespace"], metadata["name"]),
            params={"fieldManager": manager, "force": str(force).lower()},
            body=manifest,
            content_type=APPLY,
        )

    async def apply_status(self, kind: Kind, namespace: str, name: str, status: JsonObject) -> JsonObject:
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": namespace},
            "status": status,
        }
        params = {"fieldManager": names.FIELD_MANAGER, "force": "true"}
        return await self._json(
            "PATCH", kind.path(namespace, name, "status"), params=params, body=body, content_type=APPLY
        )

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the object with this uid, and its dependents in the background; one that was made anew meanwhile stays."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        await self._json("DELETE", kind.path(namespace, name), body=body)

    async def watch(
        self, kind: Kind, namespace: str | None, params: Mapping[str, str], *, seconds: int, accept: str | None = None
    ) -> AsyncIterator[JsonObject]:
        """The events of one watch until the server ends it, `seconds` at the longest.

        Raises:
            Gone: the resource version is too old.
            Unavailable: the connection broke.
        """
        query = {**params, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        timeout = aiohttp.ClientTimeout(total=seconds + 30, sock_connect=10)
        try:
            async with self._watches.get(
                self._url(kind.path(namespace)),
                params=query,
                headers=self._headers(accept),
                timeout=timeout,
                read_bufsize=2**16,
            ) as response:
                if response.status != 200:
                    raise await _refusal(response)
                buffer = bytearray()
                async for chunk in response.content.iter_any():
                    buffer += chunk
                    *lines, rest = buffer.split(b"\n")
                    buffer = bytearray(rest)
                    for line in lines:
                        if line.strip():
                            yield _event(orjson.loads(line))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"watch of {kind.plural}: {type(error).__name__}: {error}") from error

    async def _json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str | None = None,
    ) -> JsonObject:
        headers = self._headers(accept)
        data = None
        guarded = method != "GET" and not path.startswith(_LEASES)
        if body is not None:
            data = orjson.dumps(body)
            headers["Content-Type"] = content_type
        try:
            async with self._requests.request(
                method,
                self._url(path),
                params=params,
                data=data,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
                trace_request_ctx=_GUARDED if guarded else None,
            ) as response:
                if response.status >= 400:
                    raise await _refusal(response)
                answer: JsonObject = orjson.loads(await response.read())
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"{method} {path}: {type(error).__name__}: {error}") from error

    def _url(self, path: str) -> str:
        return self._connection.server.rstrip("/") + path

    def _headers(self, accept: str | None) -> dict[str, str]:
        if time.monotonic() - self._read_at > TOKEN_SECONDS:
            self._connection = read_connection()
            self._read_at = time.monotonic()
        headers = dict(self._connection.as_http_headers())
        headers["Accept"] = accept or "application/json"
        return headers


def _event(event: JsonObject) -> JsonObject:
    if event.get("type") == "ERROR":
        status = event.get("object") or {}
        raise api_error(status.get("code", 500), status.get("reason", ""), status.get("message", "watch failed"))
    return event


async def _refusal(response: aiohttp.ClientResponse) -> ApiError:
    raw = await response.read()
    try:
        answer = orjson.loads(raw)
    except ValueError:
        answer = {}
    message = answer.get("message") if isinstance(answer, dict) else None
    reason = answer.get("reason", "") if isinstance(answer, dict) else ""
    after = response.headers.get("Retry-After", "")
    return api_error(
        response.status,
        reason,
        message or f"{response.method} {response.url.path} answers {response.status}",
        float(after) if after.isdigit() else None,
    )


async def backoff(attempt: int, error: BaseException | None = None) -> None:
    """Wait before try number `attempt` + 1: what the server asked for, else 0.2 s doubled with every try up to 30 s."""
    asked = getattr(error, "retry_after", None)
    await asyncio.sleep(asked if asked is not None else min(30.0, 0.2 * 2**attempt))
