"""Names that the operator writes into the cluster: labels, annotations, ports, and how children are called."""

from __future__ import annotations

GROUP = "botswain.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "DiscordBot"
PLURAL = "discordbots"

FIELD_MANAGER = "botswain-operator"

LABEL_BOT = "botswain.dev/bot"
LABEL_PART = "app.kubernetes.io/component"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_SHARD_SET = "botswain.dev/shard-set"
"""`<shard count>x<replicas>` of the set that a discord-service replica belongs to."""

HASH = "botswain.dev/applied-hash"
"""On every child: hash of the manifest that was applied."""
TEMPLATE_HASH = "botswain.dev/template-hash"
"""On discord-service Deployments: hash of the pod template, by which a rollout tells what it has reached."""
TOKEN_HASH = "botswain.dev/token-hash"  # noqa: S105 - a name
SECRETS_HASH = "botswain.dev/secrets-hash"
CONFIG_HASH = "botswain.dev/config-hash"
SHARD_IDS = "botswain.dev/shard-ids"
SHARD_SET_OFFSET = "botswain.dev/shard-set-offset"

DISCORD, ORCHESTRATOR, EXECUTION = "discord", "orchestrator", "execution"
OPERATOR = "operator"
"""The component that the chart labels the operator's own pod with."""

HTTP_PORTS = {DISCORD: 8003, ORCHESTRATOR: 8000, EXECUTION: 8001}
GRPC_PORTS = {ORCHESTRATOR: 50051, EXECUTION: 50052}
IMAGES = {DISCORD: "discord-service", ORCHESTRATOR: "orchestrator-service", EXECUTION: "execution-service"}


def labels(bot: str, part: str | None = None) -> dict[str, str]:
    """The labels of everything that belongs to `bot`; those of one part's pods with `part`."""
    found = {
        "app.kubernetes.io/name": "botswain",
        "app.kubernetes.io/instance": bot,
        LABEL_MANAGED_BY: FIELD_MANAGER,
        LABEL_BOT: bot,
    }
    if part:
        found[LABEL_PART] = part
    return found


def selector(bot: str, part: str) -> dict[str, str]:
    """The labels that select one part's pods. Never changes: a Deployment's selector is immutable."""
    return {LABEL_BOT: bot, LABEL_PART: part}


def replica_name(bot: str, index: int) -> str:
    """The Deployment of one discord-service replica."""
    return f"{bot}-discord-{index}"
