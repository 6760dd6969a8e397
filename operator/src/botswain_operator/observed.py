"""What was seen of the cluster and of Discord, as plain data: the second argument of every decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from botswain_operator import names
from botswain_operator.shard_reports import Reports

TokenState = Literal["valid", "invalid", "missing", "pending", "unknown"]
"""`pending`: Discord is being asked. `unknown`: it was asked, and could not be reached."""


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """Discord's answer to `GET /gateway/bot` and `GET /users/@me`."""

    recommended_shards: int
    identify_total: int
    identify_remaining: int
    reset_at: datetime
    max_concurrency: int
    user_id: str
    username: str
    identifies_begun: int = 0
    """IDENTIFYs of replicas that were started since Discord said this."""

    @property
    def identify_left(self) -> int:
        return self.identify_remaining - self.identifies_begun


@dataclass(frozen=True, slots=True)
class Token:
    """What is known about the bot's token. `hash` names its value without telling it."""

    state: TokenState
    message: str = ""
    hash: str = ""
    user_id: str = ""
    """The bot's user id, which the token's first part spells; empty if it doesn't."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment's standing."""

    name: str
    generation: int = 0
    observed_generation: int = 0
    wanted: int = 1
    current: int = 0
    updated: int = 0
    ready: int = 0
    stalled: str = ""
    """Why the Deployment says that it makes no progress; empty if it doesn't say so."""
    was_complete: bool = False
    """Its newest pods have all been ready, be they so now or not."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def rolled(self) -> bool:
        """Every pod is of the newest template, and no older one is left."""
        return self.observed_generation >= self.generation and self.updated == self.wanted == self.current

    @property
    def complete(self) -> bool:
        """Every pod is of the newest template and ready, and no older one is left."""
        return self.rolled and self.ready >= self.wanted


def read_workload(body: Mapping[str, Any]) -> Workload:
    """A Deployment's standing from the object that the API server holds."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    stalled, was_complete = "", False
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("status") == "False":
            stalled = condition.get("message") or condition.get("reason") or "no progress"
        if condition.get("type") == "Progressing" and condition.get("reason") == "NewReplicaSetAvailable":
            was_complete = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            stalled = condition.get("message") or condition.get("reason") or "pods can't be made"
    wanted = spec.get("replicas")
    return Workload(
        name=metadata["name"],
        generation=metadata.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        wanted=1 if wanted is None else wanted,
        current=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        stalled=stalled,
        was_complete=was_complete,
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
    )


@dataclass(frozen=True, slots=True)
class Replica:
    """One discord-service Deployment: its standing, and what it was made for."""

    number: int
    workload: Workload
    set_key: str
    offset: int
    shard_ids: tuple[int, ...]
    shard_count: int
    template_hash: str
    token_hash: str


def read_replica(workload: Workload) -> Replica | None:
    """A replica from its Deployment; None if labels or annotations were taken away, so that it is made anew."""
    try:
        set_key = workload.labels[names.LABEL_SHARD_SET]
        ids = workload.annotations[names.SHARD_IDS]
        return Replica(
            number=int(workload.name.rsplit("-", 1)[1]),
            workload=workload,
            set_key=set_key,
            offset=int(workload.annotations[names.SHARD_SET_OFFSET]),
            shard_ids=tuple(int(part) for part in ids.split(",")),
            shard_count=int(set_key.split("x")[0]),
            template_hash=workload.annotations.get(names.TEMPLATE_HASH, ""),
            token_hash=workload.annotations.get(names.TOKEN_HASH, ""),
        )
    except (KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything outside the spec that a decision may rest on."""

    token: Token = Token("pending")
    gateway: GatewayFacts | None = None
    last_shards: int | None = None
    """The recommendation that the bot runs with already, from its status: `auto` holds to it while Discord can't be asked."""
    last_user_id: str = ""
    """The bot's user id as its status has it."""
    last_table: Sequence[Mapping[str, Any]] = ()
    """The shard table that the status has."""
    last_guilds: int | None = None
    replicas: Mapping[int, Replica] = field(default_factory=dict)
    shards: Reports | None = None
    """What discord-service says of its shards; None while it wasn't asked."""
    orchestrator: Workload | None = None
    execution: Workload | None = None
    auth_secret: str | None = None
    """Value of SERVICE_AUTH_SECRET in the bot's own Secret, if there is one."""
    fresh_secret: str = ""
    """A random value to put there if there is none."""
    secret_hashes: Mapping[str, str] = field(default_factory=dict)
    """Hash of each value that pods take from a Secret, by what it is for: model-key, database-url."""
    database_addresses: tuple[tuple[str, int], ...] = ()
    """Host and port of each database server that the URL in the Secret names."""
    missing_secrets: tuple[str, ...] = ()
    """What the spec refers to and the namespace doesn't have, in words."""
    has_service_monitors: bool = False
