"""Manifests: valid for every Kubernetes version that is supported, restricted, and what the spec says."""

from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest
from botswain_operator import names
from botswain_operator.drift import in_sync
from botswain_operator.manifests import digest
from botswain_operator.quantities import value_of
from botswain_operator.resources import Defaults, build_resources
from botswain_operator.resources.tools import _SHIPPED, SHARE
from kube_emulator.defaults import fill_in
from operator_world.examples import bot, observed
from operator_world.programs import ROOT

FULL: dict[str, Any] = {
    "sharding": {"shards": 4, "replicas": 2},
    "agent": {
        "model": "openai:gpt",
        "baseUrl": "http://vllm.models:8000/v1",
        "apiKeySecretRef": {"name": "model"},
        "systemPrompt": "Be kind.",
        "tools": {
            "allow": ["discord_send_message"],
            "channels": "any",
            "allowedMentions": ["users"],
            "mcpServers": {"time": {"command": "x"}},
        },
    },
    "database": {"urlSecretRef": {"name": "db"}},
    "orchestrator": {"autoscaling": {"maxReplicas": 3}},
    "execution": {"replicas": 2},
    "images": {"registry": "ghcr.io/example", "pullSecrets": ["registry"], "pullPolicy": "Always"},
    "resources": {"discord": {"requests": {"cpu": "1000m"}, "limits": {"memory": "1024Mi"}}},
    "scheduling": {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "priorityClassName": "high",
    },
    "pods": {
        "labels": {"team": "a"},
        "annotations": {"note": "b"},
        "env": [{"name": "LOG_FORMAT", "value": "console"}, {"name": "EMPTY", "value": ""}],
    },
    "networkPolicy": {"extraEgress": [{"ports": [{"port": 9000, "protocol": "TCP"}]}]},
    "telemetry": {"otlpEndpoint": "http://collector.monitoring:4317", "serviceMonitor": True},
}
SPECS: dict[str, dict[str, Any]] = {
    "least": {},
    "full": FULL,
    "ephemeral": {"database": {"sqlite": {"ephemeral": True}}},
    "paused": {"paused": True},
}


def manifests(spec: dict[str, Any], **seen: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """What is applied for a spec, by kind and name."""
    plan = build_resources(bot(**spec), observed(has_service_monitors=True, **seen))
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in plan.manifests}


def env(manifest: dict[str, Any]) -> dict[str, Any]:
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: entry.get("valueFrom") or entry["value"] for entry in container["env"]}


@pytest.mark.parametrize("version", ["1.29", "1.31", "1.33", "1.35", "1.37"])
@pytest.mark.parametrize("spec", SPECS)
def test_manifests_are_valid(spec: str, version: str) -> None:
    """Each manifest fits the schema of each Kubernetes version, with no field that it doesn't know."""
    for (kind, _), manifest in manifests(SPECS[spec]).items():
        if kind != "ServiceMonitor":
            kubernetes_validate.validate(json.loads(json.dumps(manifest)), version, strict=True)


@pytest.mark.parametrize("spec", SPECS)
def test_pods_are_restricted(spec: str) -> None:
    """Every pod fits the restricted Pod Security Standard, mounts no API token, has a memory limit and three probes."""
    for (kind, _), manifest in manifests(SPECS[spec]).items():
        if kind != "Deployment":
            continue
        pod = manifest["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
            }
            assert "memory" in container["resources"]["limits"]
            paths = [
                container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
            ]
            assert paths == ["/health", "/health", "/ready"]
        assert all(volume.keys() & {"emptyDir", "configMap", "persistentVolumeClaim"} for volume in pod["volumes"])


@pytest.mark.parametrize("spec", SPECS)
def test_everything_is_owned_and_labelled(spec: str) -> None:
    """What is made goes with its bot, and can be found by its label."""
    for manifest in manifests(SPECS[spec]).values():
        assert manifest["metadata"]["ownerReferences"][0]["uid"] == "bot-uid"
        assert manifest["metadata"]["labels"][names.LABEL_BOT] == "harbour"
        assert manifest["metadata"]["labels"][names.LABEL_MANAGED_BY] == names.FIELD_MANAGER


@pytest.mark.parametrize("spec", SPECS)
def test_what_the_server_fills_in_is_no_drift(spec: str) -> None:
    """Defaults, canonical quantities and empty values don't make a live object differ; a changed value does."""
    for (kind, _), manifest in manifests(SPECS[spec]).items():
        live = fill_in(kind, manifest)
        assert in_sync(manifest, live)
        live["metadata"]["labels"] = {**live["metadata"]["labels"], names.LABEL_BOT: "other"}
        assert not in_sync(manifest, live)


def test_build_is_pure() -> None:
    """The same arguments give the same manifests."""
    first, second = (build_resources(bot(**FULL), observed()) for _ in range(2))
    assert digest(first.manifests) == digest(second.manifests)


def test_environment_is_what_the_services_read() -> None:
    """Addresses, shards, model and secrets reach the processes under their own names for them."""
    found = manifests(FULL)
    discord = env(found["Deployment", "harbour-discord-0"])
    assert discord["GATEWAY_SERVICE_URL"] == "grpc://harbour-orchestrator:50051"
    assert (discord["SHARD_IDS"], discord["SHARD_COUNT"]) == ("0,1", "4")
    assert discord["DISCORD_BOT_TOKEN"] == {"secretKeyRef": {"name": "token", "key": "token"}}
    assert discord["DISCORD_APPLICATION_ID"] == "1191168914227200001"
    assert discord["DISCORD_INTENTS"] == "guilds,guild_messages,dm_messages,message_content"
    assert discord["LOG_FORMAT"] == "console", "the bot's own variable wins"
    orchestrator = env(found["Deployment", "harbour-orchestrator"])
    assert orchestrator["EXECUTION_SERVICE_URL"] == "grpc://harbour-execution:50052"
    assert orchestrator["MODEL"] == "openai:gpt"
    assert orchestrator["MODEL_BASE_URL"] == "http://vllm.models:8000/v1"
    assert orchestrator["SYSTEM_PROMPT"] == {"configMapKeyRef": {"name": "harbour-config", "key": "system-prompt"}}
    assert orchestrator["DATABASE_URL"] == {"secretKeyRef": {"name": "db", "key": "url"}}
    assert orchestrator["REPLICA_NAME"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
    assert "DISCORD_BOT_TOKEN" not in orchestrator
    execution = env(found["Deployment", "harbour-execution"])
    assert execution["MCP_SERVERS_CONFIG"] == "/etc/botswain/mcp_servers.json"
    assert "MODEL_API_KEY" not in execution


def test_settings_are_known_to_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """The services' own settings classes take what the operator gives them."""
    from botswain_discord.settings import DiscordSettings
    from botswain_execution.settings import ExecutionSettings
    from botswain_orchestrator.settings import OrchestratorSettings

    given = {"secretKeyRef": "MTE5MTE2ODkxNDIyNzIwMDAwMQ.H4dEAA.abc", "configMapKeyRef": "words"}
    classes = {"discord-0": DiscordSettings, "orchestrator": OrchestratorSettings, "execution": ExecutionSettings}
    for part, settings in classes.items():
        variables = env(manifests({"sharding": {"shards": 4, "replicas": 2}})["Deployment", f"harbour-{part}"])
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value if isinstance(value, str) else given[next(iter(value))])
            loaded = settings()
        fields = {name.upper() for name in settings.model_fields}
        assert loaded.shutdown_grace_seconds == 30
        assert variables.keys() <= fields, f"{part} knows each variable"


def test_shipped_servers_are_those_of_the_image() -> None:
    """The file of MCP servers that a bot changes begins with the one in the execution image."""
    shipped = json.loads((ROOT / "services/execution-service/config/mcp_servers.json").read_text())["mcpServers"]
    assert {name: {**server, "cwd": ".."} for name, server in _SHIPPED.items()} == shipped
    written = json.loads(manifests(FULL)["ConfigMap", "harbour-config"]["data"]["mcp_servers.json"])["mcpServers"]
    assert written["discord"]["cwd"] == SHARE
    assert "channelScope" not in written["discord"]
    assert written["time"] == {"command": "x", "allowedTools": ["discord_send_message"]}


def test_tools_that_need_approval_are_told_to_all_three_parts() -> None:
    """execution-service which they are, the orchestrator who approves and for how long, discord-service to hear reactions."""
    approval = {"tools": ["pay"], "approvers": ["1441700000000000000"], "timeoutSeconds": 60}
    made = manifests({"agent": {"tools": {"approval": approval}}})
    written = json.loads(made["ConfigMap", "harbour-config"]["data"]["mcp_servers.json"])["mcpServers"]
    assert {tuple(server["approvalTools"]) for server in written.values()} == {("pay",)}
    orchestrator = env(made["Deployment", "harbour-orchestrator"])
    assert orchestrator["APPROVER_IDS"] == "1441700000000000000"
    assert orchestrator["APPROVAL_TIMEOUT_SECONDS"] == "60"
    intents = env(made["Deployment", "harbour-discord-0"])["DISCORD_INTENTS"]
    assert intents == "guilds,guild_messages,dm_messages,message_content,guild_reactions,dm_reactions"


def test_pods_roll_with_what_they_read() -> None:
    """A changed prompt rolls the orchestrator, and doesn't touch discord-service."""
    before, after = manifests({"agent": {"systemPrompt": "a"}}), manifests({"agent": {"systemPrompt": "b"}})

    def template(found: dict[tuple[str, str], dict[str, Any]], name: str) -> str:
        return digest(found["Deployment", name]["spec"]["template"])

    assert template(before, "harbour-orchestrator") != template(after, "harbour-orchestrator")
    assert template(before, "harbour-discord-0") == template(after, "harbour-discord-0")


def test_outbox_fits_its_volume() -> None:
    """discord-service stops reading before its file outgrows the volume: a pod that goes past a volume's limit is evicted."""
    deployment = manifests({})["Deployment", "harbour-discord-0"]
    (volume,) = deployment["spec"]["template"]["spec"]["volumes"]
    room = value_of(volume["emptyDir"]["sizeLimit"])
    assert room is not None
    assert 2**28 <= int(env(deployment)["OUTBOX_FILE_LIMIT"]) <= room - 2**26


def test_sqlite_has_one_process_at_a_time() -> None:
    """With SQLite the orchestrator's old pod goes before the new one comes; with PostgreSQL they overlap."""
    assert manifests({})["Deployment", "harbour-orchestrator"]["spec"]["strategy"] == {"type": "Recreate"}
    rolling = manifests({"database": {"urlSecretRef": {"name": "db"}}})["Deployment", "harbour-orchestrator"]["spec"][
        "strategy"
    ]
    assert rolling == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_autoscaler_owns_the_number_of_orchestrators() -> None:
    """With autoscaling the Deployment says nothing about replicas, so that nothing fights over them."""
    found = manifests(FULL)
    assert "replicas" not in found["Deployment", "harbour-orchestrator"]["spec"]
    assert found["HorizontalPodAutoscaler", "harbour-orchestrator"]["spec"]["maxReplicas"] == 3


def test_budget_holds_no_broken_pod() -> None:
    """One pod of a part may be evicted at a time, and one that isn't ready whatever the others are: a drain always ends."""
    spec = manifests({"execution": {"replicas": 2}})["PodDisruptionBudget", "harbour-execution"]["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert not [name for kind, name in manifests({}) if kind == "PodDisruptionBudget"], "a single pod has none"


def test_images_come_from_bot_then_operator() -> None:
    """A bot's own reference wins over its registry and tag, and those over the operator's."""
    defaults = Defaults(image_registry="registry.example/botswain", image_tag="9")

    def image(**images: str) -> str:
        plan = build_resources(bot(images=images), observed(), defaults)
        found = next(
            manifest
            for manifest in plan.manifests
            if manifest["metadata"]["name"] == "harbour-execution" and manifest["kind"] == "Deployment"
        )
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    assert image() == "registry.example/botswain/execution-service:9"
    assert image(tag="10") == "registry.example/botswain/execution-service:10"
    assert image(registry="other.example") == "other.example/execution-service:9"
    assert image(execution="own:1") == "own:1"


@pytest.mark.parametrize(
    ("url", "peers"),
    [
        ("http://sim:8090/api/v10", ["namespace bots"]),
        ("http://sim.tools.svc:8090/api/v10", ["namespace tools"]),
        ("http://sim.tools.svc.cluster.local:8090", ["namespace tools"]),
        ("https://discord.com/api/v10", ["namespace com", "0.0.0.0/0", "::/0"]),
        ("https://api.discord.example.org", ["0.0.0.0/0", "::/0"]),
    ],
)
def test_policy_allows_where_a_url_leads(url: str, peers: list[str]) -> None:
    """A Service's namespace, or the outside, on the URL's port."""
    policy = manifests({"discord": {"apiUrl": url}})["NetworkPolicy", "harbour-discord"]
    rule = policy["spec"]["egress"][2]
    found = [
        f"namespace {peer['namespaceSelector']['matchLabels']['kubernetes.io/metadata.name']}"
        if "namespaceSelector" in peer
        else peer["ipBlock"]["cidr"]
        for peer in rule["to"]
    ]
    assert found == peers
    assert rule["ports"][0]["port"] == (8090 if ":8090" in url else 443)


def peers(rule: dict[str, Any]) -> list[str]:
    """Who is at the other end of a rule, and at which ports: `part:port`, `outside:port`, or the namespace."""
    ports = ",".join(str(port["port"]) for port in rule["ports"])
    found = []
    for peer in rule.get("from") or rule.get("to") or [{}]:
        pods = peer.get("podSelector", {}).get("matchLabels", {})
        namespace = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
        where = pods.get(names.LABEL_PART) or namespace or ("outside" if "ipBlock" in peer else "anybody")
        assert not pods or names.LABEL_BOT in pods or namespace == "system", "another bot's pods are no peers"
        found.append(f"{where}:{ports}")
    return sorted(set(found))


def test_only_the_platforms_arrows_are_open() -> None:
    """Each part is open to the one before it and to nobody else, and gets to the one after it and to its own outside world."""
    spec = {
        "agent": {"model": "openai:gpt", "baseUrl": "http://vllm.models.svc:8000/v1"},
        "database": {"urlSecretRef": {"name": "db"}},
        "discord": {"apiUrl": "https://api.discord.example.org/api/v10"},
    }
    plan = build_resources(
        bot(**spec), observed(database_addresses=(("db.data.svc", 6432),)), Defaults(operator_namespace="system")
    )
    policies = {body["metadata"]["name"]: body["spec"] for body in plan.manifests if body["kind"] == "NetworkPolicy"}
    assert {name: policy["policyTypes"] for name, policy in policies.items()} == {
        f"harbour-{part}": ["Ingress", "Egress"] for part in (names.DISCORD, names.ORCHESTRATOR, names.EXECUTION)
    }
    assert {name: [peers(rule) for rule in policy["ingress"]] for name, policy in policies.items()} == {
        "harbour-discord": [["operator:8003"]],
        "harbour-orchestrator": [["discord:8000,50051"]],
        "harbour-execution": [["orchestrator:8001,50052"]],
    }
    dns = ["anybody:53,53,5353,5353"]
    assert {name: [peers(rule) for rule in policy["egress"]] for name, policy in policies.items()} == {
        "harbour-discord": [dns, ["orchestrator:8000,50051"], ["outside:443"]],
        "harbour-orchestrator": [dns, ["execution:8001,50052"], ["models:8000"], ["data:6432"]],
        "harbour-execution": [dns, ["outside:443"], ["outside:80,443"]],
    }
