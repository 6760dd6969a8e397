"""Bringing the cluster to what one DiscordBot says: look, decide, apply what differs, say how it stands.

One function for every trigger, and idempotent: it may run at any time, from any state, after any failure.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from botswain_operator import metrics, names
from botswain_operator.applying import Applier
from botswain_operator.cluster import Cluster, Workloads
from botswain_operator.condition_events import events_of, is_alarming
from botswain_operator.contests import WITHIN_SECONDS
from botswain_operator.database_urls import addresses_of
from botswain_operator.discord_checks import SLOW_SECONDS, DiscordChecks
from botswain_operator.drift import applied_hash
from botswain_operator.errors import (
    DatabaseUrlError,
    LeaseLost,
    NotFound,
    OperatorError,
    SpecError,
)
from botswain_operator.known_bots import KnownBots
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.events import Subject, record
from botswain_operator.kube.kinds import BOT
from botswain_operator.manifests import digest
from botswain_operator.observed import Observed, Token
from botswain_operator.references import SecretReferences
from botswain_operator.resources import Defaults, Plan, build_resources
from botswain_operator.resources.pods import AUTH_SECRET_KEY, auth_secret_name
from botswain_operator.secret_values import SecretValues
from botswain_operator.shard_checks import ShardChecks
from botswain_operator.spec import Bot, read_bot
from botswain_operator.status import build_status, changes, with_times
from botswain_operator.workqueue import WorkQueue, backoff_seconds

log = logging.getLogger(__name__)

Key = tuple[str, str]
STUCK_FAILURES = 3
"""Failures in a row after which whatever the API server says is told, even if it may pass."""
CHILD_SECONDS = 0.05
"""How long changes of children are gathered: a bot's Deployments change many times while they come up."""


class Reconciler:
    """Everything about the bots: what they say, what they refer to, and how often bringing one about has failed."""

    def __init__(
        self,
        client: KubeClient,
        defaults: Defaults,
        *,
        namespaces: tuple[str, ...],
        resync_seconds: float,
        discord_check_seconds: float,
        shards_url: str,
        shard_check_seconds: float,
    ) -> None:
        self.queue: WorkQueue[Key] = WorkQueue()
        self.cluster = Cluster(client, namespaces, self._child_changed, self._secret_changed)
        self._client = client
        self._defaults = defaults
        self._resync = resync_seconds
        self._values = SecretValues(client, self.cluster)
        self._checks = DiscordChecks(self.queue.add, every_seconds=discord_check_seconds)
        self.shards = ShardChecks(shards_url, self.queue.add, every_seconds=shard_check_seconds)
        self._bots = KnownBots()
        self._references = SecretReferences()
        self._applier = Applier(client, self.cluster, self._try_later)
        self._failures: dict[Key, int] = {}

    # What brings work.

    def bot_seen(self, body: Mapping[str, Any]) -> None:
        """A DiscordBot was listed, added, changed, or answered to a write."""
        if self._bots.see(body):
            key = (body["metadata"]["namespace"], body["metadata"]["name"])
            self._failures.pop(key, None)
            self.queue.add(key)
        metrics.BOTS.set(len(self._bots))

    def bot_gone(self, namespace: str, name: str, uid: str) -> None:
        """A DiscordBot was deleted. What it owns goes by itself."""
        key = (namespace, name)
        if not self._bots.lose(key, uid):
            return
        metrics.BOTS.set(len(self._bots))
        self._refer(key, set())
        self._checks.forget(key)
        self.shards.forget(key)
        self._failures.pop(key, None)
        self.queue.forget(key)

    def _child_changed(self, namespace: str, bot: str) -> None:
        if (namespace, bot) in self._bots:
            self.queue.add_after((namespace, bot), CHILD_SECONDS)

    def _secret_changed(self, namespace: str, name: str) -> None:
        for key in self._references.bots(namespace, name):
            self.queue.add(key)

    def _try_later(self, key: Key) -> None:
        self.queue.add_after(key, WITHIN_SECONDS)

    async def sweep(self, scopes: Sequence[str | None]) -> None:
        """List the bots anew and look at each: whatever a watch may have missed is mended here."""
        for scope in scopes:
            listed: set[Key] = set()
            token = ""
            while True:
                more = {"continue": token} if token else {}
                page = await self._client.list_page(BOT, scope, {"limit": "500", **more})
                for item in page.get("items") or []:
                    listed.add((item["metadata"]["namespace"], item["metadata"]["name"]))
                    self.bot_seen(item)
                token = page["metadata"].get("continue") or ""
                if not token:
                    break
            for key in self._bots.missing_from(listed, page["metadata"]["resourceVersion"]):
                if scope in (None, key[0]) and (body := self._bots.get(key)):
                    self.bot_gone(*key, body["metadata"]["uid"])
        for key in self._bots:
            self.queue.add(key)

    async def close(self) -> None:
        self.queue.close()
        await self._checks.close()
        await self.shards.close()

    # One reconcile.

    async def work(self) -> None:
        """One worker, for ever."""
        await self.queue.work(self._handle)

    async def _handle(self, key: Key, waited: float) -> None:
        metrics.WAITED.observe(waited)
        metrics.QUEUE.set(len(self.queue))
        started = time.monotonic()
        try:
            await self._reconcile(key)
        except LeaseLost:
            raise
        except OperatorError as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            metrics.RECONCILES.labels("failed").inc()
            metrics.ERRORS.labels(type(error).__name__).inc()
            seconds = getattr(error, "retry_after", None) or backoff_seconds(failures)
            log.warning("%s/%s: %s; trying again in %.1f s", *key, error, seconds)
            self.queue.add_after(key, seconds)
        except Exception as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            metrics.RECONCILES.labels("failed").inc()
            metrics.ERRORS.labels(type(error).__name__).inc()
            log.exception("%s/%s: a defect of the operator", *key)
            self.queue.add_after(key, backoff_seconds(failures + 4))
        else:
            self._failures.pop(key, None)
            metrics.RECONCILES.labels("done").inc()
        finally:
            metrics.DURATION.observe(time.monotonic() - started)

    async def _reconcile(self, key: Key) -> None:
        body = self._bots.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return
        try:
            bot = read_bot(body)
        except SpecError as error:
            await self._say_unreadable(body, error)
            return
        observed = await self._observe(bot, body, self.cluster.workloads(*key))
        plan = build_resources(bot, observed, self._defaults)
        done = await self._applier.bring_about(bot, plan, is_stuck=self._failures.get(key, 0) >= STUCK_FAILURES)
        self._checks.begun(key, plan.rollout.identifies)
        if done.writes:
            observed = await self._observe(bot, body, self.cluster.workloads(*key))
            before, plan = plan, build_resources(bot, observed, self._defaults)
            if _applies(before) != _applies(plan):
                self.queue.add(key)  # what was written opens the next step
        if self._is_worth_saying(key, body, observed.token):
            await self._say(body, build_status(bot, plan, observed, done.problems), bot.generation)
        rolling = not plan.rollout.complete
        self.queue.add_after(key, min(self._resync, self._checks.due_in(key, rolling=rolling)))
        if done.failure:
            raise done.failure

    def _is_worth_saying(self, key: Key, body: Mapping[str, Any], token: Token) -> bool:
        """While Discord is asked, what was said before stands: a restart has nothing to write.

        A new bot has said nothing; it waits for an answer that comes at once, and says that it waits for one that doesn't.
        """
        if token.state != "pending":
            return True
        if not body["status"] and not self._checks.is_slow(key):
            self.queue.add_after(key, SLOW_SECONDS)
            return False
        return not body["status"]

    async def _observe(self, bot: Bot, body: Mapping[str, Any], workloads: Workloads) -> Observed:
        spec, missing, hashes = bot.spec, [], {}
        wanted = {"token": spec.token_secret_ref.name}
        if spec.agent.api_key_secret_ref:
            wanted["model-key"] = spec.agent.api_key_secret_ref.name
        if spec.database.url_secret_ref:
            wanted["database-url"] = spec.database.url_secret_ref.name
        self._refer(bot.key, set(wanted.values()))

        token, facts = await self._token(bot, workloads)
        if token.state == "missing":
            missing.append(f"token: {token.message}")
        if spec.agent.api_key_secret_ref:
            found = await self._values.get(
                bot.namespace, spec.agent.api_key_secret_ref.name, spec.agent.api_key_secret_ref.key
            )
            hashes["model-key"] = digest(found.value)
            missing += [f"model key: {found.problem}"] if found.value is None else []
        addresses: tuple[tuple[str, int], ...] = ()
        if spec.database.url_secret_ref:
            found = await self._values.get(
                bot.namespace, spec.database.url_secret_ref.name, spec.database.url_secret_ref.key
            )
            hashes["database-url"] = digest(found.value)
            missing += [f"database URL: {found.problem}"] if found.value is None else []
            if found.value is not None:
                try:
                    addresses = addresses_of(found.value)
                except DatabaseUrlError as error:
                    where = (
                        f"key {spec.database.url_secret_ref.key!r} of the Secret {spec.database.url_secret_ref.name!r}"
                    )
                    missing.append(f"database URL: {where} {error}")
        status = body.get("status") or {}
        running = any(found.workload.wanted and found.workload.ready for found in workloads.replicas.values())
        return Observed(
            token=token,
            gateway=facts,
            last_shards=status.get("shards"),
            last_user_id=(status.get("bot") or {}).get("id", ""),
            last_table=status.get("shardTable") or (),
            last_guilds=status.get("guilds"),
            replicas=workloads.replicas,
            shards=self.shards.about(bot.key, running=running),
            orchestrator=workloads.by_name.get(f"{bot.name}-{names.ORCHESTRATOR}"),
            execution=workloads.by_name.get(f"{bot.name}-{names.EXECUTION}"),
            auth_secret=self.cluster.secret_value(bot.namespace, auth_secret_name(bot), AUTH_SECRET_KEY),
            fresh_secret=secrets.token_urlsafe(32),
            secret_hashes=hashes,
            database_addresses=addresses,
            missing_secrets=tuple(missing),
            has_service_monitors=self.cluster.has_service_monitors,
        )

    async def _token(self, bot: Bot, workloads: Workloads) -> tuple[Token, Any]:
        reference = bot.spec.token_secret_ref
        found = await self._values.get(bot.namespace, reference.name, reference.key)
        if found.value is None:
            return Token("missing", found.problem), None
        rolling = any(not replica.workload.complete for replica in workloads.replicas.values())
        url = bot.spec.discord.api_url or self._defaults.discord_api_url
        return self._checks.about(bot.key, found.value, url, rolling=rolling)

    # Telling.

    async def _say(self, body: dict[str, Any], status: dict[str, Any], generation: int) -> None:
        before = body.get("status") or {}
        dated = with_times(status, before, generation, datetime.now(UTC))
        if dated == before:
            return
        metadata = body["metadata"]
        try:
            answer = await self._client.apply_status(BOT, metadata["namespace"], metadata["name"], dated)
        except NotFound:
            return  # deleted meanwhile
        metrics.WRITES.labels("status", BOT.kind).inc()
        # The answer holds whatever else was changed meanwhile, and is newer than the events that will tell of it.
        self.bot_seen(answer)
        subject = Subject(metadata["namespace"], metadata["name"], metadata["uid"])
        for change in events_of(changes(before, dated), before):
            text = f"{change.type} is {change.status}: {change.message}"
            await record(self._client, subject, change.reason, text, warning=is_alarming(change))

    async def _say_unreadable(self, body: dict[str, Any], error: SpecError) -> None:
        generation = body["metadata"].get("generation", 0)
        condition = {"type": "Ready", "status": "False", "reason": "InvalidSpec", "message": str(error)}
        await self._say(body, {"observedGeneration": generation, "conditions": [condition]}, generation)

    def _refer(self, key: Key, secrets_named: set[str]) -> None:
        unused = self._references.put(key, secrets_named)
        if unused:
            self._values.forget(key[0], unused)


def _applies(plan: Plan) -> tuple[set[str | None], frozenset[str]]:
    return {applied_hash(manifest) for manifest in plan.manifests}, plan.kept
