"""Deployments of a bot, and what stands beside them: disruption budgets and the autoscaler."""

from __future__ import annotations

from collections.abc import Mapping

from botswain_operator import names
from botswain_operator.manifests import Manifest, digest, metadata, without_nothing
from botswain_operator.observed import Observed
from botswain_operator.resources.config import (
    CONFIG_PROMPT,
    CONFIG_SERVERS,
    DATA_PATH,
    config_data,
    config_name,
    volume_name,
)
from botswain_operator.resources.defaults import Defaults
from botswain_operator.resources.pods import from_config, from_pod, from_secret, pod_template, value
from botswain_operator.sharding import ShardSet
from botswain_operator.spec import INTENT_NAMES, Bot

SERVERS_PATH = "/etc/botswain"
OUTBOX_MIB = 512
"""Events that discord-service keeps in `/tmp` while the orchestrator is away; then it stops reading."""


def service_host(bot: Bot, part: str) -> str:
    """The in-namespace DNS name of a part."""
    return f"{bot.name}-{part}"


def discord_deployment(bot: Bot, defaults: Defaults, observed: Observed, shard_set: ShardSet, number: int) -> Manifest:
    """The Deployment of discord-service replica `number`, with its own shards."""
    ids = shard_set.shards_of(number - shard_set.offset)
    spec = bot.spec
    env = [
        from_secret("DISCORD_BOT_TOKEN", spec.token_secret_ref.name, spec.token_secret_ref.key),
        value("DISCORD_APPLICATION_ID", application_id(bot, observed)),
        value("DISCORD_API_URL", spec.discord.api_url or defaults.discord_api_url),
        value("DISCORD_INTENTS", ",".join(INTENT_NAMES.get(name, name) for name in spec.asked_intents)),
        value("SHARD_IDS", ",".join(map(str, ids))),
        value("SHARD_COUNT", shard_set.count),
        value("OUTBOX_FILE_LIMIT", OUTBOX_MIB * 2**20),
        value(
            "GATEWAY_SERVICE_URL",
            f"grpc://{service_host(bot, names.ORCHESTRATOR)}:{names.GRPC_PORTS[names.ORCHESTRATOR]}",
        ),
    ]
    labels = {names.LABEL_SHARD_SET: shard_set.key}
    # A shard IDENTIFYs every 5 s at the slowest; the process answers /health long before.
    deadline = 300 + 10 * len(ids)
    template = pod_template(
        bot,
        defaults,
        names.DISCORD,
        env=env,
        labels=labels,
        annotations={names.TOKEN_HASH: observed.token.hash, names.SECRETS_HASH: _secrets_hash(observed, "auth")},
        tmp_mib=OUTBOX_MIB + 128,
    )
    manifest = _deployment(bot, names.replica_name(bot.name, number), names.DISCORD, template, replicas=1)
    manifest["spec"]["selector"]["matchLabels"]["botswain.dev/replica"] = str(number)
    template["metadata"]["labels"]["botswain.dev/replica"] = str(number)
    manifest["spec"]["progressDeadlineSeconds"] = deadline
    manifest["metadata"]["labels"] |= labels
    manifest["metadata"]["annotations"] |= {
        names.TEMPLATE_HASH: digest(template),
        names.TOKEN_HASH: observed.token.hash,
        names.SHARD_IDS: ",".join(map(str, ids)),
        names.SHARD_SET_OFFSET: str(shard_set.offset),
    }
    return manifest


def application_id(bot: Bot, observed: Observed) -> str:
    """The application's id: the spec's, or that of the bot's user, which is the same for every application since 2016."""
    known = observed.gateway.user_id if observed.gateway else observed.last_user_id
    return bot.spec.application_id or known or observed.token.user_id


def orchestrator_deployment(bot: Bot, defaults: Defaults, observed: Observed) -> Manifest:
    """The orchestrator. With SQLite the old pod goes before the new one comes: one process owns the file."""
    agent, sqlite = bot.spec.agent, bot.spec.sqlite
    env = [
        value(
            "EXECUTION_SERVICE_URL", f"grpc://{service_host(bot, names.EXECUTION)}:{names.GRPC_PORTS[names.EXECUTION]}"
        ),
        value("MODEL", agent.model),
        value("TURN_POLICY", agent.turn_policy),
    ]
    if (approval := agent.tools.approval) is not None:
        env.append(value("APPROVAL_TIMEOUT_SECONDS", approval.timeout_seconds))
        if approval.approvers:
            env.append(value("APPROVER_IDS", ",".join(approval.approvers)))
    if agent.base_url:
        env.append(value("MODEL_BASE_URL", agent.base_url))
    if agent.api_key_secret_ref:
        env.append(from_secret("MODEL_API_KEY", agent.api_key_secret_ref.name, agent.api_key_secret_ref.key))
    if CONFIG_PROMPT in config_data(bot):
        env.append(from_config("SYSTEM_PROMPT", config_name(bot), CONFIG_PROMPT))
    volumes, mounts = [], []
    if sqlite:
        env.append(value("DATABASE_URL", f"sqlite:///{DATA_PATH}/botswain.db"))
        source: Manifest = (
            {"emptyDir": {}} if sqlite.ephemeral else {"persistentVolumeClaim": {"claimName": volume_name(bot)}}
        )
        volumes.append({"name": "data", **source})
        mounts.append({"name": "data", "mountPath": DATA_PATH})
    elif bot.spec.database.url_secret_ref:
        env.append(
            from_secret("DATABASE_URL", bot.spec.database.url_secret_ref.name, bot.spec.database.url_secret_ref.key)
        )
        # A container that crashed goes on at once where its last process was, without waiting for that one's lease.
        env.append(from_pod("REPLICA_NAME", "metadata.name"))
    template = pod_template(
        bot,
        defaults,
        names.ORCHESTRATOR,
        env=env,
        volumes=volumes,
        mounts=mounts,
        annotations={
            names.CONFIG_HASH: digest(config_data(bot)),
            names.SECRETS_HASH: _secrets_hash(observed, "auth", "model-key", "database-url"),
        },
    )
    replicas = None if bot.spec.orchestrator.autoscaling and not bot.spec.paused else bot.spec.orchestrator.replicas
    manifest = _deployment(bot, service_host(bot, names.ORCHESTRATOR), names.ORCHESTRATOR, template, replicas=replicas)
    if sqlite:
        manifest["spec"]["strategy"] = {"type": "Recreate"}
    return manifest


def execution_deployment(bot: Bot, defaults: Defaults, observed: Observed) -> Manifest:
    """The MCP host. Its discord server holds the bot's token too, so a rotated token rolls it."""
    spec = bot.spec
    env = [
        from_secret("DISCORD_BOT_TOKEN", spec.token_secret_ref.name, spec.token_secret_ref.key),
        value("DISCORD_API_URL", spec.discord.api_url or defaults.discord_api_url),
        value("FILESYSTEM_ROOT", "/tmp/files"),  # noqa: S108 - the pod's own
    ]
    if spec.agent.tools.allowed_mentions:
        env.append(value("DISCORD_ALLOWED_MENTIONS", ",".join(sorted(spec.agent.tools.allowed_mentions))))
    volumes, mounts = [], []
    if CONFIG_SERVERS in config_data(bot):
        env.append(value("MCP_SERVERS_CONFIG", f"{SERVERS_PATH}/{CONFIG_SERVERS}"))
        volumes.append({"name": "config", "configMap": {"name": config_name(bot)}})
        mounts.append({"name": "config", "mountPath": SERVERS_PATH, "readOnly": True})
    template = pod_template(
        bot,
        defaults,
        names.EXECUTION,
        env=env,
        volumes=volumes,
        mounts=mounts,
        annotations={
            names.CONFIG_HASH: digest(config_data(bot)),
            names.TOKEN_HASH: observed.token.hash,
            names.SECRETS_HASH: _secrets_hash(observed, "auth"),
        },
    )
    return _deployment(
        bot, service_host(bot, names.EXECUTION), names.EXECUTION, template, replicas=spec.execution.replicas
    )


def _deployment(bot: Bot, name: str, part: str, template: Manifest, *, replicas: int | None) -> Manifest:
    """A Deployment that brings the new pod up before it takes the old one down.

    `replicas` None leaves the number to an autoscaler: what isn't applied isn't owned.
    """
    if bot.spec.paused:
        replicas = 0
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(bot, name, part),
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": names.selector(bot.name, part)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    }


def _secrets_hash(observed: Observed, *uses: str) -> str:
    known: Mapping[str, str] = {
        **observed.secret_hashes,
        "auth": digest(observed.auth_secret or observed.fresh_secret),
    }
    return digest({use: known.get(use, "") for use in uses})


def disruption_budget(bot: Bot, part: str) -> Manifest:
    """At most one pod of a part may be evicted at a time; one that isn't ready always, since it serves nobody.

    A minimum would block a node's drain for ever with one replica.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(bot, service_host(bot, part), part),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": names.selector(bot.name, part)},
        },
    }


def autoscaler(bot: Bot) -> Manifest | None:
    """The orchestrator's HorizontalPodAutoscaler, if the bot asks for one."""
    wish = bot.spec.orchestrator.autoscaling
    if wish is None or bot.spec.paused:
        return None
    name = service_host(bot, names.ORCHESTRATOR)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(bot, name, names.ORCHESTRATOR),
        "spec": without_nothing(
            {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "minReplicas": wish.min_replicas,
                "maxReplicas": wish.max_replicas,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {
                                "type": "Utilization",
                                "averageUtilization": wish.target_cpu_utilization_percentage,
                            },
                        },
                    }
                ],
            }
        ),
    }
