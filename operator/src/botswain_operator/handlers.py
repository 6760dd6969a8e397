"""The kopf side: watching DiscordBots.

Only low-level event handlers are used, because kopf's others keep finalizers and progress annotations on the objects: a bot
could not be deleted while the operator is down, and a restart would write to each of them. What happened is of no interest
anyway: each event only says which bot to look at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import kopf

from botswain_operator import names
from botswain_operator.kube.connection import read_connection
from botswain_operator.reconciler import Reconciler


def make_registry(reconciler: Reconciler) -> kopf.OperatorRegistry:
    """The handlers, bound to one reconciler."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def log_in(**_: Any) -> kopf.ConnectionInfo:
        return read_connection()

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def on_bot(event: kopf.RawEvent, **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            metadata = body["metadata"]
            reconciler.bot_gone(metadata["namespace"], metadata["name"], metadata["uid"])
        else:
            reconciler.bot_seen(dict(body))

    @kopf.on.cleanup(registry=registry)
    async def on_end(**_: Any) -> None:
        # Else kopf waits five seconds for questions that are still to be asked.
        await reconciler.close()

    return registry


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf compares each object with what it was, for handlers of changes. There are none here, and it takes a copy of each."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


def make_settings() -> kopf.OperatorSettings:
    """kopf's settings: no events of its own, no peering (the lease does that), no look at the cluster's other kinds."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.queueing.idle_timeout = 1
    settings.persistence.diffbase_storage = _NoDiffs()
    return settings
