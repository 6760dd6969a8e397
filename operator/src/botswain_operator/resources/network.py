"""NetworkPolicies: the arrows of docs/architecture.md and no others.

Into the pods: discord-service from the operator, which asks how its shards are, the orchestrator from discord-service, execution
from the orchestrator. Probes come from the node, which no policy holds off.
Out of them: name resolution, the next part, and each part's own outside world: Discord, the model, the database, traces. A
policy can't name a host, so the outside is told by port, and by namespace where a URL names a Service of the cluster.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from botswain_operator import names
from botswain_operator.manifests import Manifest, metadata
from botswain_operator.observed import Observed
from botswain_operator.resources.defaults import Defaults
from botswain_operator.spec import Bot

_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "postgres": 5432}
_PRIVATE_V4 = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]
_PRIVATE_V6 = ["fc00::/7", "fe80::/10"]

# Policies see the pods' port, which is 5353 in OpenShift.
_DNS: Manifest = {"ports": [{"protocol": protocol, "port": port} for port in (53, 5353) for protocol in ("UDP", "TCP")]}


def network_policies(bot: Bot, defaults: Defaults, observed: Observed) -> list[Manifest]:
    """One policy for each part; none if the bot wants none."""
    wish = bot.spec.network_policy
    if not wish.enabled:
        return []
    extra = [dict(rule) for rule in wish.extra_egress]
    if bot.spec.telemetry.otlp_endpoint:
        extra.append(to_url(bot, bot.spec.telemetry.otlp_endpoint))
    discord = to_url(bot, bot.spec.discord.api_url or defaults.discord_api_url)
    orchestrator_out = [_DNS, _to_part(bot, names.EXECUTION)]
    agent = bot.spec.agent
    if agent.base_url:
        orchestrator_out.append(to_url(bot, agent.base_url))
    elif agent.model.startswith("openai:"):
        orchestrator_out.append(_internet(443))
    orchestrator_out += [_to_host(bot, host, port) for host, port in observed.database_addresses]
    return [
        _policy(
            bot,
            names.DISCORD,
            ingress=[_from_operator(defaults)],
            egress=[_DNS, _to_part(bot, names.ORCHESTRATOR), discord, *extra],
        ),
        _policy(
            bot,
            names.ORCHESTRATOR,
            ingress=[_from_part(bot, names.ORCHESTRATOR, names.DISCORD)],
            egress=[*orchestrator_out, *extra],
        ),
        _policy(
            bot,
            names.EXECUTION,
            ingress=[_from_part(bot, names.EXECUTION, names.ORCHESTRATOR)],
            egress=[_DNS, discord, _internet(80, 443), *extra],
        ),
    ]


def to_url(bot: Bot, url: str) -> Manifest:
    """An egress rule to the host of a URL."""
    parts = urlsplit(url)
    return _to_host(bot, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme.split("+")[0], 443))


def _to_host(bot: Bot, host: str, port: int) -> Manifest:
    """To a host and port.

    `service`, `service.namespace` and `service.namespace.svc…` are Services, and the rule allows their namespace; two labels
    may as well be a domain, and are allowed as both. Policies see the pod's port, so this holds for Services whose port is
    that of their pods; for others there is `networkPolicy.extraEgress`.
    """
    labels = host.split(".")
    peers: list[Manifest] = []
    in_cluster = len(labels) == 1 or (len(labels) > 2 and labels[2] == "svc")
    if in_cluster or len(labels) == 2:
        namespace = bot.namespace if len(labels) == 1 else labels[1]
        peers.append({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}})
    if not in_cluster:
        peers += [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]
    return {"ports": [{"protocol": "TCP", "port": port}], "to": peers}


def _internet(*ports: int) -> Manifest:
    """To public addresses only."""
    return {
        "ports": [{"protocol": "TCP", "port": port} for port in ports],
        "to": [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE_V4}},
            {"ipBlock": {"cidr": "::/0", "except": _PRIVATE_V6}},
        ],
    }


def _to_part(bot: Bot, part: str) -> Manifest:
    return {"ports": _part_ports(part), "to": [{"podSelector": {"matchLabels": names.selector(bot.name, part)}}]}


def _from_part(bot: Bot, part: str, source: str) -> Manifest:
    return {"ports": _part_ports(part), "from": [{"podSelector": {"matchLabels": names.selector(bot.name, source)}}]}


def _from_operator(defaults: Defaults) -> Manifest:
    """From pods that the chart labels as the operator's, in the operator's own namespace."""
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": defaults.operator_namespace}},
        "podSelector": {"matchLabels": {names.LABEL_PART: names.OPERATOR}},
    }
    return {"ports": [{"protocol": "TCP", "port": names.HTTP_PORTS[names.DISCORD]}], "from": [peer]}


def _part_ports(part: str) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in (names.HTTP_PORTS[part], names.GRPC_PORTS[part])]


def _policy(bot: Bot, part: str, *, ingress: list[Manifest], egress: list[Manifest]) -> Manifest:
    if bot.spec.telemetry.service_monitor:
        scrape = {"ports": [{"protocol": "TCP", "port": names.HTTP_PORTS[part]}], "from": [{"namespaceSelector": {}}]}
        ingress = [*ingress, scrape]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(bot, f"{bot.name}-{part}", part),
        "spec": {
            "podSelector": {"matchLabels": names.selector(bot.name, part)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }
