"""What the operator knows of the cluster: one informer a kind, and what they say about one bot."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botswain_operator import names
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.informers import Entry, Informer
from botswain_operator.kube.kinds import CHILDREN, DEPLOYMENT, OPTIONAL_CHILDREN, SECRET, SERVICE_MONITOR, Kind
from botswain_operator.observed import Replica, Workload, read_replica, read_workload

_SELECTOR = f"{names.LABEL_MANAGED_BY}={names.FIELD_MANAGER}"
# People's own Secrets are watched for change alone, never their content; these two types are many, large, and never a bot's.
_OTHER_SECRETS = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token"


@dataclass(frozen=True, slots=True)
class Workloads:
    """A bot's Deployments."""

    replicas: dict[int, Replica] = field(default_factory=dict)
    by_name: dict[str, Workload] = field(default_factory=dict)


class Cluster:
    """Informers of every kind of child, and of the Secrets that bots refer to."""

    def __init__(
        self,
        client: KubeClient,
        namespaces: tuple[str, ...],
        child_changed: Callable[[str, str], None],
        secret_changed: Callable[[str, str], None],
    ) -> None:
        scopes: tuple[str | None, ...] = namespaces or (None,)

        def on_child(namespace: str, _name: str, bot: str) -> None:
            if bot:
                child_changed(namespace, bot)

        def on_secret(namespace: str, name: str, _bot: str) -> None:
            secret_changed(namespace, name)

        self._children: dict[Kind, list[Informer]] = {
            kind: [
                Informer(client, kind, scope, on_child, label_selector=_SELECTOR, optional=kind in OPTIONAL_CHILDREN)
                for scope in scopes
            ]
            for kind in (*CHILDREN, *OPTIONAL_CHILDREN)
        }
        self._secrets = [
            Informer(
                client,
                SECRET,
                scope,
                on_secret,
                label_selector=f"{names.LABEL_MANAGED_BY}!={names.FIELD_MANAGER}",
                field_selector=_OTHER_SECRETS,
                metadata_only=True,
            )
            for scope in scopes
        ]

    async def run(self) -> None:
        """Keep every informer going."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._all():
                tasks.create_task(informer.run(), name=f"informer of {informer.kind.plural}")

    async def synced(self) -> None:
        """Wait until each informer has listed its kind once: before that, what is missing can't be told from what isn't known."""
        await asyncio.gather(*(informer.synced.wait() for informer in self._all()))

    def _all(self) -> Iterator[Informer]:
        for informers in self._children.values():
            yield from informers
        yield from self._secrets

    @property
    def has_service_monitors(self) -> bool:
        return any(informer.present for informer in self._children[SERVICE_MONITOR])

    def child(self, kind: Kind, namespace: str, name: str) -> Entry | None:
        return next((entry for informer in self._children[kind] if (entry := informer.get(namespace, name))), None)

    def children(self, namespace: str, bot: str) -> Iterator[tuple[Kind, str, Entry]]:
        """Everything that carries the bot's label."""
        for kind, informers in self._children.items():
            for informer in informers:
                for name, entry in informer.of_bot(namespace, bot):
                    yield kind, name, entry

    def seen(self, kind: Kind, item: dict[str, Any]) -> None:
        """Take in what the API server answered to a write, so that the next decision doesn't rest on what was before it."""
        for informer in self._children[kind]:
            if informer.covers(item["metadata"]["namespace"]):
                informer.update(item, tell=False)

    def gone(self, kind: Kind, namespace: str, name: str) -> None:
        for informer in self._children[kind]:
            informer.remove(namespace, name, tell=False)

    def secret_version(self, namespace: str, name: str) -> str | None:
        """Resource version of someone else's Secret; None if there is none of this name."""
        return next((entry.version for informer in self._secrets if (entry := informer.get(namespace, name))), None)

    def workloads(self, namespace: str, bot: str) -> Workloads:
        found = Workloads()
        for informer in self._children[DEPLOYMENT]:
            for name, entry in informer.of_bot(namespace, bot):
                if entry.reading is None:
                    entry.reading = read_workload(entry.body())
                workload: Workload = entry.reading
                found.by_name[name] = workload
                if workload.labels.get(names.LABEL_PART) == names.DISCORD and (replica := read_replica(workload)):
                    found.replicas[replica.number] = replica
        return found

    def secret_value(self, namespace: str, name: str, key: str) -> str | None:
        """A value of a Secret of the operator's own."""
        entry = self.child(SECRET, namespace, name)
        return decoded(entry.body(), key) if entry else None


def decoded(secret: dict[str, Any], key: str) -> str | None:
    """One value of a Secret as text; None if it isn't there or isn't text."""
    encoded = (secret.get("data") or {}).get(key)
    if encoded is None:
        return None
    try:
        return base64.b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
