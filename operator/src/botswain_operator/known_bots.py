"""The DiscordBots as they were last seen, from three sides: the watch, the lists, and the answers to the operator's own writes.

What they tell overtakes each other. The answer to a write of the status is newer than the event of a spec that somebody changed
a moment before, a list older than a bot that the watch has told of already, and kopf hands on the end of a bot and the beginning
of its namesake in any order. So each is taken in by the same rule: the newer version of an object counts, and all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botswain_operator.kube.informers import is_newer

Key = tuple[str, str]
Body = dict[str, Any]

_METADATA = ("namespace", "name", "uid", "generation", "resourceVersion", "deletionTimestamp")


class KnownBots:
    """Bots by namespace and name, as far as decisions rest on them."""

    def __init__(self) -> None:
        self._bots: dict[Key, Body] = {}

    def __len__(self) -> int:
        return len(self._bots)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._bots)

    def __contains__(self, key: Key) -> bool:
        return key in self._bots

    def get(self, key: Key) -> Body | None:
        """The newest body known."""
        return self._bots.get(key)

    def see(self, body: Mapping[str, Any]) -> bool:
        """Take in a bot; whether anything in it that decisions rest on is new.

        The operator's own writes to the status come back as events too, and change nothing that is decided on.
        """
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        known = self._bots.get(key)
        if known and not is_newer(metadata["resourceVersion"], known["metadata"]["resourceVersion"]):
            return False
        seen = {
            "metadata": {name: metadata[name] for name in _METADATA if name in metadata},
            "spec": body.get("spec") or {},
            "status": body.get("status") or {},
        }
        self._bots[key] = seen
        return known is None or _decisive(known) != _decisive(seen)

    def lose(self, key: Key, uid: str) -> bool:
        """A bot was deleted; whether it was the one known under this name, not one before it."""
        known = self._bots.get(key)
        if known is None or known["metadata"]["uid"] != uid:
            return False
        del self._bots[key]
        return True

    def missing_from(self, listed: set[Key], version: str) -> list[Key]:
        """Bots that a list of this version doesn't have; those that are newer than it don't count."""
        return [
            key
            for key, body in self._bots.items()
            if key not in listed and is_newer(version, body["metadata"]["resourceVersion"])
        ]


def _decisive(body: Mapping[str, Any]) -> tuple[Any, ...]:
    metadata = body["metadata"]
    return metadata.get("uid"), metadata.get("generation"), metadata.get("deletionTimestamp")
