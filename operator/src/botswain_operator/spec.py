"""A `DiscordBot` as the operator reads it.

The CustomResourceDefinition in the chart is the contract: it validates, defaults and explains. These models repeat its names
and defaults so that a spec read from a manifest, a test or an older CRD reads the same; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from botswain_operator.errors import SpecError

# Discord's names of intents, and discord.py's, which discord-service takes.
INTENT_NAMES: Mapping[str, str] = {
    "guilds": "guilds",
    "guild_members": "members",
    "guild_moderation": "moderation",
    "guild_expressions": "expressions",
    "guild_integrations": "integrations",
    "guild_webhooks": "webhooks",
    "guild_invites": "invites",
    "guild_voice_states": "voice_states",
    "guild_presences": "presences",
    "guild_messages": "guild_messages",
    "guild_message_reactions": "guild_reactions",
    "guild_message_typing": "guild_typing",
    "direct_messages": "dm_messages",
    "direct_message_reactions": "dm_reactions",
    "direct_message_typing": "dm_typing",
    "message_content": "message_content",
    "guild_scheduled_events": "guild_scheduled_events",
    "auto_moderation_configuration": "auto_moderation_configuration",
    "auto_moderation_execution": "auto_moderation_execution",
    "guild_message_polls": "guild_polls",
    "direct_message_polls": "dm_polls",
}
REACTION_INTENTS = ("guild_message_reactions", "direct_message_reactions")
DEFAULT_INTENTS = ("guilds", "guild_messages", "direct_messages", "message_content")

JsonObject = dict[str, Any]


class _Model(BaseModel):
    # Fields of a newer CRD are passed over: an operator that is rolled back goes on with what it knows.
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)


class TokenRef(_Model):
    name: str
    key: str = "token"


class ApiKeyRef(_Model):
    name: str
    key: str = "api-key"


class UrlRef(_Model):
    name: str
    key: str = "url"


class DiscordApi(_Model):
    api_url: str | None = None


class Sharding(_Model):
    shards: int | Literal["auto"] = "auto"
    replicas: int = Field(default=1, ge=1)
    shards_per_replica: int | None = Field(default=None, ge=1)


class McpServer(_Model):
    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)


class Approval(_Model):
    tools: tuple[str, ...]
    approvers: tuple[str, ...] = ()
    timeout_seconds: int = 3600


class Tools(_Model):
    allow: tuple[str, ...] | None = None
    approval: Approval | None = None
    channels: Literal["event", "any"] = "event"
    allowed_mentions: tuple[str, ...] = ()
    mcp_servers: dict[str, McpServer] = Field(default_factory=dict)


class Agent(_Model):
    model: str = "scripted"
    base_url: str | None = None
    api_key_secret_ref: ApiKeyRef | None = None
    system_prompt: str | None = None
    turn_policy: Literal["enqueue", "coalesce", "interrupt", "reject"] = "enqueue"
    tools: Tools = Tools()


class Sqlite(_Model):
    size: str | int = "1Gi"
    storage_class_name: str | None = None
    ephemeral: bool = False
    retain: bool = False


class Database(_Model):
    sqlite: Sqlite | None = None
    url_secret_ref: UrlRef | None = None


class Autoscaling(_Model):
    min_replicas: int = 1
    max_replicas: int
    target_cpu_utilization_percentage: int = Field(default=70, alias="targetCPUUtilizationPercentage")


class Orchestrator(_Model):
    replicas: int = 1
    autoscaling: Autoscaling | None = None


class Execution(_Model):
    replicas: int = 1


class Images(_Model):
    registry: str | None = None
    tag: str | None = None
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    pull_secrets: tuple[str, ...] = ()
    discord: str | None = None
    orchestrator: str | None = None
    execution: str | None = None


class ResourceNeeds(_Model):
    requests: dict[str, str | int] | None = None
    limits: dict[str, str | int] | None = None


class Resources(_Model):
    discord: ResourceNeeds | None = None
    orchestrator: ResourceNeeds | None = None
    execution: ResourceNeeds | None = None


class Scheduling(_Model):
    node_selector: dict[str, str] | None = None
    tolerations: tuple[JsonObject, ...] | None = None
    affinity: JsonObject | None = None
    topology_spread_constraints: tuple[JsonObject, ...] | None = None
    priority_class_name: str | None = None
    runtime_class_name: str | None = None


class Pods(_Model):
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    service_account_annotations: dict[str, str] = Field(default_factory=dict)
    env: tuple[JsonObject, ...] = ()
    termination_grace_period_seconds: int = 40


class NetworkPolicy(_Model):
    enabled: bool = True
    extra_egress: tuple[JsonObject, ...] = ()


class Telemetry(_Model):
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    otlp_endpoint: str | None = None
    service_monitor: bool = False


class Spec(_Model):
    token_secret_ref: TokenRef
    application_id: str | None = None
    intents: tuple[str, ...] = DEFAULT_INTENTS
    paused: bool = False
    discord: DiscordApi = DiscordApi()
    sharding: Sharding = Sharding()
    agent: Agent = Agent()
    database: Database = Database()
    orchestrator: Orchestrator = Orchestrator()
    execution: Execution = Execution()
    images: Images = Images()
    resources: Resources = Resources()
    scheduling: Scheduling = Scheduling()
    pods: Pods = Pods()
    network_policy: NetworkPolicy = NetworkPolicy()
    telemetry: Telemetry = Telemetry()

    @property
    def asked_intents(self) -> tuple[str, ...]:
        """The intents to ask Discord for: those named, and reactions where they approve calls."""
        if self.agent.tools.approval is None:
            return self.intents
        return (*self.intents, *(name for name in REACTION_INTENTS if name not in self.intents))

    @property
    def sqlite(self) -> Sqlite | None:
        """The SQLite settings in force; None with a database by URL."""
        return None if self.database.url_secret_ref else self.database.sqlite or Sqlite()


@dataclass(frozen=True, slots=True)
class Bot:
    """One DiscordBot: who it is and what its spec says."""

    namespace: str
    name: str
    uid: str
    generation: int
    spec: Spec

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)


def read_bot(body: Mapping[str, Any]) -> Bot:
    """A bot from the object that the API server holds.

    Raises: SpecError: names each field that can't be read. The schema refuses such an object; this is for one that is older
    than it.
    """
    metadata = body["metadata"]
    try:
        spec = Spec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        problems = "; ".join(
            f"spec.{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise SpecError(problems) from None
    return Bot(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        spec=spec,
    )
