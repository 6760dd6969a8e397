"""An emulated Kubernetes API server on aiohttp: enough of the real one for an operator, kubectl and helm.

It has no etcd, no scheduler and no nodes. What it has behaves as the real one does where clients can tell: resource versions
and conflicts, watches with bookmarks and 410, every kind of patch, field ownership, status and scale subresources,
generation, finalizers, garbage collection by owner, defaulting and validation by schema and CEL, RBAC. Tests add faults and
drive Deployments' status.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml
from aiohttp import web
from kube_emulator import discovery, protobuf, rbac
from kube_emulator.errors import ApiRefusal
from kube_emulator.faults import Faults
from kube_emulator.kinds import Kind
from kube_emulator.rbac import Attempt, User
from kube_emulator.selectors import matcher
from kube_emulator.store import Body, Change, Store
from kube_emulator.tables import table
from kube_emulator.tls import make_context
from kube_emulator.workloads import Fate, Workloads, running
from kube_emulator.writes import Writer

ADMIN_TOKEN = "admin"
BOOKMARK_SECONDS = 1.0


@dataclass
class Request:
    """One request, taken apart."""

    method: str
    kind: Kind
    namespace: str
    name: str
    subresource: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def verb(self) -> str:
        if self.method == "GET":
            return "get" if self.name else "watch" if self.query.get("watch") in ("true", "1") else "list"
        verbs = {
            "POST": "create",
            "PUT": "update",
            "PATCH": "patch",
            "DELETE": "delete" if self.name else "deletecollection",
        }
        return verbs[self.method]


@dataclass
class Emulator:
    """A running API server. `url` is its address; `store`, `faults` and `workloads` are for tests to look at and drive."""

    store: Store = field(default_factory=Store)
    faults: Faults = field(default_factory=Faults)
    port: int = 0
    certificate: bytes = b""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request so far."""
    shortest_watches: bool = False
    """Whether each watch is ended as soon as it has begun."""
    users: dict[str, User] = field(default_factory=lambda: {ADMIN_TOKEN: User("admin", admin=True)})

    def __post_init__(self) -> None:
        self.workloads = Workloads(self.store)
        self.writer = Writer(self.store)
        for name in ("default", "kube-system"):
            self.writer.create(self.store.kinds["", "namespaces"], "", {"metadata": {"name": name}}, "emulator")

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def token_for(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount."""
        token = f"sa-{namespace}-{account}"
        self.users[token] = rbac.service_account(namespace, account)
        return token

    def kubeconfig(self, token: str = ADMIN_TOKEN, namespace: str = "default") -> str:
        """A kubeconfig as YAML."""
        cluster = {"server": self.url, "certificate-authority-data": base64.b64encode(self.certificate).decode()}
        context = {"cluster": "emulator", "user": "emulator", "namespace": namespace}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "emulator",
                "clusters": [{"name": "emulator", "cluster": cluster}],
                "users": [{"name": "emulator", "user": {"token": token}}],
                "contexts": [{"name": "emulator", "context": context}],
            }
        )

    def writes(self) -> list[tuple[str, str]]:
        """Requests so far that could change something."""
        return [found for found in self.requests if found[0] != "GET"]

    # Answering.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        try:
            self.faults.check(request.method, request.path_qs)
            user = self._user(request)
            if answer := discovery.answer(self.store, request.path):
                return _json(answer)
            return await self._dispatch(request, _parse(self.store, request), user)
        except ApiRefusal as refusal:
            headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after is not None else {}
            return _json(refusal.status(), status=refusal.code, headers=headers)

    def _user(self, request: web.Request) -> User:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.users:
            raise ApiRefusal(401, "Unauthorized", "Unauthorized")
        return self.users[token]

    async def _dispatch(self, raw: web.Request, request: Request, user: User) -> web.StreamResponse:
        self._authorize(request, user)
        if request.verb == "watch":
            return await self._watch(raw, request)
        if request.method == "GET":
            return self._read(request)
        body = _decoded(await raw.read(), request.headers.get("Content-Type", ""))
        if isinstance(body, dict):
            self._check_owners(request, body, user)
        return self._write(request, body)

    def _check_owners(self, request: Request, body: Body, user: User) -> None:
        """Who makes an owner wait for a dependent has to be allowed to update its finalizers (an admission plugin's rule)."""
        for owner in (body.get("metadata") or {}).get("ownerReferences") or []:
            if not user.admin and owner.get("blockOwnerDeletion"):
                group = owner["apiVersion"].rpartition("/")[0]
                kind = next(
                    found for found in self.store.kinds.values() if (found.group, found.kind) == (group, owner["kind"])
                )
                attempt = Attempt("update", group, f"{kind.plural}/finalizers", request.namespace, owner["name"])
                self._check_rights(user, attempt)

    def _authorize(self, request: Request, user: User) -> None:
        resource = request.kind.plural + (f"/{request.subresource}" if request.subresource else "")
        attempt = Attempt(request.verb, request.kind.group, resource, request.namespace, request.name)
        if not user.admin:
            self._check_rights(user, attempt)

    def _check_rights(self, user: User, attempt: Attempt) -> None:
        kinds = ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
        rbac.check(user, attempt, {plural: self.store.by_plural(plural) for plural in kinds})

    def _read(self, request: Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        if request.name:
            body = self.store.get(request.kind, request.namespace, request.name)
            if request.subresource == "scale":
                body = self.writer.scale_of(request.kind, body)
            return _json(table(request.kind, [body]) if "as=Table" in accept else body)
        matches = matcher(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        limit, token = int(request.query.get("limit") or 0), request.query.get("continue") or ""
        page, metadata = self.store.page(request.kind, request.namespace, matches, limit, token)
        if "as=Table" in accept:
            return _json({**table(request.kind, page), "metadata": metadata})
        if "as=PartialObjectMetadataList" in accept:
            partial = [_partial(item) for item in page]
            return _json(
                {
                    "kind": "PartialObjectMetadataList",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata,
                    "items": partial,
                }
            )
        listed = {"kind": f"{request.kind.kind}List", "apiVersion": request.kind.api_version, "metadata": metadata}
        if request.kind.schema is None:
            # The entries of a list of a kind that is built in don't say what they are; those of custom resources do.
            page = [
                {name: value for name, value in item.items() if name not in ("apiVersion", "kind")} for item in page
            ]
        return _json({**listed, "items": page})

    def _write(self, request: Request, body: Any) -> web.Response:
        kind, query = request.kind, request.query
        manager = query.get("fieldManager") or request.headers.get("User-Agent", "unknown").split("/")[0]
        dry = query.get("dryRun") == "All"
        strict = query.get("fieldValidation") == "Strict"
        with self.writer.options(dry_run=dry, strict=strict):
            if request.method == "POST":
                return _json(self.writer.create(kind, request.namespace, body, manager), status=201)
            if request.method == "DELETE":
                return _json(self._delete(request, body or {}))
            if request.method == "PUT":
                return _json(
                    self.writer.replace(kind, request.namespace, request.name, request.subresource, body, manager)
                )
            content_type = request.headers.get("Content-Type", "").split(";")[0]
            existed = self.store.find(kind, request.namespace, request.name) is not None
            patched = self.writer.patch(
                kind,
                request.namespace,
                request.name,
                request.subresource,
                body,
                content_type,
                manager,
                force=query.get("force") == "true",
            )
            return _json(patched, status=200 if existed else 201)

    def _delete(self, request: Request, options: Mapping[str, Any]) -> Body:
        if request.name:
            uid = (options.get("preconditions") or {}).get("uid")
            return self.writer.delete(request.kind, request.namespace, request.name, uid)
        matches = matcher(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        for item in self.store.list(request.kind, request.namespace, matches):
            self.writer.delete(request.kind, item["metadata"].get("namespace", ""), item["metadata"]["name"], None)
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    async def _watch(self, raw: web.Request, request: Request) -> web.StreamResponse:
        matches = matcher(request.query.get("labelSelector", ""), request.query.get("fieldSelector", ""))
        shape = _shaper(request)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        since = request.query.get("resourceVersion") or "0"
        initial: list[Body] = []
        streamed = request.query.get("sendInitialEvents") == "true"
        if since == "0" or streamed:
            initial = self.store.list(request.kind, request.namespace, matches)
            since = str(self.store.version)
        try:
            missed, queue = self.store.watch(request.kind, int(since))
        except ApiRefusal as refusal:
            await response.prepare(raw)
            await response.write(_line("ERROR", refusal.status()))
            return response
        await response.prepare(raw)
        try:
            for body in initial:
                await response.write(_line("ADDED", shape(body)))
            if streamed:
                await response.write(_bookmark(request.kind, since, {"k8s.io/initial-events-end": "true"}))
            for change in missed:
                await _send(response, change, request, matches, shape)
            if self.shortest_watches:
                return response
            await self._follow(response, queue, request, matches, shape)
        except ConnectionError:
            pass
        finally:
            self.store.unwatch(queue)
        return response

    async def _follow(
        self,
        response: web.StreamResponse,
        queue: asyncio.Queue[Change | None],
        request: Request,
        matches: Callable[[Body], bool],
        shape: Callable[[Body], Body],
    ) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + float(request.query.get("timeoutSeconds") or 3600)
        bookmarks = request.query.get("allowWatchBookmarks") in ("true", "1")
        while (left := ends - loop.time()) > 0:
            try:
                change = await asyncio.wait_for(queue.get(), min(left, BOOKMARK_SECONDS))
            except TimeoutError:
                if bookmarks:
                    await response.write(_bookmark(request.kind, str(self.store.version)))
                continue
            if change is None:
                return
            await _send(response, change, request, matches, shape)


async def _send(
    response: web.StreamResponse,
    change: Change,
    request: Request,
    matches: Callable[[Body], bool],
    shape: Callable[[Body], Body],
) -> None:
    """One event, seen through the watch's selectors: what begins to match is ADDED, what ceases to is DELETED."""
    metadata = change.body["metadata"]
    if request.namespace and metadata.get("namespace") != request.namespace:
        return
    if request.name and metadata["name"] != request.name:
        return
    matched = change.before is not None and matches(change.before)
    fits = change.type != "DELETED" and matches(change.body)
    if fits:
        await response.write(_line("MODIFIED" if matched else "ADDED", shape(change.body)))
    elif matched:
        await response.write(_line("DELETED", shape(change.body)))


def _shaper(request: Request) -> Callable[[Body], Body]:
    accept = request.headers.get("Accept", "")
    if "as=PartialObjectMetadata" in accept:
        return _partial
    if "as=Table" in accept:
        return lambda body: table(request.kind, [body])
    return lambda body: body


def _partial(body: Body) -> Body:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}


def _line(type_: str, body: Body) -> bytes:
    return orjson.dumps({"type": type_, "object": body}) + b"\n"


def _bookmark(kind: Kind, version: str, annotations: Mapping[str, str] | None = None) -> bytes:
    metadata = {"resourceVersion": version, **({"annotations": annotations} if annotations else {})}
    return _line("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})


def _json(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)


def _decoded(raw: bytes, content_type: str) -> Any:
    if not raw:
        return None
    if raw.startswith(protobuf.MAGIC):
        return protobuf.decode(raw)
    try:
        return yaml.safe_load(raw) if "yaml" in content_type and raw[:1] != b"{" else orjson.loads(raw)
    except (yaml.YAMLError, orjson.JSONDecodeError) as error:
        raise ApiRefusal(400, "BadRequest", f"the body can't be read: {error}") from None


def _parse(store: Store, request: web.Request) -> Request:
    """Take a path apart: /api/v1/… or /apis/<group>/<version>/…, with or without a namespace, a name and a subresource."""
    parts = [part for part in request.path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise ApiRefusal(404, "NotFound", "the server could not find the requested resource")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = store.kind(group, version, rest[0])
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    known = {"status": kind.status, "scale": kind.scale is not None, "": True}
    if not known.get(subresource):
        raise ApiRefusal(404, "NotFound", "the server could not find the requested resource")
    return Request(request.method, kind, namespace, name, subresource, request.query, request.headers)


@contextlib.asynccontextmanager
async def serving(port: int = 0, fate: Callable[[Body], Fate] | None = None) -> AsyncIterator[Emulator]:
    """A running emulator, on a free port by default."""
    emulator = Emulator()
    if fate:
        emulator.workloads.fate = fate
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", emulator.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    context, emulator.certificate = make_context()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
    await site.start()
    emulator.port = runner.addresses[0][1]
    try:
        async with running(emulator.workloads):
            yield emulator
    finally:
        emulator.store.drop_watches()
        await runner.cleanup()
