"""Pod templates: one shape for the three parts, restricted in the sense of the Pod Security Standards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botswain_operator import names
from botswain_operator.manifests import Manifest, without_nothing
from botswain_operator.resources.defaults import Defaults, needs
from botswain_operator.spec import Bot

USER_ID = 10001
"""The user that the images run as."""
DRAIN_MARGIN_SECONDS = 10
"""Left of a pod's grace period for closing down after the drain."""


def value(name: str, content: str | int) -> Manifest:
    return {"name": name, "value": str(content)}


def from_secret(name: str, secret: str, key: str) -> Manifest:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def from_config(name: str, config_map: str, key: str) -> Manifest:
    return {"name": name, "valueFrom": {"configMapKeyRef": {"name": config_map, "key": key}}}


def from_pod(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def pod_template(
    bot: Bot,
    defaults: Defaults,
    part: str,
    *,
    env: Sequence[Manifest],
    annotations: dict[str, str],
    labels: dict[str, str] | None = None,
    volumes: Sequence[Manifest] = (),
    mounts: Sequence[Manifest] = (),
    startup_seconds: int = 120,
    tmp_mib: int = 256,
) -> Manifest:
    """The template of one part's pods.

    Args:
        env: the part's variables; the bot's `pods.env` is added and wins.
        annotations: what must roll the pods when it changes.
        startup_seconds: how long the process may take until `/health` answers.
        tmp_mib: what `/tmp` may hold; a pod whose volume holds more is evicted.
    """
    spec = bot.spec
    grace = spec.pods.termination_grace_period_seconds
    ports = [{"name": "http", "containerPort": names.HTTP_PORTS[part], "protocol": "TCP"}]
    if part in names.GRPC_PORTS:
        ports.append({"name": "grpc", "containerPort": names.GRPC_PORTS[part], "protocol": "TCP"})
    container: Manifest = {
        "name": part,
        "image": defaults.image(spec, part),
        "imagePullPolicy": spec.images.pull_policy or defaults.image_pull_policy,
        "env": _merged([*_common(bot, part), *env], spec.pods.env),
        "ports": ports,
        "resources": needs(bot, part),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "startupProbe": _probe("/health", period=2, failures=max(1, startup_seconds // 2)),
        "livenessProbe": _probe("/health", period=10, failures=3),
        "readinessProbe": _probe("/ready", period=3, failures=2),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *mounts],  # noqa: S108 - the pod's own
    }
    scheduling = spec.scheduling
    return {
        "metadata": {
            "labels": {**spec.pods.labels, **names.labels(bot.name, part), **(labels or {})},
            "annotations": {**spec.pods.annotations, **annotations},
        },
        "spec": without_nothing(
            {
                "serviceAccountName": bot.name,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": grace,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": USER_ID,
                    "runAsGroup": USER_ID,
                    "fsGroup": USER_ID,
                    "fsGroupChangePolicy": "OnRootMismatch",
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "imagePullSecrets": [
                    {"name": name} for name in spec.images.pull_secrets or defaults.image_pull_secrets
                ],
                "nodeSelector": scheduling.node_selector,
                "tolerations": list(scheduling.tolerations or ()),
                "affinity": scheduling.affinity,
                "topologySpreadConstraints": _spread(bot, part),
                "priorityClassName": scheduling.priority_class_name,
                "runtimeClassName": scheduling.runtime_class_name,
                "containers": [container],
                "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": f"{tmp_mib}Mi"}}, *volumes],
            }
        ),
    }


def _common(bot: Bot, part: str) -> list[Manifest]:
    telemetry = bot.spec.telemetry
    drain = max(5, bot.spec.pods.termination_grace_period_seconds - DRAIN_MARGIN_SECONDS)
    found = [
        value("BIND_HOST", "0.0.0.0"),  # noqa: S104 - inside its own pod
        value("HEALTH_PORT" if part == names.DISCORD else "HTTP_PORT", names.HTTP_PORTS[part]),
        value("LOG_LEVEL", telemetry.log_level),
        value("LOG_FORMAT", "json"),
        value("SHUTDOWN_GRACE_SECONDS", drain),
        from_secret("SERVICE_AUTH_SECRET", auth_secret_name(bot), AUTH_SECRET_KEY),
    ]
    if part in names.GRPC_PORTS:
        found.append(value("GRPC_PORT", names.GRPC_PORTS[part]))
    if telemetry.otlp_endpoint:
        found.append(value("OTEL_EXPORTER_OTLP_ENDPOINT", telemetry.otlp_endpoint))
    return found


AUTH_SECRET_KEY = "secret"  # noqa: S105 - a name


def auth_secret_name(bot: Bot) -> str:
    """The Secret that holds what the bot's services sign their credentials with."""
    return f"{bot.name}-service-auth"


def _merged(own: Sequence[Manifest], given: Sequence[Manifest]) -> list[Manifest]:
    """The operator's variables, those that the bot names replaced by the bot's: the API refuses a name that comes twice."""
    wins = {entry["name"] for entry in given}
    return [*(entry for entry in own if entry["name"] not in wins), *given]


def _probe(path: str, *, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "http", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def _spread(bot: Bot, part: str) -> list[Any]:
    """Replicas of a part on as many nodes and zones as there are; never so strictly that one can't be placed."""
    given = bot.spec.scheduling.topology_spread_constraints
    if given is not None:
        return list(given)
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": names.selector(bot.name, part)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
