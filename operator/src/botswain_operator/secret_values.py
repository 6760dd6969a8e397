"""Values of the Secrets that bots refer to, read again only when the Secret has changed."""

from __future__ import annotations

from dataclasses import dataclass

from botswain_operator.cluster import Cluster, decoded
from botswain_operator.errors import Forbidden, NotFound
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.kinds import SECRET


@dataclass(frozen=True, slots=True)
class Found:
    """A value, or why there is none."""

    value: str | None
    problem: str = ""


class SecretValues:
    """Reads single values; remembers them by the Secret's resource version, and nothing else of the Secret."""

    def __init__(self, client: KubeClient, cluster: Cluster) -> None:
        self._client = client
        self._cluster = cluster
        self._known: dict[tuple[str, str, str], tuple[str, Found]] = {}

    async def get(self, namespace: str, name: str, key: str) -> Found:
        """The value at `key`. Raises an ApiError only for failures that pass."""
        version = self._cluster.secret_version(namespace, name)
        place = (namespace, name, key)
        if version is None:
            self._known.pop(place, None)
            return Found(None, f"there is no Secret {name!r} in namespace {namespace!r}")
        known = self._known.get(place)
        if known and known[0] == version:
            return known[1]
        try:
            secret = await self._client.get(SECRET, namespace, name)
        except NotFound:
            return Found(None, f"there is no Secret {name!r} in namespace {namespace!r}")
        except Forbidden:
            return Found(
                None, f"the operator may not read the Secret {name!r}: its role needs get on secrets in {namespace!r}"
            )
        found = _value(secret, name, key)
        self._known[place] = (secret["metadata"]["resourceVersion"], found)
        return found

    def forget(self, namespace: str, names: set[str]) -> None:
        """Drop the values of Secrets that no bot refers to any more."""
        for place in [place for place in self._known if place[0] == namespace and place[1] in names]:
            del self._known[place]


def _value(secret: dict[str, object], name: str, key: str) -> Found:
    value = decoded(secret, key)
    if value is None or not value.strip():
        data = secret.get("data")
        others = ", ".join(sorted(data)) if isinstance(data, dict) and data else "none"
        state = "is empty" if value is not None else "is missing or not text"
        return Found(None, f"key {key!r} of the Secret {name!r} {state} (keys there: {others})")
    return Found(value)
