"""The kinds that the emulated API server has built in, and how the lists in their objects merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One served kind. `schema` and `columns` are a CustomResourceDefinition's; None for built-in kinds."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    status: bool = False
    scale: Mapping[str, str] | None = None
    schema: Mapping[str, Any] | None = None
    columns: tuple[Mapping[str, Any], ...] = field(default=())
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> tuple[str, str]:
        return (self.group, self.plural)


_DEPLOYMENT_SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}

BUILT_IN = (
    Kind("", "v1", "Namespace", "namespaces", namespaced=False, short_names=("ns",), status=True),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",)),
    Kind("", "v1", "Secret", "secrets"),
    Kind("", "v1", "ConfigMap", "configmaps", short_names=("cm",)),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", short_names=("pvc",), status=True),
    Kind("", "v1", "Service", "services", short_names=("svc",), status=True),
    Kind("", "v1", "Pod", "pods", short_names=("po",), status=True),
    Kind("", "v1", "Event", "events", short_names=("ev",)),
    Kind("apps", "v1", "Deployment", "deployments", short_names=("deploy",), status=True, scale=_DEPLOYMENT_SCALE),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", short_names=("netpol",)),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short_names=("pdb",), status=True),
    Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short_names=("hpa",), status=True),
    Kind("coordination.k8s.io", "v1", "Lease", "leases"),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
        short_names=("crd",),
        status=True,
    ),
)

# Lists whose entries merge by keys, by the name of the field (kubernetes: x-kubernetes-list-map-keys of the built-in types).
LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "imagePullSecrets": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
}
# Maps that are replaced as a whole.
ATOMIC_MAPS = frozenset(
    {"selector", "labelSelector", "nodeSelector", "secretKeyRef", "configMapKeyRef", "fieldRef", "scaleTargetRef"}
)


def list_keys(name: str, entries: list[Any], schema: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """The keys by which a list's entries are told apart; None if the list is atomic.

    Args:
        schema: the list's own schema in a custom resource.
    """
    if schema is not None:
        return tuple(schema["x-kubernetes-list-map-keys"]) if schema.get("x-kubernetes-list-type") == "map" else None
    if name == "ports":
        if all(isinstance(entry, dict) and "containerPort" in entry for entry in entries):
            return ("containerPort", "protocol")
        return (
            ("port", "protocol")
            if all(isinstance(entry, dict) and "targetPort" in entry for entry in entries)
            else None
        )
    keys = LIST_KEYS.get(name)
    return keys if keys and all(isinstance(entry, dict) and entry.keys() >= set(keys) for entry in entries) else None


def child_schema(schema: Mapping[str, Any] | None, name: str) -> Mapping[str, Any] | None:
    """The schema of a field; None outside of custom resources' own fields."""
    if schema is None:
        return None
    found = (schema.get("properties") or {}).get(name)
    extra = schema.get("additionalProperties")
    return found if found is not None else extra if isinstance(extra, dict) else None
