"""The kinds that the operator handles, and where the API server has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botswain_operator import names


@dataclass(frozen=True, slots=True)
class Kind:
    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL's path; all namespaces without `namespace`."""
        root = f"/api/{self.api_version}" if "/" not in self.api_version else f"/apis/{self.api_version}"
        within = f"/namespaces/{namespace}" if namespace else ""
        return (
            root
            + within
            + f"/{self.plural}"
            + (f"/{name}" if name else "")
            + (f"/{subresource}" if subresource else "")
        )


BOT = Kind(names.API_VERSION, names.KIND, names.PLURAL)
SECRET = Kind("v1", "Secret", "secrets")
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors")

# What bots own, in the order in which it is made; the optional kinds, which a cluster may not have, come last.
CHILDREN = (
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    SECRET,
    Kind("v1", "ConfigMap", "configmaps"),
    VOLUME_CLAIM,
    Kind("v1", "Service", "services"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    DEPLOYMENT,
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
)
OPTIONAL_CHILDREN = (SERVICE_MONITOR,)

_BY_KIND = {kind.kind: kind for kind in (*CHILDREN, *OPTIONAL_CHILDREN, BOT)}


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """The kind of a manifest that `build_resources` made."""
    return _BY_KIND[manifest["kind"]]
