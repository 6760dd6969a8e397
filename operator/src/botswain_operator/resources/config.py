"""What the workloads stand on: account, secret, configuration, volume, Services."""

from __future__ import annotations

import base64
import json

from botswain_operator import names
from botswain_operator.manifests import Manifest, metadata, without_nothing
from botswain_operator.observed import Observed
from botswain_operator.resources.pods import AUTH_SECRET_KEY, auth_secret_name
from botswain_operator.resources.tools import servers_file
from botswain_operator.spec import Bot, Sqlite

CONFIG_PROMPT = "system-prompt"
CONFIG_SERVERS = "mcp_servers.json"
DATA_PATH = "/data"


def config_name(bot: Bot) -> str:
    return f"{bot.name}-config"


def volume_name(bot: Bot) -> str:
    return f"{bot.name}-data"


def service_account(bot: Bot) -> Manifest:
    """The bot's own account. It has no rights in the API, and its token is mounted nowhere."""
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(bot, bot.name),
        "automountServiceAccountToken": False,
    }
    manifest["metadata"]["annotations"] |= bot.spec.pods.service_account_annotations
    return manifest


def auth_secret(bot: Bot, observed: Observed) -> Manifest:
    """What the bot's services sign their credentials with: made once, and kept."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(bot, auth_secret_name(bot)),
        "type": "Opaque",
        "data": {AUTH_SECRET_KEY: base64.b64encode((observed.auth_secret or observed.fresh_secret).encode()).decode()},
    }


def config_data(bot: Bot) -> dict[str, str]:
    """The ConfigMap's content; empty if the bot needs none."""
    agent = bot.spec.agent
    data = {}
    if agent.system_prompt:
        data[CONFIG_PROMPT] = agent.system_prompt
    if (servers := servers_file(agent.tools)) is not None:
        data[CONFIG_SERVERS] = json.dumps(servers, indent=2, sort_keys=True)
    return data


def config_map(bot: Bot) -> Manifest | None:
    data = config_data(bot)
    if not data:
        return None
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(bot, config_name(bot)), "data": data}


def volume_claim(bot: Bot, sqlite: Sqlite) -> Manifest:
    """The volume of the SQLite file. Without an owner it outlives the bot."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(bot, volume_name(bot), names.ORCHESTRATOR, owned=not sqlite.retain),
        "spec": without_nothing(
            {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": str(sqlite.size)}},
                "storageClassName": sqlite.storage_class_name,
            }
        ),
    }


def service(bot: Bot, part: str) -> Manifest:
    """The Service of one part.

    That of discord-service has no address of its own: its name leads to each process, ready or not, for the operator and for
    scrapers to ask.
    """
    ports = [{"name": "http", "port": names.HTTP_PORTS[part], "protocol": "TCP", "targetPort": "http"}]
    if part in names.GRPC_PORTS:
        ports.append({"name": "grpc", "port": names.GRPC_PORTS[part], "protocol": "TCP", "targetPort": "grpc"})
    spec: Manifest = {"selector": names.selector(bot.name, part), "ports": ports}
    if part == names.DISCORD:
        spec |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(bot, f"{bot.name}-{part}", part), "spec": spec}


def service_monitor(bot: Bot) -> Manifest:
    """Has Prometheus scrape all three parts."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata(bot, bot.name),
        "spec": {
            "selector": {"matchLabels": {names.LABEL_BOT: bot.name}},
            "targetLabels": [names.LABEL_BOT, names.LABEL_PART],
            "endpoints": [{"port": "http", "path": "/metrics"}],
        },
    }
