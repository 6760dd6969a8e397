"""What the API server holds: objects, resource versions, the log that watches read, and garbage collection by ownerReferences."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kube_emulator.errors import ApiRefusal, not_found
from kube_emulator.kinds import BUILT_IN, Kind
from kube_emulator.selectors import Predicate

Body = dict[str, Any]
Place = tuple[tuple[str, str], str, str]
"""Kind, namespace (empty for cluster scope) and name."""


@dataclass(frozen=True)
class Change:
    """One entry of the log."""

    version: int
    kind: tuple[str, str]
    type: str
    before: Body | None
    body: Body


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Objects are never changed in place: each write puts a new dict, so that the log and readers keep theirs."""

    def __init__(self, *, log_length: int = 20_000) -> None:
        self.kinds: dict[tuple[str, str], Kind] = {kind.key: kind for kind in BUILT_IN}
        self.version = 1000
        self.compacted = 1000
        self._objects: dict[tuple[str, str], dict[tuple[str, str], Body]] = {kind.key: {} for kind in BUILT_IN}
        self._log: deque[Change] = deque()
        self._log_length = log_length
        self._watchers: list[tuple[tuple[str, str], asyncio.Queue[Change | None]]] = []
        self._uids: dict[str, Place] = {}
        self._snapshots: dict[str, tuple[int, list[Body]]] = {}
        self._dependents: dict[str, set[Place]] = {}

    # Reading.

    def kind(self, group: str, version: str, plural: str) -> Kind:
        found = self.kinds.get((group, plural))
        if found is None or found.version != version:
            raise ApiRefusal(404, "NotFound", "the server could not find the requested resource")
        return found

    def get(self, kind: Kind, namespace: str, name: str) -> Body:
        found = self.find(kind, namespace, name)
        if found is None:
            raise not_found(kind.plural, name, kind.group)
        return found

    def find(self, kind: Kind, namespace: str, name: str) -> Body | None:
        return self._objects[kind.key].get((namespace, name))

    def list(self, kind: Kind, namespace: str = "", matches: Predicate = lambda _: True) -> list[Body]:
        """Objects of a kind, in one namespace or in all, by namespace and name."""
        return [
            body
            for (place, _), body in sorted(self._objects[kind.key].items(), key=lambda item: item[0])
            if (not namespace or place == namespace) and matches(body)
        ]

    def page(
        self, kind: Kind, namespace: str, matches: Predicate, limit: int, token: str
    ) -> tuple[list[Body], dict[str, Any]]:
        """One page of a list and its metadata: every page shows the objects as they were at the first.

        Raises:
            ApiRefusal: 410, the list that `token` goes on with is older than the log.
        """
        if token:
            name, _, start = token.partition(":")
            version, items = self._snapshots.get(name, (0, []))
            if version < self.compacted:
                raise ApiRefusal(
                    410, "Expired", "The provided continue parameter is too old to display a consistent list result"
                )
        else:
            name, start, version, items = str(uuid.uuid4()), "0", self.version, self.list(kind, namespace, matches)
        end = int(start) + limit if limit else len(items)
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if end < len(items):
            self._snapshots[name] = (version, items)
            metadata |= {"continue": f"{name}:{end}", "remainingItemCount": len(items) - end}
        else:
            self._snapshots.pop(name, None)
        return items[int(start) : end], metadata

    def by_plural(self, plural: str) -> list[Body]:
        kind = next(kind for kind in self.kinds.values() if kind.plural == plural)
        return self.list(kind)

    # Writing.

    def put(self, kind: Kind, body: Body) -> Body:
        """Store a body that is complete but for what the server sets; an unchanged one changes nothing."""
        metadata = body["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        before = self.find(kind, namespace, name)
        if before is not None and _without_version(before) == _without_version(body):
            return before
        self.version += 1
        stored = {**body, "metadata": {**metadata, "resourceVersion": str(self.version)}}
        if before is None:
            stored["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
        place: Place = (kind.key, namespace, name)
        self._objects[kind.key][namespace, name] = stored
        self._uids[stored["metadata"]["uid"]] = place
        for owner in (before or {}).get("metadata", {}).get("ownerReferences") or []:
            self._dependents.get(owner["uid"], set()).discard(place)
        for owner in stored["metadata"].get("ownerReferences") or []:
            self._dependents.setdefault(owner["uid"], set()).add(place)
        self._record(Change(self.version, kind.key, "MODIFIED" if before else "ADDED", before, stored))
        self._collect_orphan(kind, stored)
        return stored

    def remove(self, kind: Kind, namespace: str, name: str) -> Body:
        """Delete an object and, by garbage collection, what it owns."""
        before = self.get(kind, namespace, name)
        del self._objects[kind.key][namespace, name]
        uid = before["metadata"]["uid"]
        del self._uids[uid]
        self.version += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.version)}}
        self._record(Change(self.version, kind.key, "DELETED", before, last))
        if kind.plural == "namespaces":
            for other in list(self.kinds.values()):
                for body in self.list(other, name) if other.namespaced else []:
                    self.remove(other, name, body["metadata"]["name"])
        if self._dependents.get(uid):
            asyncio.get_running_loop().call_soon(self._collect, uid)
        return last

    def _collect(self, uid: str) -> None:
        for key, namespace, name in sorted(self._dependents.pop(uid, set())):
            kind = self.kinds[key]
            body = self.find(kind, namespace, name)
            owners = (body or {}).get("metadata", {}).get("ownerReferences") or []
            if body is not None and not any(owner["uid"] in self._uids for owner in owners):
                self.remove(kind, namespace, name)

    def _collect_orphan(self, kind: Kind, body: Body) -> None:
        owners = body["metadata"].get("ownerReferences") or []
        if owners and not any(owner["uid"] in self._uids for owner in owners):
            asyncio.get_running_loop().call_soon(self._collect, owners[0]["uid"])

    # Watching.

    def _record(self, change: Change) -> None:
        self._log.append(change)
        while len(self._log) > self._log_length:
            self.compacted = self._log.popleft().version
        for key, queue in self._watchers:
            if key == change.kind:
                queue.put_nowait(change)

    def compact(self) -> None:
        """Forget the log: every watch from before now is answered with 410."""
        self._log.clear()
        self.compacted = self.version

    def watch(self, kind: Kind, since: int) -> tuple[list[Change], asyncio.Queue[Change | None]]:
        """What has changed since a version, and a queue of what will; a None in it ends the watch.

        Raises:
            ApiRefusal: 410, the version is older than the log.
        """
        if since < self.compacted:
            raise ApiRefusal(410, "Expired", f"too old resource version: {since} ({self.compacted})")
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._watchers.append((kind.key, queue))
        return [change for change in self._log if change.kind == kind.key and change.version > since], queue

    def unwatch(self, queue: asyncio.Queue[Change | None]) -> None:
        self._watchers = [(key, other) for key, other in self._watchers if other is not queue]

    def drop_watches(self) -> int:
        """End every watch; how many there were."""
        for _, queue in self._watchers:
            queue.put_nowait(None)
        return len(self._watchers)

    # Custom kinds.

    def define(self, body: Mapping[str, Any]) -> None:
        """Serve the kind of a CustomResourceDefinition."""
        spec = body["spec"]
        for version in spec["versions"]:
            if not version.get("served"):
                continue
            subresources = version.get("subresources") or {}
            kind = Kind(
                group=spec["group"],
                version=version["name"],
                kind=spec["names"]["kind"],
                plural=spec["names"]["plural"],
                namespaced=spec["scope"] == "Namespaced",
                short_names=tuple(spec["names"].get("shortNames") or ()),
                status="status" in subresources,
                scale=subresources.get("scale"),
                schema=version["schema"]["openAPIV3Schema"],
                columns=tuple(version.get("additionalPrinterColumns") or ()),
                categories=tuple(spec["names"].get("categories") or ()),
            )
            self.kinds[kind.key] = kind
            self._objects.setdefault(kind.key, {})

    def undefine(self, body: Mapping[str, Any]) -> None:
        """Stop serving a kind, and delete its objects."""
        kind = self.kinds.get((body["spec"]["group"], body["spec"]["names"]["plural"]))
        if kind:
            for item in self.list(kind):
                self.remove(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])
            del self.kinds[kind.key]

    def kinds_of(self, group: str) -> Iterator[Kind]:
        return (kind for kind in self.kinds.values() if kind.group == group)


def _without_version(body: Body) -> Body:
    metadata = {key: value for key, value in body["metadata"].items() if key != "resourceVersion"}
    return {**body, "metadata": metadata}
