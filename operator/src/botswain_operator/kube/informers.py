"""Informers: what the API server holds of one kind, kept up to date by list and watch.

kopf watches DiscordBots; the children, a dozen a bot, are watched here: selected by label on the server, and kept as compressed
bytes, so that a thousand bots take little memory. A watch that ends is taken up where it ended; one that is too old
(410) begins with a new list, which also shows what was deleted meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from botswain_operator import names
from botswain_operator.errors import ApiError, Forbidden, Gone, NotFound
from botswain_operator.kube.client import METADATA_ONLY, METADATA_ONLY_WATCH, KubeClient, backoff
from botswain_operator.kube.kinds import Kind

log = logging.getLogger(__name__)

PAGE = "500"
STEADY_SECONDS = 1.0
"""A watch that ends sooner is not taken up again at once."""
ABSENT_SECONDS = 60
"""How often an optional kind that the cluster doesn't have is looked for."""
Key = tuple[str, str]
_NOT_KEPT = frozenset({"managedFields", "resourceVersion"})


@dataclass(slots=True)
class Entry:
    """One object as it was last seen."""

    uid: str
    version: str
    bot: str
    """Name of the bot it belongs to, by its label."""
    raw: bytes
    """The object as compressed JSON, without its status, managedFields and version; empty where only metadata is watched."""
    status: bytes = b"{}"
    confirmed: str | None = None
    """Hash of the manifest that this version was found to say already."""
    reading: Any = None
    """What was made of the object, for who keeps that with it."""

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(zlib.decompress(self.raw))
        found["status"] = orjson.loads(self.status)
        return found


class Informer:
    """The objects of one kind in one namespace, or in all. `changed(namespace, name, bot)` is called for each change."""

    def __init__(
        self,
        client: KubeClient,
        kind: Kind,
        namespace: str | None,
        changed: Callable[[str, str, str], None],
        *,
        label_selector: str = "",
        field_selector: str = "",
        metadata_only: bool = False,
        optional: bool = False,
    ) -> None:
        self.kind = kind
        self.present = not optional
        """Whether the cluster has the kind; only an optional one may be absent."""
        self.synced = asyncio.Event()
        self._client = client
        self._namespace = namespace
        self._changed = changed
        self._params = {
            key: value for key, value in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if value
        }
        self._metadata_only = metadata_only
        self._optional = optional
        self._entries: dict[Key, Entry] = {}
        self._by_bot: dict[Key, set[str]] = {}

    def get(self, namespace: str, name: str) -> Entry | None:
        return self._entries.get((namespace, name))

    def of_bot(self, namespace: str, bot: str) -> Iterator[tuple[str, Entry]]:
        """Name and entry of each object that belongs to the bot."""
        for name in sorted(self._by_bot.get((namespace, bot), ())):
            yield name, self._entries[namespace, name]

    def covers(self, namespace: str) -> bool:
        """Whether this informer watches the namespace."""
        return self._namespace in (None, namespace)

    async def run(self) -> None:
        """List and watch for ever."""
        attempt = 0
        while True:
            started, problem = time.monotonic(), None
            try:
                version = await self._list()
                self.synced.set()
                await self._watch(version)
            except Gone:
                log.debug("%s: the watch is too old, listing anew", self.kind.plural)
            except ApiError as error:
                if self._optional and isinstance(error, NotFound | Forbidden):
                    self.present = False
                    self.synced.set()
                    await asyncio.sleep(ABSENT_SECONDS)
                    continue
                log.warning("%s: %s; trying again", self.kind.plural, error)
                problem = error
            attempt = 0 if time.monotonic() - started > STEADY_SECONDS else attempt + 1
            await backoff(attempt, problem)

    async def _list(self) -> str:
        accept = METADATA_ONLY if self._metadata_only else None
        seen: set[Key] = set()
        token, version = "", ""
        while True:
            params = {**self._params, "limit": PAGE, **({"continue": token} if token else {})}
            page = await self._client.list_page(self.kind, self._namespace, params, accept=accept)
            for item in page.get("items") or []:
                seen.add((item["metadata"]["namespace"], item["metadata"]["name"]))
                # Entries of a list don't say of which kind they are; the watch's and answers to writes do.
                self.update({"apiVersion": self.kind.api_version, "kind": self.kind.kind, **item})
            version = str(page["metadata"]["resourceVersion"])
            token = page["metadata"].get("continue") or ""
            if not token:
                break
        self.present = True
        for key in self._entries.keys() - seen:
            self.remove(*key)
        return version

    async def _watch(self, version: str) -> None:
        accept = METADATA_ONLY_WATCH if self._metadata_only else None
        attempt = 0
        while True:
            params = {**self._params, "resourceVersion": version}
            seconds = random.randint(240, 360)  # noqa: S311 - only so that the watches don't all end together
            started, problem = time.monotonic(), None
            try:
                async for event in self._client.watch(
                    self.kind, self._namespace, params, seconds=seconds, accept=accept
                ):
                    attempt = 0
                    version = self._take(event)
            except Gone:
                raise
            except ApiError as error:
                log.debug("%s: %s; taking the watch up again", self.kind.plural, error)
                problem = error
            # A server that is about to end, or is asked too much, may end each watch at once.
            if problem or time.monotonic() - started < STEADY_SECONDS:
                await backoff(attempt, problem)
                attempt += 1

    def _take(self, event: Mapping[str, Any]) -> str:
        """Take in an event of the watch; the version up to which all is known then."""
        item = event["object"]
        if event["type"] == "DELETED":
            self.remove(item["metadata"]["namespace"], item["metadata"]["name"], item["metadata"]["uid"])
        elif event["type"] in ("ADDED", "MODIFIED"):
            self.update(item)
        return str(item["metadata"]["resourceVersion"])

    def update(self, item: Mapping[str, Any], *, tell: bool = True) -> None:
        """Take in an object, unless a newer one is known: the answer to a write and its watch event may cross."""
        metadata = item["metadata"]
        key = (metadata["namespace"], metadata["name"])
        known = self._entries.get(key)
        if known and known.uid == metadata["uid"] and not is_newer(metadata["resourceVersion"], known.version):
            return
        bot = (metadata.get("labels") or {}).get(names.LABEL_BOT, "")
        entry = Entry(metadata["uid"], metadata["resourceVersion"], bot, b"")
        if not self._metadata_only:
            slim = {name: value for name, value in metadata.items() if name not in _NOT_KEPT}
            entry.raw = zlib.compress(orjson.dumps({**item, "metadata": slim, "status": None}), 1)
            if status := item.get("status"):
                # A copy, because what orjson makes keeps the 4 KiB that it began with.
                entry.status = bytes(memoryview(orjson.dumps(status)))
        if known and known.raw == entry.raw:
            entry.confirmed = known.confirmed  # only its status has changed
        if known and known.bot != bot:
            self._forget(key, known)
        self._entries[key] = entry
        if bot:
            self._by_bot.setdefault((key[0], bot), set()).add(key[1])
        if tell:
            self._changed(*key, bot)
            if known and known.bot != bot:
                self._changed(*key, known.bot)

    def remove(self, namespace: str, name: str, uid: str | None = None, *, tell: bool = True) -> None:
        """Forget an object; with `uid` only that one, not another which has taken its name and is known already."""
        entry = self._entries.get((namespace, name))
        if entry is None or uid not in (None, entry.uid):
            return
        del self._entries[namespace, name]
        self._forget((namespace, name), entry)
        if tell:
            self._changed(namespace, name, entry.bot)

    def _forget(self, key: Key, entry: Entry) -> None:
        owned = self._by_bot.get((key[0], entry.bot))
        if owned:
            owned.discard(key[1])
            if not owned:
                del self._by_bot[key[0], entry.bot]


def is_newer(version: str, known: str) -> bool:
    """Resource versions are numbers in every API server there is (and by contract since 1.35); any other is taken as newer."""
    return int(version) > int(known) if version.isdigit() and known.isdigit() else version != known
