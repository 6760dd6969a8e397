"""Writing what a plan wants: what differs is applied, what isn't planned any more is deleted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botswain_operator import metrics, names
from botswain_operator.cluster import Cluster
from botswain_operator.contests import Contests
from botswain_operator.drift import applied_hash, in_sync
from botswain_operator.errors import ApiError, Conflict, Forbidden, Gone, Invalid, NotFound
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.events import Subject, record
from botswain_operator.kube.kinds import DEPLOYMENT, VOLUME_CLAIM, Kind, kind_of
from botswain_operator.manifests import Manifest
from botswain_operator.resources import Plan
from botswain_operator.spec import Bot

log = logging.getLogger(__name__)

LEFT_REPLICAS = f"{names.FIELD_MANAGER}-replicas"
"""Field manager that holds a number of replicas until an autoscaler changes it."""


@dataclass(slots=True)
class Done:
    """What came of one reconcile's writes."""

    writes: int = 0
    problems: list[str] = field(default_factory=list)
    """What the API server refuses, in words."""
    failure: ApiError | None = None
    """The last error, for another try."""


class Applier:
    """Brings a bot's children to what is planned.

    Args:
        try_later: called with the key of a bot that is to be looked at again in a while.
    """

    def __init__(self, client: KubeClient, cluster: Cluster, try_later: Callable[[tuple[str, str]], None]) -> None:
        self._client = client
        self._cluster = cluster
        self._try_later = try_later
        self._contests: Contests[tuple[str, str, str]] = Contests()

    async def bring_about(self, bot: Bot, plan: Plan, *, is_stuck: bool) -> Done:
        """Apply what differs and delete what is not planned any more; one failure stops nothing else.

        Args:
            is_stuck: it has failed a few times, so that failures which may pass by themselves are worth telling too.
        """
        done = Done()
        await self._apply(bot, plan, done, is_stuck=is_stuck)
        await self._prune(bot, plan, done)
        return done

    async def _apply(self, bot: Bot, plan: Plan, done: Done, *, is_stuck: bool) -> None:
        """Apply what differs, each manifest whatever became of the others; what pods need to start comes before them."""
        pods = [manifest for manifest in plan.manifests if manifest["kind"] == "Deployment"]
        before_pods = [manifest for manifest in plan.manifests if manifest["kind"] != "Deployment"]
        for group in (before_pods, pods):
            outcomes = await asyncio.gather(
                *(self._apply_one(bot, manifest) for manifest in group), return_exceptions=True
            )
            for manifest, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, ApiError):
                    done.failure = outcome
                    if is_stuck or isinstance(outcome, Invalid | Forbidden):
                        done.problems.append(f"{manifest['kind']} {manifest['metadata']['name']}: {outcome}")
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    done.writes += outcome

    async def _apply_one(self, bot: Bot, manifest: Manifest) -> bool:
        """Apply a manifest if the live object differs; whether that was so."""
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        entry = self._cluster.child(kind, bot.namespace, name)
        if entry and entry.confirmed == applied_hash(manifest):
            return False
        live = entry.body() if entry else None
        if entry and in_sync(manifest, live):
            entry.confirmed = applied_hash(manifest)
            return False
        if live is not None and applied_hash(live) == applied_hash(manifest):
            metrics.DRIFT.labels(kind.kind).inc()
            if not await self._may_repair(bot, kind, name):
                return False
        if kind == DEPLOYMENT and live is not None and "replicas" not in manifest["spec"]:
            await self._leave_replicas(manifest, live)
        try:
            applied = await self._client.apply(manifest, force=False)
        except Conflict as error:
            log.info("%s/%s: %s %s: taking over: %s", bot.namespace, bot.name, kind.kind, name, error)
            if f'"{LEFT_REPLICAS}"' not in str(error):
                await self._tell(bot, "FieldTakenOver", f"{kind.kind} {name}: {error}")
            applied = await self._client.apply(manifest, force=True)
        metrics.WRITES.labels("apply", kind.kind).inc()
        self._cluster.seen(kind, applied)
        if entry := self._cluster.child(kind, bot.namespace, name):
            # The API server writes some values in another way (1000m as 1): what was just applied is in sync all the same.
            entry.confirmed = applied_hash(manifest)
        return True

    async def _leave_replicas(self, manifest: Manifest, live: Mapping[str, Any]) -> None:
        """Give the number of replicas into other hands before it is left to an autoscaler.

        A field that nobody applies any more is removed, and this one would fall to its default of 1 until the autoscaler acts.
        """
        replicas = live["spec"].get("replicas")
        handed = {
            "apiVersion": manifest["apiVersion"],
            "kind": manifest["kind"],
            "metadata": {name: manifest["metadata"][name] for name in ("name", "namespace")},
            "spec": {"replicas": replicas},
        }
        try:
            await self._client.apply(handed, force=False, manager=LEFT_REPLICAS)
        except Conflict as error:
            log.debug("the autoscaler has the replicas already: %s", error)

    async def _may_repair(self, bot: Bot, kind: Kind, name: str) -> bool:
        """Whether drift may be repaired now; if not, it is tried again later, and told."""
        child, now = (kind.kind, bot.namespace, name), time.monotonic()
        if self._contests.may_repair(child, now):
            return True
        self._try_later(bot.key)
        if self._contests.worth_telling(child, now):
            words = f"{kind.kind} {name} is changed by something else each time it is put back; waiting a minute"
            await self._tell(bot, "FieldContested", words)
        return False

    async def _tell(self, bot: Bot, reason: str, words: str) -> None:
        await record(self._client, Subject(bot.namespace, bot.name, bot.uid), reason, words, warning=True)

    async def _prune(self, bot: Bot, plan: Plan, done: Done) -> None:
        """Delete what belongs to the bot and isn't planned any more; never a volume, which only goes with its bot."""
        wanted = {(kind_of(manifest), manifest["metadata"]["name"]) for manifest in plan.manifests}
        for kind, name, entry in list(self._cluster.children(bot.namespace, bot.name)):
            if (kind, name) in wanted or kind == VOLUME_CLAIM or (kind == DEPLOYMENT and name in plan.kept):
                continue
            owners = entry.body()["metadata"].get("ownerReferences") or []
            if not any(owner.get("uid") == bot.uid for owner in owners):
                continue
            try:
                await self._client.delete(kind, bot.namespace, name, entry.uid)
                metrics.WRITES.labels("delete", kind.kind).inc()
            except (NotFound, Conflict, Gone):
                pass
            except ApiError as error:
                done.failure = error
                continue
            done.writes += 1
            self._cluster.gone(kind, bot.namespace, name)
