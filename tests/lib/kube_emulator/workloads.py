"""Deployments' status, which tests drive: ready by themselves, held back, or failing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Literal

from kube_emulator.store import Body, Change, Store, now

Fate = Literal["ready", "starting", "stalled", "unready"]


class Workloads:
    """Plays the Deployment controller. `fate(deployment)` says what becomes of the newest pods of each."""

    def __init__(self, store: Store, fate: Callable[[Body], Fate] | None = None) -> None:
        self.fate = fate or (lambda _: "ready")
        self._store = store
        self._kind = store.kinds["apps", "deployments"]

    async def run(self) -> None:
        _, queue = self._store.watch(self._kind, self._store.version)
        try:
            while True:
                change = await queue.get()
                if isinstance(change, Change) and change.type != "DELETED":
                    metadata = change.body["metadata"]
                    self._settle(metadata["namespace"], metadata["name"])
                elif change is None:
                    self.settle_all()
        finally:
            self._store.unwatch(queue)

    def settle_all(self) -> None:
        """Look at every Deployment again: after `fate` has changed its mind."""
        for body in self._store.list(self._kind):
            self._settle(body["metadata"]["namespace"], body["metadata"]["name"])

    def _settle(self, namespace: str, name: str) -> None:
        body = self._store.find(self._kind, namespace, name)
        if body is None:
            return
        status = self._status(body)
        if status != body.get("status"):
            self._store.put(self._kind, {**body, "status": status})

    def _status(self, body: Body) -> dict[str, Any]:
        wanted = body["spec"].get("replicas", 1)
        before = body.get("status") or {}
        fate = self.fate(body)
        old_ready = before.get("readyReplicas", 0)
        status = {"observedGeneration": body["metadata"]["generation"], "replicas": wanted, "updatedReplicas": wanted}
        if fate == "ready" or wanted == 0:
            status |= {"readyReplicas": wanted, "availableReplicas": wanted}
            return _with(status, before, "True", "NewReplicaSetAvailable", "has successfully progressed.")
        if fate == "unready":
            status |= {"unavailableReplicas": wanted}
            return _with(status, before, "True", "NewReplicaSetAvailable", "has successfully progressed.")
        # The old pod stays beside the new one until that is ready.
        surge = min(old_ready, wanted)
        status |= {"replicas": wanted + surge, "readyReplicas": surge, "unavailableReplicas": wanted}
        if fate == "stalled":
            return _with(status, before, "False", "ProgressDeadlineExceeded", "has timed out progressing.")
        return _with(status, before, "True", "ReplicaSetUpdated", "is progressing.")


def _with(status: dict[str, Any], before: dict[str, Any], truth: str, reason: str, message: str) -> dict[str, Any]:
    known = next((item for item in before.get("conditions") or [] if item["type"] == "Progressing"), None)
    if known and (known["status"], known["reason"]) == (truth, reason):
        condition = known
    else:
        text = f"ReplicaSet {message}"
        condition = {"type": "Progressing", "status": truth, "reason": reason, "message": text, "lastUpdateTime": now()}
    return {**status, "conditions": [condition]}


@contextlib.asynccontextmanager
async def running(workloads: Workloads) -> Any:
    task = asyncio.create_task(workloads.run())
    try:
        yield workloads
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
